#include "xmpp/im/expansion.h"

#include "storage/state/command.h"
#include "xmpp/im/answer.h"
#include "xmpp/im/render.h"

/* Is the session served by a connection of this node that may be written to? */
static bool is_served_here(const struct expansion *x, const Pb__SessionRow *row)
{
    return row != NULL && row->owner != NULL && row->owner->incarnation == x->view->incarnation &&
           !row->detached && row->confirmed_epoch == row->epoch;
}

bool expansion_select(struct expansion *x, uint64_t session)
{
    struct buf address = BUF_EMPTY;

    x->session = session;
    x->row = state_session(x->view->state, x->arena, session);
    if (!is_served_here(x, x->row)) {
        return false;
    }
    buf_printf(&address, "%s/%s", x->row->user, x->row->resource);
    x->address = arena_strndup(x->arena, buf_slice(&address));
    buf_deinit(&address);
    return true;
}

struct owner expansion_owner(const struct expansion *x)
{
    return command_owner(x->row->owner);
}

bool expansion_render_pending(struct expansion *x, const Pb__PendingRow *row, struct arena *arena)
{
    switch (row->what_case) {
    case PB__PENDING_ROW__WHAT_OWN:
        if (row->copy != PB__COPY__NO_COPY) {
            render_copy(row->own, row->copy, x->address, &x->xml);
        } else {
            render_stanza(row->own, NULL, &x->xml);
        }
        return true;
    case PB__PENDING_ROW__WHAT_ASK:
        answer_render(x->view, row->ask, arena, &x->xml);
        return true;
    case PB__PENDING_ROW__WHAT_PUSH:
        render_push(row->push, x->address, &x->xml);
        return true;
    default:
        return false;
    }
}

void expansion_deliver(struct expansion *x, enum delivery_kind kind, uint64_t position,
                       uint32_t pull)
{
    const struct delivery delivery = {.kind = kind,
                                      .owner = expansion_owner(x),
                                      .session = x->session,
                                      .epoch = x->row->epoch,
                                      .position = position,
                                      .pull = pull,
                                      .xml = blob_new(buf_slice(&x->xml))};

    buf_clear(&x->xml);
    x->view->sink(x->view->ctx, &delivery);
}
