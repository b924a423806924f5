/* What passes into the log without room, and what stands for the rest. */
#include "storage/state/room.h"
#include "storage/state/stanza.h"
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/command_text.h"
#include "tests/unit/storage_state/world.h"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    world_bind(&world, "alice", "a"); /* session 1 */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_invariants(world.state);
    world_close(&world);
    return 0;
}

/* What the leader makes of a command without room; NULL: passes as it is. In the world's arena. */
static Pb__Command *refused(const char *line)
{
    struct buf command = BUF_EMPTY;
    struct buf refusal = BUF_EMPTY;
    Pb__Command *result = NULL;

    command_from_text(world.state, line, 7, &command);
    if (room_refuse(buf_slice(&command), ERR_NO_SPACE, &refusal)) {
        result = pb__command__unpack(&world.arena.pb, buf_len(&refusal), buf_slice(&refusal).data);
        assert_non_null(result);
        assert_int_equal(result->ref->cookie, 7);
    } else {
        assert_int_equal(buf_len(&refusal), 0);
    }
    buf_deinit(&command);
    buf_deinit(&refusal);
    return result;
}

/* Goal: what takes from the state, lets clients come for what waits for them, or answers, passes.
 * Method: such commands of each kind. */
static void test_what_makes_room_passes(void **state)
{
    static const char *const lines[] = {
        "start node=2 nonce=n",
        "node_down incarnation=1",
        "expire items.0.session=1",
        "domain_remove name=y",
        "user_set user=alice@x",
        "user_remove user=alice@x",
        "bind user=alice@x resource=a owner=1:0:1:1",
        "enable from=1:1 resume=1 window_s=60",
        "resume user=alice@x resume_id=r owner=1:0:1:1",
        "confirm session=1 epoch=2 h=1",
        "detach session=1 epoch=1",
        "close from=1:1",
        "kill user=alice@x",
        "notes acks.0.session=1",
        "message from=1:1 stanza.type=error stanza.to=bob@x",
        "iq from=1:1 stanza.kind=IQ stanza.type=result stanza.to=bob@x/b",
        "presence from=1:1 stanza.kind=PRESENCE",
        "presence from=1:1 stanza.kind=PRESENCE stanza.type=unavailable stanza.to=bob@x",
        "presence from=1:1 stanza.kind=PRESENCE stanza.type=unsubscribe stanza.to=bob@x",
        "roster_set from=1:1 contact=bob@x remove=1",
        "copies_set from=1:1 iq_id=i iq_lang=de enable=1",
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        if (refused(lines[i]) != NULL) {
            fail_msg("refused: %s", lines[i]);
        }
    }
}

/* Goal: content does not pass; a stanza keeps its place in its stream and what its error needs, and
 * nothing else; a command of an operator becomes the reason. Method: each kind. */
static void test_content_is_replaced(void **state)
{
    static const char *const stanzas[] = {
        "message from=1:1:5:1 stanza.type=chat stanza.id=i stanza.to=bob@x stanza.inner=content",
        "iq from=1:1:5:1 stanza.kind=IQ stanza.type=get stanza.id=i stanza.to=bob@x stanza.inner=c",
        ("presence from=1:1:5:1 stanza.kind=PRESENCE stanza.type=subscribe stanza.id=i "
         "stanza.to=bob@x"),
        "roster_set from=1:1:5:1 iq_id=i contact=bob@x name=content",
    };
    static const char *const others[] = {"domain_set name=y", "user_set user=new@x create=1",
                                         "user_import users.0.user=new@x"};
    const Pb__Command *command;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(stanzas); i++) {
        command = refused(stanzas[i]);
        assert_non_null(command);
        assert_int_equal(command->body_case, PB__COMMAND__BODY_BOUNCE);
        assert_int_equal(command->bounce->from->count, 5);
        assert_string_equal(command->bounce->stanza->id, "i");
        assert_int_equal(command->bounce->stanza->inner.len, 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        command = refused(others[i]);
        assert_non_null(command);
        assert_int_equal(command->body_case, PB__COMMAND__BODY_EMPTY);
        assert_int_equal(command->empty->reason, ERR_NO_SPACE);
    }
}

/* A command as text with blob at its end. */
static Pb__Command *refused_with(const char *line, const char *blob)
{
    struct buf text = BUF_EMPTY;
    Pb__Command *result;

    buf_append_str(&text, line);
    buf_append_str(&text, blob);
    result = refused(buf_text(&text));
    buf_deinit(&text);
    return result;
}

/* Goal: nothing that passes without room carries more than is small, whoever fills it: an account
 * that sends errors would otherwise stop every node.
 * Method: each kind that passes, as large as a stanza may be; long ids. */
