/* Presence on its way to those who see it: what a change costs, what a session that was away gets.
 */
#include "tests/unit/xmpp_im/scene.h"

#include <stdio.h>

/* ---- fan-out */

/* Goal: a change costs its watchers, not what else its user shows: one account has 32 sessions, and
 * an entry hundreds of changes, which every node spreads.
 * Method: what alice's sessions show has bytes that no reader could decode; one of them changes, 20
 * times in one entry; nothing that was read is left. */
static void test_a_change_reads_no_more_than_it_sends(void **state)
{
    struct scene *scene = *state;
    struct buf lines = BUF_EMPTY;

    for (unsigned i = 0; i < STATE_SESSIONS_MAX; i++) {
        char resource[8];
        struct key key;

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        key = key_user_u64("alice@x", world_login(&scene->world, "alice", resource));
        kv_put(scene->world.kv, TABLE_SHOWN, key_slice(&key), slice_str("\xff"));
    }
    (void)world_run(&scene->world, "1 roster_set from=1:1 iq_id=i contact=bob@x name=Bob");
    for (unsigned i = 0; i < 20; i++) {
        buf_append_str(&lines, "1 presence from=2:1 stanza.kind=PRESENCE\n");
    }
    (void)scene_see(scene, buf_text(&lines));
    assert_int_equal(scene->left, 0);
    (void)scene_see_as(scene, SCENE_OTHER_NODE, buf_text(&lines));
    assert_int_equal(scene->left, 0);
    buf_deinit(&lines);
}

/* Goal: a node writes to its own sessions only, whatever the effect.
 * Method: everything that session 1 is told of, here and at a node that does not serve it. */
static void test_only_its_own(void **state)
{
    static const struct {
        const char *line;
        const char *here;
    } steps[] = {
        {"1 presence from=1:1 stanza.kind=PRESENCE", "initial 1\nvolatile 1@"},
        {"1 ask from=1:1 request.kind=IQ request.type=get request.id=q", "pending 1 "},
        {"1 notes runs.0=1:1:1:1:1", "recorded 1\n"},
        {"1 resume owner=1:0:1:2 user=alice@x resume_id=$1 credential_version=$", "dropped 1\n"},
        {"1 confirm session=1 epoch=2", "confirmed 1 "},
    };

    for (unsigned here = 0; here < 2; here++) {
        struct scene *scene;

        scene_tear_down(state);
        scene_set_up(state);
        scene = *state;
        (void)world_bind(&scene->world, "alice", "a");
        (void)world_run(&scene->world, "1 enable from=1:1 resume=1 window_s=300");
        for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
            const char *text =
                scene_see_as(scene, here == 1 ? SCENE_NODE : SCENE_OTHER_NODE, steps[i].line);

            if (here == 1) {
                assert_ptr_equal(strstr(text, steps[i].here), text);
            } else {
                assert_string_equal(text, "");
            }
        }
    }
}

/* ---- a session that was away */

#define ALL_BYTES  100000
#define PART_BYTES 1

/* Alice (session 1), who is subscribed to bob (session 2), has got all so far and is away. */
static void leave_alice(struct scene *scene)
{
    unsigned position;

    (void)world_login(&scene->world, "alice", "a");
    (void)world_run(&scene->world, "1 enable from=1:1 resume=1 window_s=3600");
    (void)world_login(&scene->world, "bob", "b");
    scene_befriend(scene);
    position = (unsigned)scene->world.state->meta.next_position - 1;
    (void)world_runf(&scene->world, "1 notes acks.0=1:1:%u:%u\n1 detach session=1 epoch=1",
                     position, position);
}

/* She comes back: the next pull begins there. */
static void resume_alice(struct scene *scene, unsigned h)
{
    (void)world_runf(&scene->world,
                     "1 resume owner=1:0:1:2 user=alice@x resume_id=$1 credential_version=$\n"
                     "1 confirm session=1 epoch=2 h=%u",
                     h);
    scene->pending_from = 0;
    scene->presence_since = world_session(&scene->world, 1)->presence_position;
}

