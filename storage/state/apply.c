/* The way of an entry: check all of it, then run each command at most once (DESIGN 3). */
#include "storage/state/apply.h"

#include "node/base/crypto.h"
#include "node/base/mem.h"
#include "storage/state/command.h"
#include "storage/state/node.h"
#include "storage/state/session.h"

#include <stdarg.h>
#include <stdio.h>

#define META_KEY 1

struct decoded {
    uint64_t incarnation;
    uint64_t seq;
    Pb__Command *command;
};

struct state *state_new(struct kv *kv)
{
    struct state *state = mem_zalloc(sizeof(*state));

    state->kv = kv;
    arena_init(&state->scratch);
    state_reload(state);
    return state;
}

void state_free(struct state **state)
{
    if (*state != NULL) {
        buf_deinit(&(*state)->value);
        arena_deinit(&(*state)->scratch);
        mem_free(state);
    }
}

void state_reload(struct state *state)
{
    const Pb__MetaRow *meta;
    uint64_t term;

    pb__meta_row__init(&state->meta);
    state->meta.next_session = 1;
    state->meta.next_incarnation = 1;
    state->meta.next_position = 1;
    state->meta.next_erasure = 1;
    meta = row_get(state, &state->scratch, TABLE_META, key_u32(META_KEY));
    if (meta != NULL) {
        state->meta = *meta; /* numbers only: nothing points into the arena */
        state->meta.base.n_unknown_fields = 0;
        state->meta.base.unknown_fields = NULL;
    }
    arena_reset(&state->scratch);
    kv_applied(state->kv, &state->applied_index, &term);
}

uint64_t state_applied_index(const struct state *state)
{
    return state->applied_index;
}

uint64_t state_time_ms(const struct state *state)
{
    return state->meta.time_ms;
}

uint64_t state_next_session(const struct state *state)
{
    return state->meta.next_session;
}

uint64_t apply_position(struct apply *a)
{
    return a->state->meta.next_position++;
}

const char *apply_random_hex(struct apply *a, size_t len)
{
    struct buf input = BUF_EMPTY;
    struct buf hex = BUF_EMPTY;
    uint8_t digest[HASH_SIZE_MAX];
    const char *copy;

    ASSERT(len <= sizeof(digest));
    buf_append(&input, slice_make(a->stamp.seed, ENTRY_SEED_BYTES));
    buf_append_u64(&input, a->index);
    buf_append_u32(&input, a->drawn++);
    hash_digest(HASH_SHA256, buf_slice(&input), digest);
    hex_encode(slice_make(digest, len), &hex);
    copy = arena_strndup(a->out->arena, buf_slice(&hex));
    buf_deinit(&input);
    buf_deinit(&hex);
    return copy;
}

