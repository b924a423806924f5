/* What a user had on another server: taken once, beside what is here. */
#include "tests/unit/storage_state/world.h"

#include "storage/state/command.h"
#include "storage/state/stanza.h"

#include <stdio.h>

#define FILLERS      8 /* fill the offline storage */
#define FILLER_BYTES (STATE_OFFLINE_BYTES_MAX / FILLERS)

static struct world world;
static const uint8_t filler[FILLER_BYTES];

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

static size_t count_rows(enum table table)
{
    return rows_all(world.state, &world.arena, table, (struct key){.len = 0}).count;
}

#define KEYS "account.keys.0.mechanism=SCRAM-SHA-1"

/* Goal: an account is made when it is not there and its keys are; one that is there keeps its own.
 * Method: each case, twice. */
static void test_account(void **state)
{
    uint64_t version;

    (void)state;
    world_refuse(&world, "1 user_load account.user=new@x", ERR_NOT_FOUND);
    world_refuse(&world, "1 user_load account.user=new@nowhere " KEYS, ERR_NOT_FOUND);
    world_refuse(&world, "1 user_load account.user=x " KEYS, ERR_INVALID);
    world_refuse(&world, "1 user_load", ERR_INVALID);
    (void)world_run(&world, "1 user_load account.user=new@x " KEYS);
    version = state_account(world.state, &world.arena, "new@x")->version;
    (void)world_run(&world, "1 user_load account.user=new@x " KEYS);
    assert_int_equal(state_account(world.state, &world.arena, "new@x")->version, version);
    (void)world_run(&world, "1 user_load account.user=new@x");
    assert_int_equal(state_account(world.state, &world.arena, "new@x")->n_keys, 1);
}

/* Goal: contacts and requests that are not here are taken; what is here stays; nobody is a contact
 * of its own.
 * Method: load, change here, load again. */
static void test_contacts(void **state)
{
    const Pb__RosterItem *item;

    (void)state;
    (void)world_run(&world,
                    "1 user_load account.user=alice@x items.0.contact=bob@x items.0.listed=1 "
                    "items.0.name=B items.0.subscription=BOTH items.0.groups.0=g "
                    "items.1.contact=alice@x items.1.listed=1 "
                    "items.2.contact=carol@x items.2.pending_in=1 "
                    "items.2.request.from=carol@x items.2.request.type=subscribe");
    item = state_roster_item(world.state, &world.arena, "alice@x", "bob@x");
    assert_non_null(item);
    assert_string_equal(item->name, "B");
    assert_int_equal(item->subscription, PB__ROSTER_ITEM__SUBSCRIPTION__BOTH);
    assert_string_equal(item->groups[0], "g");
    assert_null(state_roster_item(world.state, &world.arena, "alice@x", "alice@x"));
    item = state_roster_item(world.state, &world.arena, "alice@x", "carol@x");
    assert_true(item != NULL && item->pending_in && !item->listed);
    assert_int_equal(state_roster(world.state, &world.arena, "alice@x")->requests, 1);

    (void)world_run(&world,
                    "1 user_load account.user=alice@x items.0.contact=bob@x items.0.listed=1 "
                    "items.0.name=other items.1.contact=carol@x items.1.listed=1 "
                    "items.1.subscription=FROM items.2.contact=carol@x "
                    "items.2.pending_in=1 items.2.request.from=carol@x");
    item = state_roster_item(world.state, &world.arena, "alice@x", "bob@x");
    assert_string_equal(item->name, "B");
    item = state_roster_item(world.state, &world.arena, "alice@x", "carol@x");
    assert_true(item->listed && !item->pending_in);
    assert_int_equal(state_roster(world.state, &world.arena, "alice@x")->requests, 0);
    assert_int_equal(state_roster(world.state, &world.arena, "alice@x")->count, 2);
}

/* Goal: of a request, no more is kept than of one that is sent here.
 * Method: one whose content is at the limit, and one beyond it. */
static void test_large_request(void **state)
{
    (void)state;
    for (size_t len = STANZA_SMALL_BYTES_MAX; len <= STANZA_SMALL_BYTES_MAX + 1; len++) {
        const char *contact = len == STANZA_SMALL_BYTES_MAX ? "bob@x" : "carol@x";
        struct buf line = BUF_EMPTY;
        const Pb__RosterItem *item;

        buf_printf(&line,
                   "1 user_load account.user=alice@x items.0.contact=%s items.0.pending_in=1 "
                   "items.0.request.kind=PRESENCE items.0.request.type=subscribe "
                   "items.0.request.from=%s items.0.request.inner=%0*d",
                   contact, contact, (int)(len - strlen("subscribe")), 1);
        (void)world_run(&world, buf_text(&line));
        buf_deinit(&line);
        item = state_roster_item(world.state, &world.arena, "alice@x", contact);
        assert_true(item != NULL && item->pending_in);
        assert_string_equal(item->request->type, "subscribe");
        assert_string_equal(item->request->from, contact);
        assert_int_equal(item->request->inner.len > 0, len == STANZA_SMALL_BYTES_MAX);
    }
}

