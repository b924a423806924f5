/* What a node may have put into the log. */
#include "storage/state/vet.h"
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/command_text.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

#define NODE_ID 2

static struct world world;

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

static int vet(const char *line, uint64_t incarnation, struct buf *substitute)
{
    struct buf command = BUF_EMPTY;
    int rc;

    command_from_text(world.state, line, 7, &command);
    rc = vet_command(NODE_ID, incarnation, buf_slice(&command), substitute);
    buf_deinit(&command);
    return rc;
}

/* What stands for a refused command is Empty with the reason, under cookie (0: none is known). */
static void assert_empty(struct buf *substitute, int reason, uint64_t cookie)
{
    const Pb__Command *command =
        pb__command__unpack(&world.arena.pb, buf_len(substitute), buf_slice(substitute).data);

    assert_non_null(command);
    assert_int_equal(command->body_case, PB__COMMAND__BODY_EMPTY);
    assert_int_equal(command->empty->reason, reason);
    assert_int_equal(command->ref == NULL ? 0 : command->ref->cookie, cookie);
    buf_deinit(substitute);
}

/* Goal: without an incarnation a node starts itself, and no more: nothing has a seq, so nothing
 * stands for it. Method: its START, another's, a leader's decision, a user's command, noise. */
static void test_without_incarnation(void **state)
{
    static const char *const lines[] = {"start node=3 nonce=n", "node_down incarnation=1",
                                        "expire items.0.session=1", "domain_set name=z",
                                        "empty reason=-12"};
    struct buf substitute = BUF_EMPTY;

    (void)state;
    assert_int_equal(vet("start node=2 nonce=n", 0, &substitute), 0);
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        assert_int_equal(vet(lines[i], 0, &substitute), ERR_NOT_ALLOWED);
    }
    assert_int_equal(vet_command(NODE_ID, 0, slice_str("\xff"), &substitute), ERR_MALFORMED);
    assert_int_equal(buf_len(&substitute), 0);
}

/* Goal: under an incarnation a node has everything but what a leader decides, and what is refused
 * keeps its seq. Method: one of each kind. */
static void test_with_incarnation(void **state)
{
    static const char *const lines[] = {"start node=2 nonce=n",
                                        "node_down incarnation=1",
                                        "expire items.0.session=1",
                                        "rotate version=1",
                                        "bounce from.session=1",
                                        "node_move node=1 away=1 reason=PEER_DOWN",
                                        "node_votes node=2 raft_id=8589934593",
                                        "alarm_set name=a active=1"};
    struct buf substitute = BUF_EMPTY;

    (void)state;
    assert_int_equal(vet("domain_set name=z", 5, &substitute), 0);
    assert_int_equal(vet("cluster_set monitor=MONITOR_DISABLED", 5, &substitute), 0);
    assert_int_equal(vet("cluster_set log_version=1", 5, &substitute), 0);
    assert_int_equal(vet("empty reason=-12", 5, &substitute), 0); /* it took one back */
    assert_int_equal(buf_len(&substitute), 0);
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        assert_int_equal(vet(lines[i], 5, &substitute), ERR_NOT_ALLOWED);
        assert_empty(&substitute, ERR_NOT_ALLOWED, 7);
    }
}

/* Goal: a domain gets into the state only as accounts and clients name it.
 * Method: other spellings of one, what is none, and a literal. */
static void test_domain(void **state)
{
    static const char *const lines[] = {"domain_set name=Example.ORG", "domain_set name=a.example.",
                                        "domain_set name=xn--bcher-kva.example",
                                        "domain_set name=a@b"};
    struct buf substitute = BUF_EMPTY;

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        assert_int_equal(vet(lines[i], 5, &substitute), ERR_MALFORMED);
        assert_empty(&substitute, ERR_MALFORMED, 7);
    }
    assert_int_equal(vet("domain_set name=127.0.0.1", 5, &substitute), 0);
}

/* Goal: what this program can not read, of a newer one or of none, does not get into the log; its
 * origin hears of it when it can be named; nor does what would let others write that. Method:
 * noise, an unknown body without and with a Ref, a version that is too high. */
static void test_unreadable(void **state)
{
    static const uint8_t unknown[] = {0xf2, 0x3f, 0x00};    /* field 1022, empty */
    static const uint8_t named[] = {0x0a, 0x02, 0x20, 0x07, /* ref { cookie: 7 } */
                                    0xf2, 0x3f, 0x00};
    struct buf substitute = BUF_EMPTY;
    char raise[64];

    (void)state;
    assert_int_equal(vet_command(NODE_ID, 5, slice_str("\xff"), &substitute), ERR_MALFORMED);
    assert_empty(&substitute, ERR_MALFORMED, 0);
    assert_int_equal(vet_command(NODE_ID, 5, slice_make(unknown, sizeof(unknown)), &substitute),
                     ERR_VERSION);
    assert_empty(&substitute, ERR_VERSION, 0);
    assert_int_equal(vet_command(NODE_ID, 5, slice_make(named, sizeof(named)), &substitute),
                     ERR_VERSION);
    assert_empty(&substitute, ERR_VERSION, 7);
    (void)snprintf(raise, sizeof(raise), "cluster_set log_version=%d", STATE_LOG_VERSION + 1);
    assert_int_equal(vet(raise, 5, &substitute), ERR_VERSION);
    assert_empty(&substitute, ERR_VERSION, 7);
}

/* Goal: what can be read but is not as we write it stays out: what is made of it for lack of room
 * might be readable by nobody. Method: a command with its Ref behind the body, and with the Ref
 * twice. */
static void test_other_form(void **state)
{
    static const uint8_t behind[] = {0xca, 0x01, 0x00,        /* empty {} */
                                     0x0a, 0x02, 0x20, 0x07}; /* ref { cookie: 7 } */
    static const uint8_t twice[] = {
        0x0a, 0x02, 0x20, 0x07, 0x0a, 0x02, 0x20,
        0x07, 0x2a, 0x03, 0x0a, 0x01, 'z'}; /* domain_set { name: "z" } */
    struct buf substitute = BUF_EMPTY;

    (void)state;
    assert_int_equal(vet_command(NODE_ID, 5, slice_make(behind, sizeof(behind)), &substitute),
                     ERR_MALFORMED);
    assert_empty(&substitute, ERR_MALFORMED, 7);
    assert_int_equal(vet_command(NODE_ID, 5, slice_make(twice, sizeof(twice)), &substitute),
                     ERR_MALFORMED);
    assert_empty(&substitute, ERR_MALFORMED, 7);
    assert_int_equal(vet_command(NODE_ID, 5, slice_make(twice + 4, sizeof(twice) - 4), &substitute),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_incarnation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_with_incarnation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_domain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_form, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