const char *apply_printf(struct apply *a, const char *format, ...)
{
    char *text;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(len >= 0);
    text = arena_alloc(a->arena, (size_t)len + 1);
    va_start(args, format);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

/* What operators say about domains and accounts. */
static int run_account_body(struct apply *a, const Pb__Command *command)
{
    switch (command->body_case) {
    case PB__COMMAND__BODY_DOMAIN_SET:
        return domain_set(a, command->domain_set);
    case PB__COMMAND__BODY_DOMAIN_REMOVE:
        return domain_remove(a, command->domain_remove);
    case PB__COMMAND__BODY_USER_SET:
        return user_set(a, command->user_set);
    case PB__COMMAND__BODY_USER_REMOVE:
        return user_remove(a, command->user_remove);
    case PB__COMMAND__BODY_USER_IMPORT:
        return user_import(a, command->user_import);
    case PB__COMMAND__BODY_USER_LOAD:
        return user_load(a, command->user_load);
    default:
        return ERR_INVALID; /* state_apply() let none through */
    }
}

/* What nodes, the leader and operators say. */
static int run_cluster_body(struct apply *a, const Pb__Command *command)
{
    switch (command->body_case) {
    case PB__COMMAND__BODY_START:
        return node_start(a, command->start);
    case PB__COMMAND__BODY_NODE_DOWN:
        return node_down(a, command->node_down);
    case PB__COMMAND__BODY_NODE_SET:
        return node_set(a, command->node_set);
    case PB__COMMAND__BODY_NODE_VOTES:
        return node_votes(a, command->node_votes);
    case PB__COMMAND__BODY_NODE_MOVE:
        return node_move(a, command->node_move);
    case PB__COMMAND__BODY_NODE_STOP:
        return node_stop(a);
    case PB__COMMAND__BODY_NODE_HEALTH:
        return node_health(a, command->node_health);
    case PB__COMMAND__BODY_MOVE_REPORT:
        return move_report(a, command->move_report);
    case PB__COMMAND__BODY_MOVE_ABORT:
        return move_abort(a, command->move_abort);
    case PB__COMMAND__BODY_GROUP_SET:
        return group_set(a, command->group_set);
    case PB__COMMAND__BODY_GROUP_REMOVE:
        return group_remove(a, command->group_remove);
    case PB__COMMAND__BODY_GROUP_NODE:
        return group_node(a, command->group_node);
    case PB__COMMAND__BODY_ASSIGNMENT_SET:
        return assignment_set(a, command->assignment_set);
    case PB__COMMAND__BODY_REBALANCE:
        return rebalance(a, command->rebalance);
    case PB__COMMAND__BODY_HOME_SET:
        return home_set(a, command->home_set);
    case PB__COMMAND__BODY_ALARM_SET:
        return alarm_set(a, command->alarm_set);
    case PB__COMMAND__BODY_CLUSTER_SET:
        return cluster_set(a, command->cluster_set);
    case PB__COMMAND__BODY_EXPIRE:
        return expire(a, command->expire);
    case PB__COMMAND__BODY_ROTATE:
        return secrets_rotate(a, command->rotate);
    case PB__COMMAND__BODY_KILL:
        return session_kill(a, command->kill);
    case PB__COMMAND__BODY_EMPTY:
        return command->empty->reason;
    default:
        return run_account_body(a, command);
    }
}

/* What streams say; all else is about the cluster. */
static int run_body(struct apply *a, const Pb__Command *command)
{
    switch (command->body_case) {
    case PB__COMMAND__BODY_BIND:
        return session_bind(a, command->bind);
    case PB__COMMAND__BODY_ENABLE:
        return session_enable(a, command->enable);
    case PB__COMMAND__BODY_RESUME:
        return session_resume(a, command->resume);
    case PB__COMMAND__BODY_CONFIRM:
        return session_confirm(a, command->confirm);
    case PB__COMMAND__BODY_DETACH:
        return session_detach(a, command->detach);
    case PB__COMMAND__BODY_CLOSE:
        return session_close(a, command->close);
    case PB__COMMAND__BODY_NOTES:
        return notes(a, command->notes);
    case PB__COMMAND__BODY_MESSAGE:
        return message_send(a, command->message);
    case PB__COMMAND__BODY_PRESENCE:
        return presence_send(a, command->presence);
    case PB__COMMAND__BODY_IQ:
        return iq_send(a, command->iq);
    case PB__COMMAND__BODY_ROSTER_SET:
        return roster_set(a, command->roster_set);
    case PB__COMMAND__BODY_KEEP:
        return keep(a, command->keep);
    case PB__COMMAND__BODY_COPIES_SET:
        return copies_set(a, command->copies_set);
    case PB__COMMAND__BODY_ASK:
        return pending_ask(a, command->ask);
    case PB__COMMAND__BODY_ANSWER:
        return answer(a, command->answer);
    case PB__COMMAND__BODY_BOUNCE:
        return bounce(a, command->bounce);
    default:
        return run_cluster_body(a, command);
    }
}

static void push_outcome(struct apply *a, const Pb__Ref *ref, int rc)
{
    struct effect *effect;

    if (ref == NULL || ref->cookie == 0) {
        return;
    }
    effect = effects_push(a->out, EFFECT_OUTCOME);
    effect->origin = a->origin;
    effect->ref = command_ref(ref);
    effect->outcome = a->outcome;
    effect->outcome.rc = rc;
    effect->incarnation = a->outcome.incarnation;
}

/* A command that stands for one already applied is passed over; one from beyond a gap is asked for
 * again; what a dead process life still had on its way is void. */
static bool is_next(struct apply *a, const struct decoded *item)
{
    uint64_t last_seq;
    struct effect *effect;

    if (item->incarnation == 0) {
        return true; /* START or a leader's decision: each names its own precondition */
    }
    if (!state_is_up(a->state, a->arena, item->incarnation)) {
        return false;
    }
    last_seq = state_last_seq(a->state, item->incarnation);
    if (item->seq == last_seq + 1) {
        return true;
    }
    if (item->seq > last_seq && a->refused_origin != item->incarnation) {
        a->refused_origin = item->incarnation;
        effect = effects_push(a->out, EFFECT_REFUSED_SEQ);
        effect->incarnation = item->incarnation;
        effect->seq = last_seq + 1;
    }
    return false;
}

static void run(struct apply *a, const struct decoded *item)
{
    int rc;

    a->arena = &a->state->scratch;
    a->origin = item->incarnation;
    a->outcome = (struct outcome){.kind = OUTCOME_DONE, .address = "", .location = ""};
    a->replaced = 0;
    a->doomed = NULL;
    if (is_next(a, item)) {
        if (item->incarnation != 0) {
            node_take_seq(a, item->incarnation, item->seq);
        }
        rc = run_body(a, item->command);
        push_outcome(a, item->command->ref, rc);
        session_end_deferred(a);
    }
    arena_reset(&a->state->scratch);
}

/* Decode every command before the first one runs: an entry is applied whole or not at all. */
static int decode(struct entry_reader *reader, struct arena *arena, struct decoded **items_out,
                  size_t *count_out)
{
    struct decoded *items;
    struct entry_command raw;
    size_t count = 0;
    int rc;

    if (reader->count > ENTRY_BATCH_COUNT_MAX) {
        return ERR_MALFORMED;
    }
    items = arena_alloc(arena, (reader->count + 1) * sizeof(*items));
    while ((rc = entry_next(reader, &raw)) == 1) {
        Pb__Command *command = pb__command__unpack(&arena->pb, raw.bytes.len, raw.bytes.data);

        if (command == NULL) {
            return ERR_MALFORMED;
        }
        if (!command_is_known(command)) {
            return ERR_VERSION;
        }
        items[count++] =
            (struct decoded){.incarnation = raw.incarnation, .seq = raw.seq, .command = command};
    }
    *items_out = items;
    *count_out = count;
    return rc;
}

static void advance(struct apply *a)
{
    Pb__MetaRow *meta = &a->state->meta;

    if (a->stamp.time_ms > meta->time_ms) {
        meta->time_ms = a->stamp.time_ms; /* cluster time never falls */
    }
    a->now_ms = meta->time_ms;
}

int state_apply(struct state *state, uint64_t index, uint64_t term, struct slice entry,
                struct effects *out)
{
    struct apply a = {.state = state, .out = out, .index = index};
    struct entry_reader reader;
    struct decoded *items;
    size_t count;
    int rc;

    if (index <= state->applied_index) {
        return 0; /* in the store already: the log replays more than a crash cut off */
    }
    rc = entry_open(entry, &reader);
    if (rc != 0) {
        return rc;
    }
    rc = decode(&reader, out->arena, &items, &count);
    if (rc != 0) {
        return rc;
    }

    a.stamp = reader.stamp;
    advance(&a);
    for (size_t i = 0; i < count; i++) {
        run(&a, &items[i]);
    }
    row_put(state, TABLE_META, key_u32(META_KEY), &state->meta);
    state->applied_index = index;
    if (reader.kind == ENTRY_MARK) {
        kv_close_window(state->kv, index, term);
    }
    return 0;
}
