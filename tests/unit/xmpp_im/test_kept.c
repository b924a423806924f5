/* What users keep here, as they and others are answered (XEP-0049, XEP-0054). */
#include "tests/unit/xmpp_im/scene.h"
#include "xmpp/im/features.h"

#define ERROR(from, kind, condition)                                                               \
    "pending 1 <iq from='" from "' to='alice@x/a' type='error' id='i'><error type='" kind          \
    "'><" condition " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>\n"
#define RESULT(from, inner)                                                                        \
    "pending 1 <iq from='" from "' to='alice@x/a' type='result' id='i'>" inner "</iq>\n"
#define PRIVATE(inner) "<query xmlns='jabber:iq:private'>" inner "</query>"

/* What alice is answered. */
static const char *ask(struct scene *scene, const char *to, const char *inner)
{
    struct buf line = BUF_EMPTY;
    const char *answer;

    buf_printf(&line,
               "1 ask from=1:1 request.kind=IQ request.from=alice@x/a request.to=%s "
               "request.type=get request.id=i request.inner=%s",
               to, inner);
    answer = scene_see(scene, buf_text(&line));
    buf_deinit(&line);
    return answer;
}

#define ASK_PRIVATE(inner) "<query\txmlns=\"jabber:iq:private\">" inner "</query>"
#define ASK_VCARD          "<vCard\txmlns=\"vcard-temp\"/>"

/* alice and bob keep something. */
static void keep(struct scene *scene)
{
    (void)world_run(&scene->world, "0 cluster_set log_version=3");
    (void)world_bind(&scene->world, "alice", "a"); /* session 1 */
    (void)world_bind(&scene->world, "bob", "b");   /* session 2 */
    (void)world_run(
        &scene->world,
        "1 keep from=1:1 items.0.ns=n items.0.name=e items.0.element=<e\txmlns=\"n\"/>");
    (void)world_run(&scene->world,
                    "1 keep from=2:1 items.0.kind=VCARD items.0.ns=vcard-temp items.0.name=vCard "
                    "items.0.element=<vCard\txmlns=\"vcard-temp\"/>");
    (void)world_run(&scene->world,
                    "1 keep from=2:1 items.0.ns=n items.0.name=e items.0.element=secret");
}

/* Goal: a client reads what its user keeps, and an empty element for what it does not; nobody reads
 * that of others; what is no question for one element is none.
 * Method: questions and answers. */
static void test_private(void **state)
{
    static const char *const dialogue[][3] = {
        {"alice@x", ASK_PRIVATE("<e\txmlns=\"n\"/>"),
         RESULT("alice@x", PRIVATE("<e\txmlns=\"n\"/>"))},
        {"alice@x", ASK_PRIVATE("<f\txmlns=\"n\"/>"), RESULT("alice@x", PRIVATE("<f xmlns='n'/>"))},
        {"alice@x", ASK_PRIVATE("<f\txmlns=\"a&lt;b\">1</f>"),
         RESULT("alice@x", PRIVATE("<f xmlns='a&lt;b'/>"))},
        {"bob@x", ASK_PRIVATE("<e\txmlns=\"n\"/>"), ERROR("bob@x", "auth", "forbidden")},
        {"x", ASK_PRIVATE("<e\txmlns=\"n\"/>"), ERROR("x", "auth", "forbidden")},
        {"alice@x", ASK_PRIVATE(""), ERROR("alice@x", "modify", "not-acceptable")},
        {"alice@x", ASK_PRIVATE("<e/>"), ERROR("alice@x", "modify", "not-acceptable")},
        {"alice@x", ASK_PRIVATE("<e\txmlns=\"n\"/><f\txmlns=\"n\"/>"),
         ERROR("alice@x", "modify", "not-acceptable")},
    };
    struct scene *scene = *state;

    keep(scene);
    for (size_t i = 0; i < ARRAY_COUNT(dialogue); i++) {
        assert_string_equal(ask(scene, dialogue[i][0], dialogue[i][1]), dialogue[i][2]);
    }
}

/* Goal: everybody reads a vCard; who has none is not told from who is not there, but to oneself. */
static void test_vcard(void **state)
{
    static const char *const dialogue[][2] = {
        {"bob@x", RESULT("bob@x", "<vCard\txmlns=\"vcard-temp\"/>")},
        {"alice@x", ERROR("alice@x", "cancel", "item-not-found")},
        {"carol@x", ERROR("carol@x", "cancel", "service-unavailable")},
        {"nobody@x", ERROR("nobody@x", "cancel", "service-unavailable")},
        {"x", ERROR("x", "cancel", "service-unavailable")},
    };
    struct scene *scene = *state;

    keep(scene);
    for (size_t i = 0; i < ARRAY_COUNT(dialogue); i++) {
        assert_string_equal(ask(scene, dialogue[i][0], ASK_VCARD), dialogue[i][1]);
    }
}

/* Goal: while an older version is written nothing of it is served, nor said. */
static void test_older_version(void **state)
{
    struct scene *scene = *state;
    struct buf said = BUF_EMPTY;

    (void)world_bind(&scene->world, "alice", "a");
    assert_string_equal(ask(scene, "alice@x", ASK_VCARD),
                        ERROR("alice@x", "cancel", "service-unavailable"));
    assert_string_equal(ask(scene, "alice@x", ASK_PRIVATE("<e\txmlns=\"n\"/>")),
                        ERROR("alice@x", "cancel", "service-unavailable"));
    features_append_info(STATE_LOG_VERSION_KEPT - 1, NULL, &said);
    assert_null(strstr(buf_text(&said), "'vcard-temp'"));
    assert_null(strstr(buf_text(&said), "'jabber:iq:private'"));
    buf_clear(&said);
    features_append_info(STATE_LOG_VERSION_KEPT, NULL, &said);
    assert_non_null(strstr(buf_text(&said), "<feature var='vcard-temp'/>"));
    assert_non_null(strstr(buf_text(&said), "<feature var='jabber:iq:private'/>"));
    buf_deinit(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_private, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_vcard, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_older_version, scene_set_up, scene_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