#define MESSAGE(n, time)                                                                           \
    " messages." n ".from=bob@x/r messages." n ".id=m" n " messages." n ".wall_ms=" time           \
    " messages." n ".type=chat"
#define LOAD "1 user_load account.user=alice@x"

/* Goal: a message comes once, though its part comes again, in another part, or with newer ones, and
 * though the user had it meanwhile.
 * Method: parts that overlap, with messages of one time; then the user takes them, and all comes
 * again. */
static void test_messages(void **state)
{
    (void)state;
    (void)world_run(&world, LOAD MESSAGE("0", "100") MESSAGE("1", "200"));
    assert_int_equal(count_rows(TABLE_OFFLINE), 2);
    (void)world_run(&world, LOAD MESSAGE("0", "100") MESSAGE("1", "200") MESSAGE("2", "200"));
    assert_int_equal(count_rows(TABLE_OFFLINE), 3);
    (void)world_run(&world, LOAD MESSAGE("0", "200") MESSAGE("1", "200") MESSAGE("2", "300"));
    assert_int_equal(count_rows(TABLE_OFFLINE), 5); /* m0 of 200 is another one */
    (void)world_login(&world, "alice", "a");
    assert_int_equal(count_rows(TABLE_OFFLINE), 0);
    (void)world_run(&world, LOAD MESSAGE("0", "100") MESSAGE("1", "200") MESSAGE("2", "300"));
    (void)world_run(&world, "1 user_set user=alice@x"); /* a new password forgets nothing of that */
    (void)world_run(&world, LOAD MESSAGE("0", "100") MESSAGE("1", "200") MESSAGE("2", "300"));
    assert_int_equal(count_rows(TABLE_OFFLINE), 0);
}

/* Load of alice what load has; returns the outcome. */
static struct outcome run_load(Pb__UserLoad *load)
{
    const struct effect_ref ref = {.worker = REF_WORKER_ADMIN, .cookie = 1};
    const struct entry_stamp stamp = {.time_ms = world.now_ms};
    Pb__Command command = PB__COMMAND__INIT;
    Pb__UserSet account = PB__USER_SET__INIT;
    struct buf bytes = BUF_EMPTY;
    struct buf entry = BUF_EMPTY;
    struct entry_writer writer;

    account.user = (char *)(uintptr_t) "alice@x";
    load->account = &account;
    command.body_case = PB__COMMAND__BODY_USER_LOAD;
    command.user_load = load;
    command_append(&command, &ref, &bytes);
    entry_begin(&writer, &entry, ENTRY_BATCH, &stamp);
    entry_add(&writer, &(struct entry_command){.bytes = buf_slice(&bytes)});
    entry_finish(&writer);
    assert_int_equal(world_apply(&world, buf_slice(&entry)), 0);
    buf_deinit(&bytes);
    buf_deinit(&entry);
    assert_int_equal(world.effects.items[0].kind, EFFECT_OUTCOME);
    return world.effects.items[0].outcome;
}

/* Load count messages of these sizes, with times from first_ms on. */
static struct outcome load_sized(const size_t *sizes, unsigned count, unsigned first_ms)
{
    Pb__Stanza stanzas[STATE_LOAD_MAX + 1];
    Pb__Stanza *list[STATE_LOAD_MAX + 1];
    Pb__UserLoad load = PB__USER_LOAD__INIT;

    for (unsigned i = 0; i < count; i++) {
        list[i] = &stanzas[i];
        pb__stanza__init(list[i]);
        list[i]->from = (char *)(uintptr_t) "bob@x/r";
        list[i]->wall_ms = first_ms + i;
        list[i]->inner.data = (uint8_t *)(uintptr_t)filler;
        list[i]->inner.len = sizes[i];
    }
    load.messages = list;
    load.n_messages = count;
    return run_load(&load);
}

static struct outcome load_many(unsigned count, unsigned first_ms)
{
    static const size_t none[STATE_LOAD_MAX + 1];

    return load_sized(none, count, first_ms);
}

/* Load count elements of so many bytes, named from first on. */
static struct outcome load_kept(unsigned first, unsigned count, size_t bytes)
{
    Pb__Kept kept[STATE_LOAD_MAX + 1];
    Pb__Kept *list[STATE_LOAD_MAX + 1];
    Pb__UserLoad load = PB__USER_LOAD__INIT;
    char names[STATE_LOAD_MAX + 1][8];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "e%u", first + i);
        list[i] = &kept[i];
        pb__kept__init(list[i]);
        list[i]->ns = (char *)(uintptr_t) "n";
        list[i]->name = names[i];
        list[i]->element.data = (uint8_t *)(uintptr_t)filler;
        list[i]->element.len = bytes;
    }
    load.kept = list;
    load.n_kept = count;
    return run_load(&load);
}

