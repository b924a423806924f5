#include "tests/unit/storage_state/effect_text.h"

static void stanza_to_text(const Pb__Stanza *stanza, struct buf *out)
{
    static const char *const kinds[] = {"message", "presence", "iq"};

    buf_append_str(out, kinds[stanza->kind]);
    if (stanza->type[0] != '\0') {
        buf_printf(out, " %s", stanza->type);
    }
    buf_printf(out, " %s->%s", stanza->from, stanza->to);
    if (stanza->id[0] != '\0') {
        buf_printf(out, " id=%s", stanza->id);
    }
    if (stanza->position != 0) {
        buf_printf(out, " stanza-id=%llu", (unsigned long long)stanza->position);
    }
    if (stanza->delayed) {
        buf_append_str(out, " delayed");
    }
    if (stanza->inner.len > 0) {
        buf_append_str(out, " ");
        buf_append(out, slice_make(stanza->inner.data, stanza->inner.len));
    }
}

static void item_to_text(const Pb__RosterItem *item, struct buf *out)
{
    static const char *const subscriptions[] = {"none", "to", "from", "both"};

    buf_printf(out, "%s %s", item->contact, subscriptions[item->subscription]);
    if (item->ask) {
        buf_append_str(out, " ask");
    }
    if (item->approved) {
        buf_append_str(out, " approved");
    }
    if (item->name[0] != '\0') {
        buf_printf(out, " name=%s", item->name);
    }
    for (size_t i = 0; i < item->n_groups; i++) {
        buf_printf(out, " group=%s", item->groups[i]);
    }
}

void pending_to_text(uint64_t position, const Pb__PendingRow *row, struct buf *out)
{
    buf_printf(out, "@%llu ", (unsigned long long)position);
    if (row->numbered) {
        buf_printf(out, "#%u ", row->number);
    }
    if (row->copy != PB__COPY__NO_COPY) {
        buf_append_str(out, row->copy == PB__COPY__SENT ? "sent " : "received ");
    }
    switch (row->what_case) {
    case PB__PENDING_ROW__WHAT_OWN:
        stanza_to_text(row->own, out);
        break;
    case PB__PENDING_ROW__WHAT_ASK:
        buf_append_str(out, "ask ");
        stanza_to_text(row->ask, out);
        break;
    case PB__PENDING_ROW__WHAT_PUSH:
        buf_printf(out, "push v%llu %s", (unsigned long long)row->push->version,
                   row->push->removed ? "removed " : "");
        item_to_text(row->push->item, out);
        break;
    default:
        buf_append_str(out, "unresolved");
    }
}

struct one_entry {
    struct buf *out;
    uint64_t position;
    bool found;
};

static bool visit_one(void *ctx, uint64_t position, const Pb__PendingRow *row)
{
    struct one_entry *one = ctx;

    if (position == one->position) {
        pending_to_text(position, row, one->out);
        one->found = true;
    }
    return false;
}

static void owner_to_text(const struct owner *owner, struct buf *out)
{
    buf_printf(out, " owner=%llu:%u:%u:%u", (unsigned long long)owner->incarnation, owner->worker,
               owner->slot, owner->generation);
}

static void outcome_to_text(const struct effect *effect, struct buf *out)
{
    static const char *const kinds[] = {"done",    "started", "bound",        "elsewhere",
                                        "enabled", "resumed", "resume-failed"};
    const struct outcome *outcome = &effect->outcome;

    buf_printf(out, "outcome %s", kinds[outcome->kind]);
    if (outcome->rc != 0) {
        buf_printf(out, ": %s", err_text(outcome->rc));
        if (outcome->row != 0) {
            buf_printf(out, " row=%u", outcome->row);
        }
    } else if (outcome->kind == OUTCOME_STARTED) {
        buf_printf(out, " incarnation=%llu", (unsigned long long)outcome->incarnation);
    } else if (outcome->kind == OUTCOME_ELSEWHERE) {
        buf_printf(out, " %s", outcome->location);
    } else if (outcome->kind == OUTCOME_ENABLED) {
        buf_printf(out, " window=%u location=%s resume_id=", outcome->window_s, outcome->location);
        buf_append(out, outcome->resume_id);
    } else if (outcome->kind != OUTCOME_DONE) {
        buf_printf(out, " session=%llu epoch=%u %s", (unsigned long long)outcome->session,
                   outcome->epoch, outcome->address);
    }
    if (outcome->count_known) {
        buf_printf(out, " h=%u", outcome->count);
    }
}

