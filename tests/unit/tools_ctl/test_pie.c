/* Users of other servers: what is taken from a file of XEP-0227, and what is written. */
#include "tests/unit/tools_ctl/said.h"

#include "tools/ctl/pie.h"
#include "tools/ctl/pie_user.h"
#include "tools/ctl/pie_write.h"

#include "node/base/assert.h"
#include "node/base/buf.h"

#define FILE_OF(user)                                                                              \
    "<server-data xmlns='urn:xmpp:pie:0'><host jid='x'><user name='a'>" user                       \
    "</user></host></server-data>"
#define SCRAM(mechanism, salt, key)                                                                \
    "<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='" mechanism                        \
    "'><iter-count>4096</iter-count><salt>" salt "</salt><server-key>" key                         \
    "</server-key><stored-key>" key "</stored-key></scram-credentials>"
#define KEY_SHA1 "MDEyMzQ1Njc4OTAxMjM0NTY3ODk="             /* 20 bytes */
#define TWICE    "TURFeU16UTFOamM0T1RBeE1qTTBOVFkzT0RrPQ==" /* base64 of that */

static size_t skipped[PIE_KIND_COUNT];
static json_t *users;
static char fault[200];

static int take_user(void *ctx, json_t *user)
{
    (void)ctx;
    return json_array_append_new(users, user);
}

static void note_fault(void *ctx, const char *path, uint64_t line, const char *text)
{
    (void)ctx;
    (void)snprintf(fault, sizeof(fault), "%s:%llu: %s", path, (unsigned long long)line, text);
}

/* Read a text as a file; returns its only user, or the outcome in *rc_out. */
static json_t *read_text(const char *text, int *rc_out)
{
    const struct pie_sink sink = {.user = take_user, .say = note_fault};
    FILE *stream = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

    assert_non_null(stream);
    json_decref(users);
    users = json_array();
    memset(skipped, 0, sizeof(skipped));
    fault[0] = '\0';
    *rc_out = pie_read_stream(stream, "/nowhere/f", &sink, skipped);
    (void)fclose(stream);
    return json_array_get(users, 0);
}

static json_t *read_user(const char *text)
{
    int rc;
    json_t *user = read_text(text, &rc);

    assert_int_equal(rc, 0);
    assert_non_null(user);
    return user;
}

static const char *text_at(const json_t *user, const char *list, const char *name)
{
    const json_t *item = json_array_get(json_object_get(user, list), 0);

    return json_string_value(json_object_get(item, name));
}

/* Goal: times are read as XEP-0082 and XEP-0091 write them, and nothing else is.
 * Method: one each, with offsets and fractions. */
static void test_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms; /* UINT64_MAX: it is none */
    } cases[] = {{"1970-01-01T00:00:00Z", 0},
                 {"2026-11-30T16:45:15.928509Z", 1796057115928},
                 {"2026-11-30T17:45:15.9+01:00", 1796057115900},
                 {"2026-11-30T15:15:15-01:30", 1796057115000},
                 {"20261130T16:45:15", 1796057115000},
                 {"1969-12-31T23:59:59Z", UINT64_MAX},
                 {"2026-11-30", UINT64_MAX},
                 {"2026-11-30T16:45:15Zx", UINT64_MAX},
                 {"2026-11-30T16:45:15*01:00", UINT64_MAX},
                 {"", UINT64_MAX}};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint64_t ms = UINT64_MAX;

        assert_int_equal(pie_read_time(cases[i].text, &ms), cases[i].ms != UINT64_MAX);
        assert_true(ms == cases[i].ms);
    }
}

/* Goal: keys that can be used are taken, also when their base64 is in base64 again; damaged ones,
 * second ones and those of unknown mechanisms are counted; a password goes before keys.
 * Method: one user each. */
static void test_credentials(void **state)
{
    json_t *user;

    (void)state;
    user = read_user(FILE_OF(SCRAM("SCRAM-SHA-1", "c2FsdA==", KEY_SHA1)));
    assert_string_equal(text_at(user, "keys", "stored_key"), KEY_SHA1);
    assert_string_equal(text_at(user, "keys", "salt"), "c2FsdA==");
    user = read_user(FILE_OF(SCRAM("SCRAM-SHA-1", "YzJGc2RBPT0=", TWICE)));
    assert_string_equal(text_at(user, "keys", "server_key"), KEY_SHA1);
    assert_string_equal(text_at(user, "keys", "salt"), "c2FsdA==");
    user = read_user(FILE_OF(SCRAM("SCRAM-SHA-256", "c2FsdA==", KEY_SHA1) SCRAM(
        "SCRAM-SHA-512", "c2FsdA==", KEY_SHA1) SCRAM("SCRAM-SHA-1", "*", KEY_SHA1)));
    assert_null(json_object_get(user, "keys"));
    assert_int_equal(skipped[PIE_CREDENTIALS], 3);
    user = read_user(FILE_OF(SCRAM("SCRAM-SHA-1", "c2FsdA==", KEY_SHA1)
                                 SCRAM("SCRAM-SHA-1", "c2FsdA==", KEY_SHA1)));
    assert_int_equal(json_array_size(json_object_get(user, "keys")), 1);
    assert_int_equal(skipped[PIE_CREDENTIALS], 1);
    user = read_user(
        "<server-data xmlns='urn:xmpp:pie:0'><host jid='x'><user name='a' "
        "password='p'>" SCRAM("SCRAM-SHA-1", "c2FsdA==", KEY_SHA1) "</user></host></server-data>");
    assert_string_equal(json_string_value(json_object_get(user, "password")), "p");
    assert_null(json_object_get(user, "keys"));
}