static size_t kept_bytes(const char *name)
{
    Pb__Kept which = PB__KEPT__INIT;
    const Pb__KeptRow *row;

    which.ns = (char *)(uintptr_t) "n";
    which.name = (char *)(uintptr_t)name;
    row = state_kept(world.state, &world.arena, "alice@x", &which);
    return row == NULL ? 0 : row->kept->element.len;
}

/* Goal: what a user keeps there is kept here, unless it keeps another one already; what does not
 * fit is left out and counted.
 * Method: an element that is here beside a new one; one that is too large; as many as a command may
 * have, and one more; more of them than a user may keep. */
static void test_kept(void **state)
{
    (void)state;
    assert_int_equal(load_kept(0, 1, 5).count, 0);
    assert_int_equal(load_kept(0, 2, 7).count, 0);
    assert_int_equal(kept_bytes("e0"), 5);
    assert_int_equal(kept_bytes("e1"), 7);
    assert_int_equal(load_kept(2, 1, STATE_KEPT_ELEMENT_BYTES_MAX + 1).count, 1);
    assert_int_equal(kept_bytes("e2"), 0);
    assert_int_equal(load_kept(2, STATE_LOAD_MAX + 1, 1).rc, ERR_LIMIT);
    for (unsigned first = 2; first < STATE_KEPT_MAX; first += STATE_LOAD_MAX) {
        assert_int_equal(
            load_kept(first, STATE_LOAD_MAX, 1).count,
            first + STATE_LOAD_MAX > STATE_KEPT_MAX ? first + STATE_LOAD_MAX - STATE_KEPT_MAX : 0);
    }
    assert_int_equal(count_rows(TABLE_KEPT), STATE_KEPT_MAX);
}

/* Goal: a message that is older than one that was loaded is counted.
 * Method: one of another server, a little older, beside a newer one. */
static void test_older(void **state)
{
    struct outcome outcome;

    (void)state;
    assert_int_equal(load_many(1, 200).known, 0);
    outcome = load_many(3, 199);
    assert_int_equal(outcome.rc, 0);
    assert_int_equal(outcome.known, 2);
    assert_int_equal(outcome.count, 0);
    assert_int_equal(count_rows(TABLE_OFFLINE), 2);
}

/* Goal: what finds no room comes later, whatever is behind it.
 * Method: fill all but a little; a large message and a small one behind it; the same again once
 * the user has taken what waits. */
static void test_no_room(void **state)
{
    const size_t rest[] = {20000, 10};
    struct outcome outcome;

    (void)state;
    for (unsigned i = 0; i < FILLERS; i++) {
        const size_t size = FILLER_BYTES - (i == FILLERS - 1 ? 10000 : 0);

        assert_int_equal(load_sized(&size, 1, 1 + i).count, 0);
    }
    outcome = load_sized(rest, ARRAY_COUNT(rest), 100);
    assert_int_equal(outcome.rc, 0);
    assert_int_equal(outcome.count, 2);
    assert_true(outcome.full);
    assert_int_equal(count_rows(TABLE_OFFLINE), FILLERS);
    (void)world_login(&world, "alice", "a");
    assert_int_equal(count_rows(TABLE_OFFLINE), 0);
    outcome = load_sized(rest, ARRAY_COUNT(rest), 100);
    assert_int_equal(outcome.count, 0);
    assert_false(outcome.full);
    assert_int_equal(count_rows(TABLE_OFFLINE), ARRAY_COUNT(rest));
}

/* Goal: what has no room is left out and counted, and no command is larger than its limit.
 * Method: fill the offline storage; a command with too much. */
static void test_limits(void **state)
{
    const unsigned rounds = STATE_OFFLINE_MAX / STATE_LOAD_MAX;
    struct outcome outcome;

    (void)state;
    assert_int_equal(load_many(STATE_LOAD_MAX + 1, 1).rc, ERR_LIMIT);
    assert_int_equal(count_rows(TABLE_OFFLINE), 0);
    for (unsigned round = 0; round < rounds; round++) {
        outcome = load_many(STATE_LOAD_MAX, 1 + round * STATE_LOAD_MAX);
        assert_int_equal(outcome.rc, 0);
        assert_int_equal(outcome.count, 0);
    }
    outcome = load_many(2, 100000);
    assert_int_equal(outcome.count, 2);
    assert_true(outcome.full);
    assert_int_equal(count_rows(TABLE_OFFLINE), STATE_OFFLINE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_account, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contacts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