static void presence_to_text(const struct effect *effect, struct buf *out)
{
    buf_printf(out, "presence session=%llu user=%s position=%llu%s ",
               (unsigned long long)effect->session, effect->user,
               (unsigned long long)effect->position, effect->initial ? " initial" : "");
    stanza_to_text(effect->stanza, out);
}

static void pending_effect_to_text(struct state *state, const struct effect *effect,
                                   struct buf *out)
{
    struct one_entry one = {.out = out, .position = effect->position};
    struct arena arena;

    arena_init(&arena);
    buf_printf(out, "pending session=%llu ", (unsigned long long)effect->session);
    state_each_pending(state, &arena, effect->session, effect->position, visit_one, &one);
    if (!one.found) {
        buf_printf(out, "@%llu gone", (unsigned long long)effect->position);
    }
    arena_deinit(&arena);
}

void effect_to_text(struct state *state, const struct effect *effect, struct buf *out)
{
    static const char *const drops[] = {"resumed", "conflict", "killed", "removed", "expired"};
    const unsigned long long session = effect->session;

    switch (effect->kind) {
    case EFFECT_OUTCOME:
        outcome_to_text(effect, out);
        break;
    case EFFECT_PENDING:
        pending_effect_to_text(state, effect, out);
        break;
    case EFFECT_RECORDED:
        buf_printf(out, "recorded session=%llu number=%u", session, effect->number);
        break;
    case EFFECT_CONFIRMED:
        buf_printf(out, "confirmed session=%llu epoch=%u before=%llu", session, effect->epoch,
                   (unsigned long long)effect->position);
        owner_to_text(&effect->owner, out);
        break;
    case EFFECT_DROPPED:
        buf_printf(out, "dropped session=%llu %s", session, drops[effect->drop]);
        owner_to_text(&effect->owner, out);
        break;
    case EFFECT_PRESENCE:
        presence_to_text(effect, out);
        break;
    case EFFECT_INCARNATION:
        buf_printf(out, "incarnation %llu of node %u %s", (unsigned long long)effect->incarnation,
                   effect->node, effect->up ? "up" : "down");
        break;
    case EFFECT_VOTES:
        buf_printf(out, "votes node=%u", effect->node);
        break;
    case EFFECT_HEALTH:
        buf_printf(out, "health of node %u: %s", effect->node, effect->up ? "well" : "unwell");
        break;
    case EFFECT_MOVED:
        buf_printf(out, "moved node=%u%s reason=%u", effect->node, effect->away ? " away" : " home",
                   effect->reason);
        break;
    case EFFECT_ALARM:
        buf_printf(out, "alarm %s of node %u %s severity=%u %s", effect->alarm, effect->node,
                   effect->up ? "raised" : "cleared", effect->severity, effect->text);
        break;
    case EFFECT_VERSION:
    case EFFECT_SECRETS:
        buf_append_str(out, effect->kind == EFFECT_VERSION ? "version" : "secrets");
        break;
    case EFFECT_DOMAINS:
        buf_append_str(out, "domains");
        break;
    case EFFECT_REFUSED_SEQ:
        buf_printf(out, "refused-seq incarnation=%llu from=%llu",
                   (unsigned long long)effect->incarnation, (unsigned long long)effect->seq);
        break;
    }
    buf_append_str(out, "\n");
}
