/* What one user's presence may cost others: its limits, and who reads what it shows. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    world_login(&world, "alice", "a"); /* session 1 */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_invariants(world.state);
    world_close(&world);
    return 0;
}

/* ---- large presence */

/* Presence of a session with so many bytes of content. */
static const char *send_filled(uint64_t session, const char *type, const char *to, size_t bytes)
{
    struct buf line = BUF_EMPTY;
    const char *text;

    buf_printf(&line, "1 presence from=%u:1 stanza.kind=PRESENCE stanza.type=%s", (unsigned)session,
               type);
    if (to[0] != '\0') {
        buf_printf(&line, " stanza.to=%s", to);
    }
    buf_append_str(&line, " stanza.inner=");
    for (size_t i = strlen(type); i < bytes; i++) {
        buf_append_u8(&line, 'x');
    }
    text = world_run(&world, buf_text(&line));
    buf_deinit(&line);
    return text;
}

/* Goal: presence is bounded, whatever it is for, and its sender knows; what went before stands.
 * Method: of each kind the largest and one byte more. */
static void test_large_presence_is_refused(void **state)
{
    static const char *const kinds[][2] = {
        {"", ""}, {"unavailable", ""}, {"", "bob@x/b"}, {"subscribe", "bob@x"}};
    (void)state;

    world_login(&world, "bob", "b");
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        const char *type = kinds[i][0], *to = kinds[i][1];
        uint64_t position;

        world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE");
        position = world.state->meta.next_position;
        assert_non_null(
            strstr(send_filled(1, type, to, STATE_PRESENCE_BYTES_MAX + 1), "<policy-violation"));
        assert_int_equal(world.state->meta.next_position, position + 1); /* the error's */
        assert_null(
            strstr(send_filled(1, type, to, STATE_PRESENCE_BYTES_MAX), "<policy-violation"));
    }
}

/* Goal: what routes and what spreads reads nothing of what presences show: 32 sessions show half a
 * megabyte, and any stanza may ask who is there.
 * Method: what bob shows has bytes that no reader could decode; all that walks over his sessions
 * happens. */
static void test_nobody_reads_what_is_not_shown(void **state)
{
    static const char *const lines[] = {
        "1 message from=1:1 stanza.to=bob@x",
        "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x",
        "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribe stanza.to=bob@x",
        "1 presence from=2:1 stanza.kind=PRESENCE",
        "1 bind owner=1:0:9:1 user=bob@x resource=b credential_version=$",
        "1 presence from=4:1 stanza.kind=PRESENCE",
        "1 presence from=4:1 stanza.kind=PRESENCE stanza.type=unavailable",
    };
    struct key keys[2];
    struct buf kept = BUF_EMPTY;
    struct slice value;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        keys[i] = key_user_u64("bob@x", world_login(&world, "bob", i == 0 ? "b" : "c"));
    }
    assert_true(kv_get(world.kv, TABLE_SHOWN, key_slice(&keys[1]), &value));
    buf_append(&kept, value);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        kv_put(world.kv, TABLE_SHOWN, key_slice(&keys[i]), slice_str("\xff"));
    }
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        world_run(&world, lines[i]);
    }
    kv_put(world.kv, TABLE_SHOWN, key_slice(&keys[1]), buf_slice(&kept));
    buf_deinit(&kept);
}

/* ---- a contact's answer */

/* All sessions that bob may have, and as many presences as may stand, all as large as they may be.
 */
static unsigned fill_presence_of_bob(void)
{
    for (unsigned i = 0; i < 2 * STATE_SESSIONS_MAX; i++) {
        char resource[8];
        uint64_t session;

        (void)snprintf(resource, sizeof(resource), "s%u", i);
        send_filled(world_bind(&world, "bob", resource), "", "", STATE_PRESENCE_BYTES_MAX);
        session = world_bind(&world, "bob", resource);
        world_runf(&world, "1 close from=%u:1", (unsigned)session);
    }
    for (unsigned i = 0; i < STATE_SESSIONS_MAX; i++) {
        char resource[8];

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        send_filled(world_bind(&world, "bob", resource), "", "", STATE_PRESENCE_BYTES_MAX);
    }
    return (unsigned)rows_all(world.state, &world.arena, TABLE_PRESENCE, key_user("bob@x")).count;
}