/* Does her client show who has this address, after all presence came? In parts of any size. */
static bool is_shown_after(struct scene *scene, const char *address, bool is_shown,
                           size_t bytes_max)
{
    const char bare_end[] = "from='bob@x' to='alice@x/a' type='unavailable'";

    do {
        const char *text = scene_pull(scene, 2, bytes_max);

        for (const char *at = text; (at = strstr(at, "<presence ")) != NULL; at++) {
            const char *end = strchr(at, '>');
            const char *from = strstr(at, address);
            const char *bare = strstr(at, bare_end);
            const char *type = strstr(at, "type='unavailable'");

            if ((from != NULL && from < end) || (bare != NULL && bare < end)) {
                is_shown = type == NULL || type > end;
            }
        }
    } while (!scene->is_complete);
    return is_shown;
}

static void come_and_go(struct scene *scene, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        char resource[8];
        uint64_t session;

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        session = world_login(&scene->world, "bob", resource);
        (void)world_runf(&scene->world, "1 close from=%u:1", (unsigned)session);
    }
}

/* Goal: no ghost is left (P5), and nobody who is there is hidden, when more ends happened than are
 * remembered.
 * Method: while alice is away bob/b goes, more resources than are kept come and go, bob/stays came
 * before them and bob/late after them; she pulls all at once, or stanza by stanza. */
static void test_a_forgotten_end_while_others_stay(void **state)
{
    static const size_t sizes[] = {ALL_BYTES, PART_BYTES};

    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        static const struct {
            const char *from;
            bool before;
            bool after;
        } contacts[] = {{"from='bob@x/b'", true, false},
                        {"from='bob@x/stays'", false, true},
                        {"from='bob@x/late'", false, true}};

        for (size_t n = 0; n < ARRAY_COUNT(contacts); n++) {
            struct scene *scene;

            scene_tear_down(state);
            scene_set_up(state);
            scene = *state;
            leave_alice(scene);
            (void)world_run(&scene->world, "1 close from=2:1");
            (void)world_login(&scene->world, "bob", "stays");
            come_and_go(scene, STATE_PRESENCE_TOMBSTONES_MAX + 2);
            (void)world_login(&scene->world, "bob", "late");
            resume_alice(scene, 0);
            assert_int_equal(is_shown_after(scene, contacts[n].from, contacts[n].before, sizes[i]),
                             contacts[n].after);
        }
    }
}

/* Goal: who acks the first of what is shown anew, and is cut off, gets the rest, too.
 * Method: as before; the position of all but the last stanza is before that of the end. */
static void test_what_is_shown_anew_is_acked_as_a_whole(void **state)
{
    struct scene *scene = *state;
    char end[64];
    const char *text;
    uint64_t forgotten;

    leave_alice(scene);
    (void)world_login(&scene->world, "bob", "stays");
    (void)world_run(&scene->world, "1 close from=2:1");
    come_and_go(scene, STATE_PRESENCE_TOMBSTONES_MAX + 2);
    forgotten = state_account(scene->world.state, &scene->world.arena, "bob@x")->forgotten_position;
    resume_alice(scene, 0);
    text = scene_pull(scene, 2, ALL_BYTES);
    (void)snprintf(end, sizeof(end), "volatile 1@%u <presence from='bob@x' ",
                   (unsigned)forgotten - 1);
    assert_non_null(strstr(text, end));
    (void)snprintf(end, sizeof(end), "volatile 1@%u <presence from='bob@x/stays' ",
                   (unsigned)forgotten);
    assert_non_null(strstr(text, end));
}

/* Goal: who left before the session became available was never shown to it: its end is not told.
 * Method: bob goes, then alice becomes available; and again with more ends than are kept. */
