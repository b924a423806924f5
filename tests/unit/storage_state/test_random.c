/* Goal: no command, whatever it refers to, breaks the state; replicas stay equal.
 * Method: random batches from a seed go to two replicas, of which one closes windows and starts
 * over from its store now and then. Effects and hashes must be equal; the invariants of check.h
 * hold after each batch. A seed in MUSTER_SEED repeats one run. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/random_command.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCHES   2000
#define BATCH_MAX 20
#define RUNS      5
#define NODES     2

struct run {
    struct world first;
    struct world second;
    uint64_t seed;
    struct arena arena;
    uint64_t incarnation; /* sender of the next commands */
};

/* A node that has an incarnation that is up; its seq so far comes from the state. */
static uint64_t some_incarnation(struct run *run)
{
    uint32_t node = 1 + random_below(&run->seed, NODES);
    const Pb__NodeRow *row = state_node(run->first.state, &run->arena, node);

    return row == NULL ? 0 : row->incarnation;
}

static void add_command(struct run *run, struct entry_writer *writer, const Pb__Command *command,
                        uint64_t incarnation, uint64_t seq)
{
    struct buf bytes = BUF_EMPTY;
    size_t size = pb__command__get_packed_size(command);

    pb__command__pack(command, buf_reserve(&bytes, size + 1));
    buf_commit(&bytes, size);
    entry_add(writer, &(struct entry_command){
                          .incarnation = incarnation, .seq = seq, .bytes = buf_slice(&bytes)});
    buf_deinit(&bytes);
    (void)run;
}

static void add_start(struct run *run, struct entry_writer *writer)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Start start = PB__START__INIT;
    uint64_t nonce = random_next(&run->seed);

    start.node = 1 + random_below(&run->seed, NODES);
    start.nonce = (ProtobufCBinaryData){.data = (uint8_t *)&nonce, .len = sizeof(nonce)};
    command.body_case = PB__COMMAND__BODY_START;
    command.start = &start;
    add_command(run, writer, &command, 0, 0);
}

static void add_expiry(struct run *run, struct entry_writer *writer)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Expire due;

    if (state_due(run->first.state, &run->arena, run->first.now_ms, 20, &due) > 0) {
        command.body_case = PB__COMMAND__BODY_EXPIRE;
        command.expire = &due;
        add_command(run, writer, &command, 0, 0);
    }
}

static void add_random(struct run *run, struct entry_writer *writer)
{
    uint64_t incarnation = some_incarnation(run);
    uint64_t seq = state_last_seq(run->first.state, incarnation) + 1;

    for (unsigned i = random_below(&run->seed, BATCH_MAX); i > 0; i--) {
        add_command(run, writer,
                    random_command(&run->seed, run->first.state, incarnation, &run->arena),
                    incarnation, seq);
        seq += random_below(&run->seed, 50) == 0 ? random_below(&run->seed, 3) : 1;
    }
}

static void write_batch(struct run *run, struct buf *out)
{
    struct entry_stamp stamp = {.time_ms = run->first.now_ms, .wall_ms = run->first.now_ms};
    struct entry_writer writer;

    for (size_t i = 0; i < sizeof(stamp.seed); i++) {
        stamp.seed[i] = (uint8_t)random_next(&run->seed);
    }
    entry_begin(&writer, out, ENTRY_BATCH, &stamp);
    if (random_below(&run->seed, 300) == 0 || run->first.index < 3) {
        add_start(run, &writer);
    }
    add_expiry(run, &writer);
    add_random(run, &writer);
    entry_finish(&writer);
}

static const char *const users[] = {"alice@x", "bob@x", "carol@x", "dave@x"};

static void step(struct run *run)
{
    struct buf entry = BUF_EMPTY;

    run->first.now_ms += random_below(&run->seed, 1000);
    if (random_below(&run->seed, 200) == 0) {
        run->first.now_ms += random_below(&run->seed, STATE_TOMBSTONE_MS);
    }
    write_batch(run, &entry);
    assert_int_equal(world_apply(&run->first, buf_slice(&entry)), 0);
    assert_int_equal(world_apply(&run->second, buf_slice(&entry)), 0);
    assert_string_equal(buf_text(&run->first.text), buf_text(&run->second.text));
    buf_deinit(&entry);
    if (random_below(&run->seed, 10) == 0) {
        world_mark(&run->second);
        run->second.now_ms = run->first.now_ms;
        run->first.index++; /* a mark changes nothing but the window */
        state_free(&run->second.state);
        run->second.state = state_new(run->second.kv);
    }
    check_invariants(run->first.state);
    check_subscriptions(run->first.state, users, ARRAY_COUNT(users));
    arena_reset(&run->arena);
}

static void run_seed(uint64_t seed)
{
    struct run run = {.seed = seed};

    world_open(&run.first);
    world_open(&run.second);
    world_settle(&run.first);
    world_settle(&run.second);
    arena_init(&run.arena);
    for (unsigned i = 0; i < BATCHES; i++) {
        step(&run);
    }
    assert_true(check_hash(run.first.state) == check_hash(run.second.state));
    arena_deinit(&run.arena);
    world_close(&run.first);
    world_close(&run.second);
}

static void test_random_commands(void **state)
{
    const char *given = getenv("MUSTER_SEED");
    (void)state;

    for (uint64_t seed = 1; seed <= (given == NULL ? RUNS : 1); seed++) {
        uint64_t chosen = given == NULL ? seed : strtoull(given, NULL, 10);

        print_message("seed %llu\n", (unsigned long long)chosen);
        run_seed(chosen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_commands)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