#define LARGE_BYTES 100000
#define ROOM_BYTES  (1024 * 1024) /* less than what bob shows */

/* Alice asks for much, until her list is nearly full. */
static void fill_list_of_alice(void)
{
    struct buf line = BUF_EMPTY;

    buf_append_str(&line, "1 ask from=1:1 request.kind=IQ request.type=get request.inner=");
    for (size_t i = 0; i < LARGE_BYTES; i++) {
        buf_append_u8(&line, 'x');
    }
    do {
        world_run(&world, buf_text(&line));
    } while (world_session(&world, 1)->pending_bytes < STATE_PENDING_SELF_BYTES_MAX - ROOM_BYTES);
    buf_deinit(&line);
}

/* Goal: an answer to a request never ends the sessions of who asked, whatever the contact shows and
 * however full their lists are: what there is no room for is left out, but nobody who is there.
 * Method: alice has asked and is detached, with an empty list or a full one; bob, who shows all
 * that one user may, approves. */
static void test_an_approval_ends_nobody(void **state)
{
    for (unsigned is_full = 0; is_full < 2; is_full++) {
        unsigned before, shown;

        teardown(state);
        setup(state);
        world_run(&world, "1 enable from=1:1 resume=1 window_s=600\n"
                          "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribe "
                          "stanza.to=bob@x");
        if (is_full == 1) {
            fill_list_of_alice();
        }
        world_run(&world, "1 detach session=1 epoch=1");
        shown = fill_presence_of_bob();
        assert_in_range(shown, 3 * STATE_SESSIONS_MAX, 3 * STATE_SESSIONS_MAX + 1);
        before = world_session(&world, 1)->pending_count;
        world_runf(&world,
                   "1 presence from=%u:1 stanza.kind=PRESENCE stanza.type=subscribed "
                   "stanza.to=alice@x",
                   (unsigned)world.state->meta.next_session - 1);
        assert_non_null(world_session(&world, 1));
        assert_int_equal(world_session(&world, 1)->pending_count, before + shown);
        assert_non_null(strstr(world_pending(&world, 1), "presence bob@x/r31->alice@x"));
    }
}

/* ---- directed presence */

static unsigned ends_for(uint64_t session, const char *to)
{
    const char *text = world_pending(&world, session);
    char end[64];
    unsigned count = 0;

    (void)snprintf(end, sizeof(end), " presence unavailable alice@x/a->%s", to);
    while ((text = strstr(text, end)) != NULL) {
        count++;
        text++;
    }
    return count;
}

/* Goal: who got directed presence hears of its end once: by the broadcast who sees that, by a
 * stanza of its own who does not (RFC 6121 §4.6.3): a stranger, and a session of a contact that is
 * not available. Method: alice, available or not, sends directed presence to an available session
 * and to another one of bob, who is a contact or not, and to one of her own; then ends. */
static void test_directed_presence_ends_once(void **state)
{
    static const struct {
        bool is_contact;
        bool is_broadcast;
        unsigned there, away, own; /* stanzas of their own */
    } cases[] = {
        {true, true, 0, 1, 0},
        {true, false, 1, 1, 1},
        {false, true, 1, 1, 0},
        {false, false, 1, 1, 1},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        teardown(state);
        setup(state);
        world_login(&world, "bob", "there"); /* session 2 */
        world_bind(&world, "bob", "away");
        world_login(&world, "alice", "own");
        if (cases[i].is_contact) {
            world_run(&world, "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=subscribe "
                              "stanza.to=alice@x\n"
                              "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribed "
                              "stanza.to=bob@x");
        }
        if (!cases[i].is_broadcast) {
            world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=unavailable");
        }
        world_run(&world, "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/there\n"
                          "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=bob@x/away\n"
                          "1 presence from=1:1 stanza.kind=PRESENCE stanza.to=alice@x/own\n"
                          "1 close from=1:1");
        assert_int_equal(ends_for(2, "bob@x/there"), cases[i].there);
        assert_int_equal(ends_for(3, "bob@x/away"), cases[i].away);
        assert_int_equal(ends_for(4, "alice@x/own"), cases[i].own);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_large_presence_is_refused),
        TEST(test_nobody_reads_what_is_not_shown),
        TEST(test_an_approval_ends_nobody),
        TEST(test_directed_presence_ends_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
