/* Copies of messages (XEP-0280) as the clients of the other sessions see them, as they come and
 * pulled. */
#include "tests/unit/xmpp_im/scene.h"

#define BODY   "<body>hi</body>"
#define ID(by) "<stanza-id xmlns='urn:xmpp:sid:0' by='" by "' id='6'/>"
#define FORWARDED(by)                                                                              \
    "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='bob@x/b' "         \
    "to='alice@x/b' type='chat' id='m'>" BODY                                                      \
    ID(by) "</message></forwarded>"
#define RECEIVED                                                                                   \
    "<message from='alice@x' to='alice@x/a' type='chat'><received "                                \
    "xmlns='urn:xmpp:carbons:2'>" FORWARDED("alice@x") "</received></message>"
#define SENT                                                                                       \
    "<message from='bob@x' to='bob@x/c' type='chat'><sent xmlns='urn:xmpp:carbons:2'>" FORWARDED(  \
        "bob@x") "</sent></message>"

/* Goal: a copy is a message of the account itself around the message as it was sent, with the id
 * that each account knows it by.
 * Method: bob writes from one of his two sessions to one of alice's two; the others want copies. */
static void test_copies(void **state)
{
    struct scene *scene = *state;
    const char *seen;

    (void)world_bind(&scene->world, "alice", "a");
    (void)world_bind(&scene->world, "alice", "b");
    (void)world_bind(&scene->world, "bob", "b");
    (void)world_bind(&scene->world, "bob", "c");
    (void)world_run(&scene->world, "1 copies_set from=1:1 enable=1");
    (void)world_run(&scene->world, "1 copies_set from=4:1 enable=1");
    (void)world_run(&scene->world, "1 notes acks.0=1:1:1000:0");
    assert_int_equal(scene->world.state->meta.next_position, 6);
    seen = scene_see(scene, "1 message from=3:1 copy=1 stanza.type=chat stanza.to=alice@x/b "
                            "stanza.id=m stanza.inner=" BODY);
    assert_string_equal(seen, "pending 2 <message from='bob@x/b' to='alice@x/b' type='chat' "
                              "id='m'>" BODY ID("alice@x") "</message>\n"
                                                           "pending 1 " RECEIVED "\npending 4 " SENT
                                                           "\n");
    scene->pending_from = 0;
    assert_string_equal(scene_pull(scene, 1, 10000), "pending 1 " RECEIVED "\npulled 1 all\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies, scene_set_up, scene_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
