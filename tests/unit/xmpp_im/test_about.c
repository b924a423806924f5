/* What the server says of itself as its operator wants it (XEP-0092, XEP-0157), and that the hash
 * of it is of the same (XEP-0115 §5.1). */
#include "node/base/assert.h"
#include "node/base/crypto.h"
#include "tests/unit/xmpp_im/scene.h"
#include "xmpp/im/features.h"

#define FORM                                                                                       \
    "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"                 \
    "<value>http://jabber.org/network/serverinfo</value></field>"                                  \
    "<field var='abuse-addresses'><value>https://x/a?b=1&amp;c='2'</value>"                        \
    "<value>mailto:abuse@x</value></field>"                                                        \
    "<field var='support-addresses'><value>xmpp:Help@x</value><value>xmpp:help@x</value></field>"  \
    "</x>"
#define TEXT                                                                                       \
    "http://jabber.org/network/serverinfo<"                                                        \
    "abuse-addresses<https://x/a?b=1&c='2'<mailto:abuse@x<"                                        \
    "support-addresses<xmpp:Help@x<xmpp:help@x<"
#define FEATURES                                                                                   \
    "http://jabber.org/protocol/caps<http://jabber.org/protocol/disco#info<"                       \
    "http://jabber.org/protocol/disco#items<jabber:iq:roster<"
#define MORE_FEATURES "msgoffline<urn:xmpp:ping<urn:xmpp:sid:0<urn:xmpp:time<"

static struct blob *make(bool tells_version, bool has_contacts)
{
    struct about_contact contacts[] = {{"support-addresses", "xmpp:help@x"},
                                       {"abuse-addresses", "mailto:abuse@x"},
                                       {"support-addresses", "xmpp:Help@x"},
                                       {"abuse-addresses", "https://x/a?b=1&c='2'"}};

    return about_new(tells_version, contacts, has_contacts ? ARRAY_COUNT(contacts) : 0);
}

/* Goal: the form has each field once, fields and addresses in the order of their bytes, in markup
 * escaped and in the text that is hashed as they are; without contacts there is no form.
 * Method: contacts in disorder; none; nothing at all. */
static void test_form(void **state)
{
    struct blob *abouts[] = {make(true, true), make(false, false), NULL};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(abouts); i++) {
        struct buf form = BUF_EMPTY;
        struct buf text = BUF_EMPTY;

        about_append_form(abouts[i], &form);
        about_append_text(abouts[i], &text);
        assert_string_equal(buf_text(&form), i == 0 ? FORM : "");
        assert_string_equal(buf_text(&text), i == 0 ? TEXT : "");
        assert_true(about_tells_version(abouts[i]) == (i != 1));
        blob_unref(&abouts[i]);
        buf_deinit(&form);
        buf_deinit(&text);
    }
}

static const char *ask(struct scene *scene, const char *inner)
{
    struct buf line = BUF_EMPTY;
    const char *answer;

    buf_printf(&line,
               "1 ask from=1:1 request.kind=IQ request.from=alice@x/a request.to=x "
               "request.type=get request.id=i request.inner=%s",
               inner);
    answer = scene_see(scene, buf_text(&line));
    buf_deinit(&line);
    return answer;
}

/* The verification string of a text. */
static void hash_of(const char *text, struct buf *out)
{
    uint8_t digest[HASH_SIZE_MAX];

    hash_digest(HASH_SHA1, slice_str(text), digest);
    base64_encode(slice_make(digest, hash_size(HASH_SHA1)), out);
}

/* Goal: what is announced, hashed and answered is one thing: with contacts and version, and
 * without. Method: hash what must be said by hand; ask with this hash as the node; ask for the
 * version. */
static void test_announced_and_answered(void **state)
{
    static const struct {
        bool is_full;
        const char *hashed;
    } cases[] = {
        {true, "server/im//Muster<" FEATURES "jabber:iq:version<" MORE_FEATURES TEXT},
        {false, "server/im//Muster<" FEATURES MORE_FEATURES},
    };
    struct scene *scene = *state;

    (void)world_bind(&scene->world, "alice", "a");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const bool is_full = cases[i].is_full;
        struct blob *about = make(is_full, is_full);
        struct buf ver = BUF_EMPTY;
        struct buf told = BUF_EMPTY;
        struct buf question = BUF_EMPTY;
        const char *answer;

        scene->about = about;
        hash_of(cases[i].hashed, &ver);
        features_append_ver(0, about, &told);
        assert_string_equal(buf_text(&told), buf_text(&ver));

        buf_printf(&question,
                   "<query\txmlns=\"http://jabber.org/protocol/disco#info\"\tnode=\"" FEATURES_NODE
                   "#%s\"/>",
                   buf_text(&ver));
        answer = ask(scene, buf_text(&question));
        assert_non_null(strstr(answer, "type='result'"));
        assert_true((strstr(answer, FORM "</query>") != NULL) == is_full);
        assert_true((strstr(answer, "jabber:x:data") != NULL) == is_full);
        assert_true((strstr(answer, "'jabber:iq:version'") != NULL) == is_full);
        answer = ask(scene, "<query\txmlns=\"jabber:iq:version\"/>");
        assert_true((strstr(answer, "<version>") != NULL) == is_full);
        assert_true((strstr(answer, "<service-unavailable") != NULL) == !is_full);

        scene->about = NULL; /* what others say has another hash: it is not known here */
        assert_non_null(strstr(ask(scene, buf_text(&question)), "<item-not-found"));
        blob_unref(&about);
        buf_deinit(&question);
        buf_deinit(&told);
        buf_deinit(&ver);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test_setup_teardown(test_announced_and_answered, scene_set_up, scene_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
