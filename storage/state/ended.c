#include "storage/state/ended.h"

#include "storage/state/deadline.h"

static Pb__TombstoneRow *load(struct apply *a, struct slice resume_id)
{
    Pb__TombstoneRow *row = row_get(a->state, a->arena, TABLE_ENDED, key_bytes(resume_id));

    ASSERT(row != NULL); /* deadlines and the user's index name what is there */
    return row;
}

static struct slice id_of(ProtobufCBinaryData id)
{
    return slice_make(id.data, id.len);
}

static void forget(struct apply *a, const Pb__TombstoneRow *row)
{
    deadline_delete(a, row->until_ms, PB__DEADLINE_KIND__SESSION_TOMBSTONE, row->session);
    row_delete(a->state, TABLE_ENDED_OF, key_ended_of(row->user, row->until_ms, row->session));
    row_delete(a->state, TABLE_ENDED, key_bytes(id_of(row->resume_id)));
}

/* A client may begin and end sessions as fast as it likes. */
static void bound(struct apply *a, const char *user)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_ENDED_OF, key_user(user));

    if (list.count > STATE_SESSION_TOMBSTONES_MAX) {
        const Pb__EndedOfRow *oldest = list.items[0].row;

        forget(a, load(a, id_of(oldest->resume_id)));
    }
}

void ended_remember(struct apply *a, uint64_t session, Pb__SessionRow *row)
{
    Pb__TombstoneRow tombstone = PB__TOMBSTONE_ROW__INIT;
    Pb__EndedOfRow of = PB__ENDED_OF_ROW__INIT;
    Pb__DeadlineRow deadline = PB__DEADLINE_ROW__INIT;

    tombstone.session = session;
    tombstone.user = row->user;
    tombstone.resource = row->resource;
    tombstone.count = row->count;
    tombstone.resume_id = row->resume_id;
    tombstone.until_ms = a->now_ms + STATE_TOMBSTONE_MS;
    row_put(a->state, TABLE_ENDED, key_bytes(id_of(row->resume_id)), &tombstone);
    of.resume_id = row->resume_id;
    row_put(a->state, TABLE_ENDED_OF, key_ended_of(row->user, tombstone.until_ms, session), &of);
    deadline.resume_id = row->resume_id;
    deadline_put(a, tombstone.until_ms, PB__DEADLINE_KIND__SESSION_TOMBSTONE, session, &deadline);
    bound(a, row->user);
}

void ended_expire(struct apply *a, struct slice resume_id)
{
    forget(a, load(a, resume_id));
}
