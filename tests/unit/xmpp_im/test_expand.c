/* xmpp/im on the state thread's side: what do the sessions of this node get to see? */
#include "tests/unit/storage_state/world.h"
#include "xmpp/im/im.h"

#define NODE       1 /* the incarnation whose sessions we watch */
#define OTHER_NODE 2
#define NOW_MS     UINT64_C(1469045330123) /* 2016-07-20T20:08:50.123Z */

/* The replica, and what its effects delivered, one line each. */
struct scene {
    struct world world;
    struct buf text;
};

static int set_up(void **state)
{
    struct scene *scene = test_calloc(1, sizeof(*scene));

    world_open(&scene->world);
    world_settle(&scene->world);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    buf_deinit(&scene->text);
    world_close(&scene->world);
    test_free(scene);
    return 0;
}

static void append_delivery(void *ctx, const struct delivery *delivery)
{
    static const char *const names[] = {"pending", "volatile", "recorded", "confirmed", "dropped"};
    struct delivery taken = *delivery;
    struct scene *scene = ctx;

    buf_printf(&scene->text, "%s %u", names[delivery->kind], (unsigned)delivery->session);
    if (delivery->kind == DELIVERY_VOLATILE && delivery->position != 0) {
        buf_append_str(&scene->text, " last"); /* an ack of this one covers what came before */
    }
    if (delivery->xml != NULL) {
        buf_append_u8(&scene->text, ' ');
        buf_append(&scene->text, blob_slice(delivery->xml));
    }
    buf_append_u8(&scene->text, '\n');
    blob_unref(&taken.xml);
}

/* Apply one entry, expand its effects for one node. */
static const char *see_as(struct scene *scene, uint64_t incarnation, const char *lines)
{
    struct effects *effects = &scene->world.effects;

    (void)world_run(&scene->world, lines);
    buf_clear(&scene->text);
    for (size_t i = 0; i < effects->count; i++) {
        im_expand(scene->world.state, &effects->items[i], incarnation, NOW_MS, &scene->world.arena,
                  append_delivery, scene);
    }
    return buf_text(&scene->text);
}

#define see(scene, lines) see_as((scene), NODE, (lines))

static void befriend_alice_and_bob(struct scene *scene)
{
    (void)world_run(
        &scene->world,
        "1 presence from=1:1 stanza.kind=PRESENCE stanza.type=subscribe stanza.to=bob@x\n"
        "1 presence from=2:1 stanza.kind=PRESENCE stanza.type=subscribed "
        "stanza.to=alice@x\n");
}

/* Goal: RFC 6121 §4.2: who becomes available sees its contacts, then is seen; the one stanza that
 * carries a position is the last.
 * Method: alice is subscribed to bob; she comes, he changes. */
static void test_available(void **state)
{
    struct scene *scene = *state;

    (void)world_bind(&scene->world, "alice", "a");
    (void)world_login(&scene->world, "bob", "b");
    befriend_alice_and_bob(scene);

    assert_string_equal(see(scene, "1 presence from=1:1 stanza.kind=PRESENCE"),
                        "volatile 1 <presence from='bob@x/b' to='alice@x/a'></presence>\n"
                        "volatile 1 last <presence from='alice@x/a' to='alice@x'></presence>\n");
    assert_string_equal(
        see(scene, "1 presence from=2:1 stanza.kind=PRESENCE stanza.inner=<show>away</show>"),
        "volatile 2 last <presence from='bob@x/b' to='bob@x'><show>away</show></presence>\n"
        "volatile 1 last <presence from='bob@x/b' to='alice@x'><show>away</show></presence>\n");
}

/* Goal: every node writes to its own sessions only.
 * Method: the same change seen by a node that serves neither. */
static void test_not_here(void **state)
{
    struct scene *scene = *state;

    (void)world_login(&scene->world, "alice", "a");
    assert_string_equal(see_as(scene, OTHER_NODE, "1 presence from=1:1 stanza.kind=PRESENCE"), "");
}

/* Goal: DESIGN 5: nothing is written before the confirm; then what is pending, in log order and
 * once, then what changed in presence, ended sessions included. Method: alice resumes; in one entry
 * come a message to her, her confirm, and another message. */
static void test_confirmed(void **state)
{
    struct scene *scene = *state;

    (void)world_login(&scene->world, "alice", "a");
    (void)world_login(&scene->world, "bob", "b");
    befriend_alice_and_bob(scene);
    (void)world_run(&scene->world, "1 enable from=1:1 resume=1 window_s=300");
    (void)world_run(&scene->world, "1 notes acks.0.session=1 acks.0.epoch=1 "
                                   "acks.0.done_position=1000 acks.0.presence_position=7");
    (void)world_run(&scene->world, "1 close from=2:1");
    assert_string_equal(see(scene, "1 resume owner=1:0:1:2 user=alice@x resume_id=$1 "
                                   "credential_version=$"),
                        "dropped 1\n");
    (void)world_login(&scene->world, "carol", "c");
    assert_string_equal(see(scene, "1 message from=3:1 stanza.to=alice@x/a stanza.id=m1\n"
                                   "1 confirm session=1 epoch=2\n"
                                   "1 message from=3:1 stanza.to=alice@x/a stanza.id=m2\n"),
                        "confirmed 1\n"
                        "pending 1 <message from='carol@x/c' to='alice@x/a' id='m1'>"
                        "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@x' id='10'/></message>\n"
                        "volatile 1 <presence from='bob@x/b' to='alice@x/a' type='unavailable'/>\n"
                        "pending 1 <message from='carol@x/c' to='alice@x/a' id='m2'>"
                        "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@x' id='11'/></message>\n");
}

#define RESULT(inner) "pending 1 <iq from='x' to='alice@x/a' type='result' id='i'>" inner "</iq>\n"

/* Goal: what the server says of itself (XEP-0199, XEP-0202, XEP-0092), and service-unavailable for
 * the rest (RFC 6120 §8.4).
 * Method: one question each; a tab parts their words because a blank ends a field of a command. */
static void test_answers(void **state)
{
    static const char *const dialogue[][2] = {
        {"<ping\txmlns=\"urn:xmpp:ping\"/>", RESULT("")},
        {"<time\txmlns=\"urn:xmpp:time\"/>", RESULT("<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo>"
                                                    "<utc>2016-07-20T20:08:50.123Z</utc></time>")},
        {"<query\txmlns=\"http://jabber.org/protocol/disco#items\"/>",
         RESULT("<query xmlns='http://jabber.org/protocol/disco#items'/>")},
        {"<query\txmlns=\"jabber:iq:private\"/>",
         "pending 1 <iq from='x' to='alice@x/a' type='error' id='i'><error type='cancel'>"
         "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>\n"},
    };
    struct scene *scene = *state;

    (void)world_bind(&scene->world, "alice", "a");
    for (size_t i = 0; i < ARRAY_COUNT(dialogue); i++) {
        struct buf line = BUF_EMPTY;

        buf_printf(&line,
                   "1 ask from=1:1 request.kind=IQ request.from=alice@x/a request.to=x "
                   "request.type=get request.id=i request.inner=%s",
                   dialogue[i][0]);
        assert_string_equal(see(scene, buf_text(&line)), dialogue[i][1]);
        buf_deinit(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_available, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_confirmed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
