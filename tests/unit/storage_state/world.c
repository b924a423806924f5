#include "tests/unit/storage_state/world.h"

#include "tests/unit/storage_state/command_text.h"
#include "tests/unit/storage_state/effect_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAP_BYTES ((uint64_t)64 << 20)
#define START_MS  1000

static void on_durable(void *ctx, uint64_t mark_index, uint64_t hash, int status)
{
    (void)ctx; /* any thread: no cmocka here */
    (void)mark_index;
    (void)hash;
    ASSERT(status == 0);
}

void world_open(struct world *world)
{
    struct kv_config config = {.map_bytes = MAP_BYTES, .on_durable = on_durable};

    *world = (struct world){.now_ms = START_MS};
    scratch_folder(world->dir, "state");
    config.dir = world->dir;
    state_describe(&config);
    assert_int_equal(kv_open(&config, &world->kv), 0);
    world->state = state_new(world->kv);
    arena_init(&world->arena);
}

void world_close(struct world *world)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    char path[128];

    state_free(&world->state);
    kv_close(&world->kv);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", world->dir, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(world->dir), 0);
    arena_deinit(&world->arena);
    buf_deinit(&world->text);
    buf_deinit(&world->entry);
}

/* A line: incarnation, blank, command. "3/7 ..." forces seq 7; "0 ..." has none. */
static void add_line(struct world *world, struct entry_writer *writer, const char *line)
{
    struct entry_command command = {.incarnation = 0};
    struct buf bytes = BUF_EMPTY;
    char *rest;

    command.incarnation = strtoull(line, &rest, 10);
    if (*rest == '/') {
        command.seq = strtoull(rest + 1, &rest, 10);
    } else if (command.incarnation != 0) {
        assert_true(command.incarnation < WORLD_INCARNATIONS_MAX);
        command.seq = ++world->seq[command.incarnation];
    }
    command_from_text(world->state, rest + 1, 1, &bytes);
    command.bytes = buf_slice(&bytes);
    entry_add(writer, &command);
    buf_deinit(&bytes);
}

static struct entry_stamp stamp_of(const struct world *world)
{
    struct entry_stamp stamp = {.time_ms = world->now_ms, .wall_ms = world->now_ms};

    memset(stamp.seed, (int)(world->index & 0xff), sizeof(stamp.seed));
    return stamp;
}

void world_grant(struct world *world, const char *line)
{
    world_expect(world, line, "outcome done\n");
}

void world_refuse(struct world *world, const char *line, int reason)
{
    char expected[64];

    (void)snprintf(expected, sizeof(expected), "outcome done: %s\n", err_text(reason));
    world_expect(world, line, expected);
}

int world_apply(struct world *world, struct slice entry)
{
    int rc;

    arena_reset(&world->arena);
    effects_init(&world->effects, &world->arena);
    buf_clear(&world->text);
    rc = state_apply(world->state, ++world->index, 1, entry, &world->effects);
    for (size_t i = 0; i < world->effects.count; i++) {
        effect_to_text(world->state, &world->effects.items[i], &world->text);
    }
    return rc;
}

int world_try(struct world *world, const char *lines)
{
    struct entry_stamp stamp = stamp_of(world);
    struct entry_writer writer;
    char *copy = arena_strndup(&world->arena, slice_str(lines));
    char *save = NULL;

    buf_clear(&world->entry);
    entry_begin(&writer, &world->entry, ENTRY_BATCH, &stamp);
    for (char *line = strtok_r(copy, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        add_line(world, &writer, line);
    }
    entry_finish(&writer);
    return world_apply(world, buf_slice(&world->entry));
}

const char *world_run(struct world *world, const char *lines)
{
    assert_int_equal(world_try(world, lines), 0);
    return buf_text(&world->text);
}

const char *world_runf(struct world *world, const char *format, ...)
{
    char line[2048];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    assert_in_range(len, 1, sizeof(line) - 1);
    return world_run(world, line);
}

void world_mark(struct world *world)
{
    struct entry_stamp stamp = stamp_of(world);
    struct entry_writer writer;

    buf_clear(&world->entry);
    entry_begin(&writer, &world->entry, ENTRY_MARK, &stamp);
    entry_finish(&writer);
    assert_int_equal(world_apply(world, buf_slice(&world->entry)), 0);
}

/* ---- the usual beginning */

void world_settle(struct world *world)
{
    world_run(world, "0 start node=1 nonce=n1");
    world_run(world, "1 node_set node=1 name=one client_address=one.x:5222");
    world_run(world, "1 domain_set name=x");
    world_run(world, "1 user_set user=alice@x create=1");
    world_run(world, "1 user_set user=bob@x create=1");
    world_run(world, "1 user_set user=carol@x create=1");
}

uint64_t world_bind(struct world *world, const char *user, const char *resource)
{
    uint64_t session = world->state->meta.next_session;

    world_runf(world, "1 bind owner=1:0:%llu:1 user=%s@x resource=%s credential_version=$",
               (unsigned long long)session, user, resource);
    assert_non_null(strstr(buf_text(&world->text), "outcome bound session="));
    return session;
}

uint64_t world_login(struct world *world, const char *user, const char *resource)
{
    uint64_t session = world_bind(world, user, resource);

    world_runf(world, "1 presence from=%llu:1 stanza.kind=PRESENCE", (unsigned long long)session);
    return session;
}

Pb__SessionRow *world_session(struct world *world, uint64_t session)
{
    return state_session(world->state, &world->arena, session);
}

const char *world_resume_id(struct world *world, uint64_t session)
{
    const Pb__SessionRow *row = world_session(world, session);

    assert_non_null(row);
    return arena_strndup(&world->arena, slice_make(row->resume_id.data, row->resume_id.len));
}

struct row_list world_roster(struct world *world, const char *user)
{
    return rows_all(world->state, &world->arena, TABLE_ROSTER_ITEM, key_user(user));
}

static bool visit_line(void *ctx, uint64_t position, const Pb__PendingRow *row)
{
    pending_to_text(position, row, ctx);
    buf_append_str(ctx, "\n");
    return true;
}

const char *world_pending(struct world *world, uint64_t session)
{
    buf_clear(&world->text);
    state_each_pending(world->state, &world->arena, session, 0, visit_line, &world->text);
    return buf_text(&world->text);
}