/* Goal: messages come in order of their times, without what the other server added; one without a
 * time stands behind the one before it; what does not wait is counted.
 * Method: four of them, and a groupchat. */
static void test_messages(void **state)
{
    json_t *user = read_user(FILE_OF(
        "<offline-messages>"
        "<message xmlns='jabber:client' from='b@x/r' id='late'><body>&lt;l&gt;</body>"
        "<delay xmlns='urn:xmpp:delay' from='x' stamp='2026-11-30T16:45:16Z'/>"
        "<stanza-id xmlns='urn:xmpp:sid:0' by='a@x' id='9'/></message>"
        "<message xmlns='jabber:client' from='b@x/r' id='none'/>"
        "<message from='b@x' id='early'><body xml:lang='de'>e</body>"
        "<x xmlns='jabber:x:delay' stamp='20261130T16:45:15'/>"
        "<delay xmlns='urn:xmpp:delay' from='room@y' stamp='2020-01-01T00:00:00Z'/></message>"
        "<message xmlns='jabber:client' from='r@y/n' type='groupchat'/>"
        "</offline-messages>"));
    const json_t *messages = json_object_get(user, "messages");
    static const char *const ids[] = {"early", "late", "none"};

    (void)state;
    assert_int_equal(json_array_size(messages), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(json_string_value(json_object_get(json_array_get(messages, i), "id")),
                            ids[i]);
    }
    assert_string_equal(text_at(user, "messages", "inner"),
                        "<body xml:lang='de'>e</body><delay xmlns='urn:xmpp:delay' from='room@y' "
                        "stamp='2020-01-01T00:00:00Z'/>");
    assert_string_equal(json_string_value(json_object_get(json_array_get(messages, 1), "inner")),
                        "<body>&lt;l&gt;</body>");
    assert_int_equal(skipped[PIE_MESSAGE], 1);
}

/* Goal: what is written is read again as the same.
 * Method: a user with one of each. */
static void test_round_trip(void **state)
{
    json_t *user = json_incref(read_user(FILE_OF(
        SCRAM("SCRAM-SHA-1", "c2FsdA==",
              KEY_SHA1) "<query xmlns='jabber:iq:roster'><item jid='b@x' name='B &amp; &apos;' "
                        "ask='subscribe' "
                        "subscription='from'><group>&lt;g></group><group>h</group></item></query>"
                        "<presence from='c@x' type='subscribe'><status>s</status></presence>"
                        "<offline-messages><message xmlns='jabber:client' from='b@x/r' type='chat' "
                        "id='i' "
                        "xml:lang='fr'><body>t</body><delay xmlns='urn:xmpp:delay' from='x' "
                        "stamp='2026-11-30T16:45:15.028Z'/></message></offline-messages>"
                        "<vCard xmlns='vcard-temp'/><pubsub "
                        "xmlns='http://jabber.org/protocol/pubsub'/>")));
    struct buf text = BUF_EMPTY;

    (void)state;
    assert_int_equal(skipped[PIE_VCARD], 1);
    assert_int_equal(skipped[PIE_PEP], 1);
    buf_append_str(&text, "<server-data xmlns='urn:xmpp:pie:0'><host jid='x'>");
    pie_write_user(user, "a", &text);
    buf_append_str(&text, "</host></server-data>");
    assert_true(json_equal(user, read_user(buf_text(&text))));
    json_decref(user);
    buf_deinit(&text);
}

/* Goal: what is wrong is named with its line; no include leads out of the folder.
 * Method: one fault each. */
static void test_faults(void **state)
{
#define INCLUDE(attributes)                                                                        \
    FILE_OF("\n<include xmlns='http://www.w3.org/2001/XInclude' " attributes "/>")
    static const struct {
        const char *text;
        const char *fault;
    } cases[] = {
        {"<server-data/>", "f:1: is no file of XEP-0227"},
        {"<server-data xmlns='urn:xmpp:pie:0'>\n<host/></server-data>", "f:2: a host without"},
        {"<server-data xmlns='urn:xmpp:pie:0'><host jid='x'>\n\n<user/>", "f:3: a user without"},
        {FILE_OF("\n<query xmlns='jabber:iq:roster'><item jid='@'/></query>"),
         "f:2: no good contact"},
        {FILE_OF("\n\n<!-- c -->"), "f:3: comments"},
        {INCLUDE("href='../x'"), "f:2: an include of what"},
        {INCLUDE("href='/x'"), "f:2: an include of what"},
        {INCLUDE("href='http://x/y'"), "f:2: an include of what"},
        {INCLUDE("href='y' parse='text'"), "f:2: an include of what"},
        {INCLUDE(""), "f:2: an include of what"},
        {INCLUDE("href='y'"), "/nowhere/y:0: No such file"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int rc;

        (void)read_text(cases[i].text, &rc);
        assert_true(rc < 0);
        if (strstr(fault, cases[i].fault) == NULL) {
            fail_msg("%s: %s", cases[i].text, fault);
        }
    }
}

static int forget(void **state)
{
    (void)state;
    json_decref(users);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),    cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