static void test_nothing_large_passes(void **state)
{
    static const char *const lines[] = {
        "message from=1:1:5:1 stanza.type=error stanza.to=bob@x stanza.id=i stanza.inner=",
        "message from=1:1:5:1 stanza.type=error stanza.to=bob@x stanza.id=",
        "message from=1:1:5:1 stanza.type=chat stanza.to=bob@x stanza.id=",
        "iq from=1:1:5:1 stanza.kind=IQ stanza.type=result stanza.to=bob@x/b stanza.inner=",
        "iq from=1:1:5:1 stanza.kind=IQ stanza.type=error stanza.to=bob@x/b stanza.inner=",
        "iq from=1:1:5:1 stanza.kind=IQ stanza.type=set stanza.to=bob@x/b stanza.id=",
        "ask from=1:1:5:1 request.kind=IQ request.type=get request.id=i request.inner=",
        "answer from=1:1:5:1 stanza.kind=IQ stanza.type=result stanza.id=i stanza.inner=",
        "presence from=1:1:5:1 stanza.kind=PRESENCE stanza.inner=",
        "presence from=1:1:5:1 stanza.kind=PRESENCE stanza.lang=",
        "presence from=1:1:5:1 stanza.kind=PRESENCE stanza.type=unavailable stanza.inner=",
        ("presence from=1:1:5:1 stanza.kind=PRESENCE stanza.type=unsubscribed stanza.to=bob@x "
         "stanza.inner="),
        "roster_set from=1:1:5:1 contact=bob@x remove=1 iq_id=",
        "roster_set from=1:1:5:1 contact=bob@x remove=1 iq_lang=",
        "copies_set from=1:1:5:1 enable=1 iq_id=",
        "copies_set from=1:1:5:1 enable=1 iq_lang=",
        "keep from=1:1:5:1 iq_id=",
        "keep from=1:1:5:1 iq_lang=",
        "keep from=1:1:5:1 items.0.ns=n items.0.name=e items.0.element=",
    };
    static char blob[255 * 1024];
    (void)state;

    memset(blob, 'x', sizeof(blob) - 1);
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        const Pb__Command *command = refused_with(lines[i], blob);

        if (command == NULL || pb__command__get_packed_size(command) > STANZA_SMALL_BYTES_MAX) {
            fail_msg("passes as large as it is: %s", lines[i]);
        }
    }
}

/* Goal: what passes without its content still means what it meant, and a result that lost its
 * content is none. Method: a large presence, a large result. */
static void test_stripped_keeps_its_meaning(void **state)
{
    static char blob[2 * STANZA_SMALL_BYTES_MAX];
    const Pb__Command *command;
    (void)state;

    memset(blob, 'x', sizeof(blob) - 1);
    command =
        refused_with("presence from=1:1:5:1 stanza.kind=PRESENCE priority=3 stanza.inner=", blob);
    assert_int_equal(command->body_case, PB__COMMAND__BODY_PRESENCE);
    assert_int_equal(command->presence->from->count, 5);
    assert_int_equal(command->presence->priority, 3);
    assert_string_equal(command->presence->stanza->type, "");
    assert_int_equal(command->presence->stanza->inner.len, 0);

    command = refused_with(
        "iq from=1:1:5:1 stanza.kind=IQ stanza.type=result stanza.id=i stanza.to=bob@x/b "
        "stanza.inner=",
        blob);
    assert_int_equal(command->body_case, PB__COMMAND__BODY_IQ);
    assert_string_equal(command->iq->stanza->type, "error");
    assert_string_equal(command->iq->stanza->id, "i");
    assert_string_equal(command->iq->stanza->to, "bob@x/b");
    assert_non_null(memmem(command->iq->stanza->inner.data, command->iq->stanza->inner.len,
                           "resource-constraint", strlen("resource-constraint")));
}

/* Goal: the stream of a refused stanza goes on, its sender knows. Method: apply a Bounce and the
 * stanza behind it, whose count would be a gap without it. */
static void test_bounce_is_counted_and_answered(void **state)
{
    (void)state;

    world_run(&world, "1 enable from=1:1 resume=1 window_s=60");
    world_run(&world, "1 bounce from=1:1:1:1 stanza.kind=MESSAGE stanza.type=chat stanza.id=m1 "
                      "stanza.to=bob@x");
    assert_non_null(strstr(world_pending(&world, 1), "message error bob@x->alice@x/a id=m1"));
    assert_non_null(strstr(world_pending(&world, 1), "resource-constraint"));
    assert_int_equal(world_session(&world, 1)->count, 1);
    world_run(&world, "1 message from=1:1:2:1 stanza.kind=MESSAGE stanza.type=chat stanza.to=bob@x "
                      "store=1");
    assert_int_equal(world_session(&world, 1)->count, 2);
}

/* Goal: an operator's command without room is answered with the reason. Method: apply Empty. */
static void test_empty_says_why(void **state)
{
    (void)state;

    assert_non_null(strstr(world_run(&world, "1 empty reason=-17"), err_text(ERR_NO_SPACE)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_makes_room_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_content_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_large_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stripped_keeps_its_meaning, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounce_is_counted_and_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_says_why, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
