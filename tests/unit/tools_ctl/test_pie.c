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
static char refused[200];

static int take_user(void *ctx, json_t *user)
{
    (void)ctx;
    return json_array_append_new(users, user);
}

static void note_refused(void *ctx, const char *user, const char *text)
{
    (void)ctx;
    (void)snprintf(refused + strlen(refused), sizeof(refused) - strlen(refused), "%s: %s;", user,
                   text);
}

static void note_fault(void *ctx, const char *path, uint64_t line, const char *text)
{
    (void)ctx;
    (void)snprintf(fault, sizeof(fault), "%s:%llu: %s", path, (unsigned long long)line, text);
}

/* Read a text as a file; returns its only user, or the outcome in *rc_out. */
static json_t *read_text(const char *text, int *rc_out)
{
    const struct pie_sink sink = {.user = take_user, .refuse = note_refused, .say = note_fault};
    FILE *stream = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

    assert_non_null(stream);
    json_decref(users);
    users = json_array();
    memset(skipped, 0, sizeof(skipped));
    fault[0] = '\0';
    refused[0] = '\0';
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
                        "<vCard xmlns='vcard-temp'><FN>F</FN></vCard>"
                        "<query xmlns='jabber:iq:private'><e xmlns='n' a='&lt;'><b/>&amp;</e>"
                        "<e xmlns='n'/><e>1</e></query>"
                        "<query xmlns='jabber:iq:private'><f xmlns='m'>2</f></query><pubsub "
                        "xmlns='http://jabber.org/protocol/pubsub'/>")));
    struct buf text = BUF_EMPTY;

    (void)state;
    assert_int_equal(skipped[PIE_KEPT], 2);
    assert_int_equal(json_array_size(json_object_get(user, "kept")), 3);
    assert_int_equal(skipped[PIE_PEP], 1);
    buf_append_str(&text, "<server-data xmlns='urn:xmpp:pie:0'><host jid='x'>");
    pie_write_user(user, "a", &text);
    buf_append_str(&text, "</host></server-data>");
    assert_true(json_equal(user, read_user(buf_text(&text))));
    json_decref(user);
    buf_deinit(&text);
}

#define ROSTER(items) "<query xmlns='jabber:iq:roster'>" items "</query>"
#define NEXT_USER     "</user><user name='b'>" ROSTER("<item jid='d@x'/>")

/* What both users of a file have: a, all that is good of it, and b. */
static void expect_good(const char *text, const char *list, size_t count)
{
    int rc;
    const json_t *user = read_text(text, &rc);

    assert_int_equal(rc, 0);
    assert_string_equal(fault, "");
    assert_int_equal(json_array_size(users), 2);
    assert_int_equal(json_array_size(json_object_get(user, list)), count);
    assert_string_equal(text_at(json_array_get(users, 1), "contacts", "jid"), "d@x");
}

/* Goal: what a contact or a stranger made of one entry costs no other entry and no other user.
 * Method: a bad address; trees that are too large in each way, beside good ones. */
static void test_bad_entries(void **state)
{
    struct buf text = BUF_EMPTY;

    (void)state;
    expect_good(FILE_OF(ROSTER("<item jid='@'/><item jid='c@x'/>") NEXT_USER), "contacts", 1);
    assert_int_equal(skipped[PIE_CONTACT], 1);
    buf_printf(&text,
               FILE_OF(ROSTER("<item jid='c@x' name='%0*d'/><item jid='c@x'/>"
                              "<item jid='e@x'><group>%0*d</group></item>"
                              "<item jid='e@x'><group>%0*d</group></item>") NEXT_USER),
               100000, 1, 2000000, 1, (int)PIE_ENTRY_BYTES_MAX, 1);
    expect_good(buf_text(&text), "contacts", 1);
    assert_int_equal(skipped[PIE_LARGE], 3);
    buf_clear(&text);
    buf_append_str(&text, "<server-data xmlns='urn:xmpp:pie:0'><host jid='x'><user name='a'>"
                          "<offline-messages><message from='c@x'>");
    for (size_t i = 0; i < 40; i++) {
        buf_append_str(&text, "<d>");
    }
    for (size_t i = 0; i < 40; i++) {
        buf_append_str(&text, "</d>");
    }
    buf_append_str(&text, "</message><message from='c@x'/></offline-messages>" NEXT_USER
                          "</user></host></server-data>");
    expect_good(buf_text(&text), "messages", 1);
    assert_int_equal(skipped[PIE_LARGE], 1);
    buf_deinit(&text);
}

/* A user with so many of an entry, and one behind it; which one is there? */
static void expect_refused(const char *entry, size_t count, bool is_refused)
{
    struct buf text = BUF_EMPTY;
    int rc;
    const json_t *user;

    buf_append_str(&text, "<server-data xmlns='urn:xmpp:pie:0'><host jid='x'><user name='a'>");
    for (size_t i = 0; i < count; i++) {
        buf_append_str(&text, entry);
    }
    buf_append_str(&text, NEXT_USER "</user></host></server-data>");
    user = read_text(buf_text(&text), &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(json_array_size(users), is_refused ? 1 : 2);
    assert_string_equal(json_string_value(json_object_get(user, "user")),
                        is_refused ? "b@x" : "a@x");
    assert_string_equal(refused, is_refused ? "a@x: more of one user than can be;" : "");
    buf_deinit(&text);
}

/* Goal: a user with too much is refused once and by name, and the others go on.
 * Method: entries at the limit and beyond it, in number; in bytes. */
static void test_too_much(void **state)
{
    struct buf request = BUF_EMPTY;

    (void)state;
    expect_refused("<presence from='c@x' type='subscribe'/>", PIE_ENTRIES_MAX, false);
    expect_refused("<presence from='c@x' type='subscribe'/>", PIE_ENTRIES_MAX + 2, true);
    expect_refused(ROSTER("<item jid='@'/>"), PIE_ENTRIES_MAX + 2, true);
    buf_printf(&request, "<presence from='c@x' type='subscribe'><status>%0*d</status></presence>",
               500000, 1);
    expect_refused(buf_text(&request), 120, false);
    expect_refused(buf_text(&request), 140, true);
    buf_deinit(&request);
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
        cmocka_unit_test(test_times),       cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_messages),    cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_entries), cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
