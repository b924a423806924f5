#include "storage/state/anew.h"

#include "storage/state/command.h"
#include "storage/state/rows.h"

#define SECRETS_KEY 1
#define DAYS_MAX    8 /* by then a sound state has forgotten all */
/* Sessions are detached when their nodes go down, and none waits longer than this. */
#define SESSIONS_OVER_MS (STATE_WINDOW_S_MAX * 1000u + STATE_RESUME_EXTEND_MS)
/* What their ends leave is forgotten after this. */
#define MEMORY_OVER_MS (STATE_TOMBSTONE_MS + STATE_PRESENCE_TOMBSTONE_MS)

void anew_init(struct anew *anew, struct state *state, const struct anew_secrets *secrets,
               uint64_t wall_ms)
{
    *anew = (struct anew){.state = state, .secrets = *secrets, .wall_ms = wall_ms};
    arena_init(&anew->arena);
}

void anew_deinit(struct anew *anew)
{
    arena_deinit(&anew->arena);
}

/* ---- commands, as a leader would put them into the log */

struct batch {
    struct entry_writer writer;
    struct buf bytes;
};

static void batch_begin(struct batch *batch, const struct anew *anew, uint64_t time_ms)
{
    struct entry_stamp stamp = {.time_ms = time_ms, .wall_ms = anew->wall_ms};

    memcpy(stamp.seed, anew->secrets.seed, sizeof(stamp.seed));
    batch->bytes = BUF_EMPTY;
    entry_begin(&batch->writer, &batch->bytes, ENTRY_BATCH, &stamp);
}

static void batch_add(struct batch *batch, Pb__Command *command)
{
    struct buf bytes = BUF_EMPTY;

    command_append(command, NULL, &bytes);
    entry_add(&batch->writer, &(struct entry_command){.bytes = buf_slice(&bytes)});
    buf_deinit(&bytes);
}

static int batch_apply(struct batch *batch, struct anew *anew, uint64_t index, uint64_t term)
{
    int rc;

    entry_finish(&batch->writer);
    effects_init(&anew->effects, &anew->arena);
    rc = state_apply(anew->state, index, term, buf_slice(&batch->bytes), &anew->effects);
    effects_clear(&anew->effects);
    buf_deinit(&batch->bytes);
    return rc;
}

/* ---- steps */

struct lives {
    struct anew *anew;
    struct batch *batch;
};

static bool add_down(void *ctx, const Pb__NodeRow *node)
{
    struct lives *lives = ctx;
    Pb__Command command = PB__COMMAND__INIT;
    Pb__NodeDown down = PB__NODE_DOWN__INIT;

    if (state_is_up(lives->anew->state, &lives->anew->arena, node->incarnation)) {
        down.incarnation = node->incarnation;
        command.body_case = PB__COMMAND__BODY_NODE_DOWN;
        command.node_down = &down;
        batch_add(lives->batch, &command);
    }
    return true;
}

static int end_lives(struct anew *anew, uint64_t index, uint64_t term)
{
    uint64_t now_ms = state_time_ms(anew->state);
    struct batch batch;

    batch_begin(&batch, anew, now_ms);
    state_each_node(anew->state, &anew->arena, add_down,
                    &(struct lives){.anew = anew, .batch = &batch});
    anew->until_ms = now_ms + SESSIONS_OVER_MS;
    return batch_apply(&batch, anew, index, term);
}

/* 1: something was due and is over. */
static int end_due(struct anew *anew, uint64_t index, uint64_t term)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Expire expire = PB__EXPIRE__INIT;
    struct batch batch;
    int rc;

    if (state_due(anew->state, &anew->arena, anew->until_ms, STATE_EXPIRE_MAX, &expire) == 0) {
        return 0;
    }
    for (size_t i = 0; i < expire.n_items; i++) {
        anew->session_count += expire.items[i]->kind == PB__DEADLINE_KIND__SESSION;
    }
    command.body_case = PB__COMMAND__BODY_EXPIRE;
    command.expire = &expire;
    batch_begin(&batch, anew, anew->until_ms);
    batch_add(&batch, &command);
    rc = batch_apply(&batch, anew, index, term);
    return rc == 0 ? 1 : rc;
}

/* Alarms are about the nodes of then, and a membership counts from its beginning again. */
static void forget_nodes(struct anew *anew)
{
    struct row_list rows = rows_all(anew->state, &anew->arena, TABLE_ALARM, (struct key){.len = 0});

    for (size_t i = 0; i < rows.count; i++) {
        kv_delete(anew->state->kv, TABLE_ALARM, rows.items[i].key);
    }
    rows = rows_all(anew->state, &anew->arena, TABLE_NODE, (struct key){.len = 0});
    for (size_t i = 0; i < rows.count; i++) {
        Pb__NodeRow *node = rows.items[i].row;

        node->voter_raft_id = 0;
        node->moving_by = 0;
        row_put(anew->state, TABLE_NODE, key_u32(node->node), node);
    }
}

static ProtobufCBinaryData part(uint8_t *key, size_t begin, size_t len)
{
    return (ProtobufCBinaryData){.len = len, .data = key + begin};
}

/* Whoever has the backup has the keys of then. The decoy secret stays: salts that change would tell
 * which accounts there are not. */
static void replace_keys(struct anew *anew)
{
    Pb__SecretsRow *row = state_secrets(anew->state, &anew->arena);
    Pb__TicketKey keys[2] = {PB__TICKET_KEY__INIT, PB__TICKET_KEY__INIT};
    Pb__TicketKey *list[2] = {&keys[0], &keys[1]};

    if (row == NULL) {
        return; /* the first leader draws them */
    }
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        uint8_t *bytes = anew->secrets.ticket_keys[i];

        keys[i].name = part(bytes, 0, STATE_TICKET_KEY_NAME_BYTES);
        keys[i].aes_key = part(bytes, STATE_TICKET_KEY_NAME_BYTES, STATE_TICKET_KEY_BYTES);
        keys[i].mac_key = part(bytes, STATE_TICKET_KEY_NAME_BYTES + STATE_TICKET_KEY_BYTES,
                               STATE_TICKET_KEY_BYTES);
    }
    row->version++;
    row->made_ms = state_time_ms(anew->state);
    row->ticket_keys = list;
    row->n_ticket_keys = ARRAY_COUNT(list);
    row_put(anew->state, TABLE_SECRETS, key_u32(SECRETS_KEY), row);
}

int anew_step(struct anew *anew, uint64_t index, uint64_t term)
{
    int rc;

    arena_reset(&anew->arena);
    if (anew->until_ms == 0) {
        rc = end_lives(anew, index, term);
        return rc == 0 ? 1 : rc;
    }
    rc = end_due(anew, index, term);
    if (rc == 0 && state_has_deadlines(anew->state)) {
        anew->until_ms += MEMORY_OVER_MS;
        return ++anew->day_count <= DAYS_MAX ? 1 : ERR_CORRUPT;
    }
    if (rc == 0) {
        forget_nodes(anew);
        replace_keys(anew);
    }
    return rc;
}
