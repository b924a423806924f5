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

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_change_reads_no_more_than_it_sends),
        TEST(test_only_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