static void test_an_end_before_the_beginning(void **state)
{
    for (unsigned times = 0; times < 2; times++) {
        struct scene *scene;

        scene_tear_down(state);
        scene_set_up(state);
        scene = *state;
        (void)world_bind(&scene->world, "alice", "a");
        (void)world_login(&scene->world, "bob", "b");
        scene_befriend(scene);
        (void)world_run(&scene->world, "1 close from=2:1");
        come_and_go(scene, times * (STATE_PRESENCE_TOMBSTONES_MAX + 2));
        (void)world_run(&scene->world, "1 presence from=1:1 stanza.kind=PRESENCE");
        scene->pending_from = 0;
        scene->presence_since = 0;
        assert_null(strstr(scene_pull(scene, 1, ALL_BYTES), "unavailable"));
        assert_true(scene->is_complete);
    }
}

/* Goal: what one contact says arrives in its order (RFC 6120 §10.1), whether it says it to all or
 * to one: the last one holds.
 * Method: while alice is away, bob broadcasts and sends directed presence, in both orders; she
 * pulls all at once, or stanza by stanza. */
static void test_directed_presence_keeps_its_place(void **state)
{
    static const struct {
        const char *lines;
        bool is_shown;
    } cases[] = {
        {"1 presence from=2:1 stanza.kind=PRESENCE stanza.type=unavailable\n"
         "1 presence from=2:1 stanza.kind=PRESENCE stanza.to=alice@x/a",
         true},
        {"1 presence from=2:1 stanza.kind=PRESENCE\n"
         "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=unavailable stanza.to=alice@x/a",
         false},
        {"1 presence from=2:1 stanza.kind=PRESENCE stanza.type=unavailable stanza.to=alice@x/a\n"
         "1 presence from=2:1 stanza.kind=PRESENCE",
         true},
        {"1 presence from=2:1 stanza.kind=PRESENCE stanza.to=alice@x/a\n"
         "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=unavailable",
         false},
    };

    for (size_t i = 0; i < 2 * ARRAY_COUNT(cases); i++) {
        struct scene *scene;

        scene_tear_down(state);
        scene_set_up(state);
        scene = *state;
        leave_alice(scene);
        (void)world_run(&scene->world, cases[i / 2].lines);
        resume_alice(scene, 0);
        assert_int_equal(
            is_shown_after(scene, "from='bob@x/b'", true, i % 2 == 0 ? ALL_BYTES : PART_BYTES),
            cases[i / 2].is_shown);
    }
}

/* Goal: nor does what a client has had come again behind what it has had later.
 * Method: alice gets an unavailable, then directed presence, which is numbered; her connection
 * breaks before her ack is noted; she resumes with a count that covers both. */
static void test_a_confirm_covers_presence_before(void **state)
{
    struct scene *scene = *state;
    unsigned position;

    leave_alice(scene);
    resume_alice(scene, 0);
    (void)world_run(&scene->world, "1 presence from=2:1 stanza.kind=PRESENCE "
                                   "stanza.type=unavailable");
    position = (unsigned)scene->world.state->meta.next_position;
    (void)world_runf(&scene->world,
                     "1 presence from=2:1 stanza.kind=PRESENCE stanza.to=alice@x/a\n"
                     "1 notes runs.0=1:2:2:1:%u\n"
                     "1 detach session=1 epoch=2\n"
                     "1 resume owner=1:0:1:3 user=alice@x resume_id=$1 credential_version=$\n"
                     "1 confirm session=1 epoch=3 h=2",
                     position);
    scene->presence_since = world_session(&scene->world, 1)->presence_position;
    scene->pending_from = 0;
    assert_string_equal(scene_pull(scene, 3, ALL_BYTES), "pulled 1 all\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_change_reads_no_more_than_it_sends),
        TEST(test_only_its_own),
        TEST(test_a_forgotten_end_while_others_stay),
        TEST(test_what_is_shown_anew_is_acked_as_a_whole),
        TEST(test_an_end_before_the_beginning),
        TEST(test_directed_presence_keeps_its_place),
        TEST(test_a_confirm_covers_presence_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
