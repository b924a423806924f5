/* xmpp/im on the worker's side: which command does a stanza become? */
#include "xmpp/im/im.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SENDER "romeo@example.test/orchard"

/* One line a command: what state would act upon. */
static void print_stanza(struct buf *out, const Pb__Stanza *stanza)
{
    buf_printf(out, " from=%s to=%s type=%s id=%s inner=%.*s", stanza->from, stanza->to,
               stanza->type, stanza->id, (int)stanza->inner.len, (const char *)stanza->inner.data);
}

static void print_roster_set(struct buf *out, const Pb__RosterSet *set)
{
    buf_printf(out, "roster_set id=%s contact=%s name=%s remove=%d groups=", set->iq_id,
               set->contact, set->name, set->remove);
    for (size_t i = 0; i < set->n_groups; i++) {
        buf_printf(out, "%s%s", i == 0 ? "" : ",", set->groups[i]);
    }
}

static bool copied; /* of the last message */

static void print_keep(struct buf *out, const Pb__Keep *keep)
{
    buf_printf(out, "keep id=%s", keep->iq_id);
    for (size_t i = 0; i < keep->n_items; i++) {
        const Pb__Kept *item = keep->items[i];

        buf_printf(out, " %d {%s}%s %.*s", (int)item->kind, item->ns, item->name,
                   (int)item->element.len, (const char *)item->element.data);
    }
}

static void print_command(struct buf *out, const Pb__Command *command)
{
    switch (command->body_case) {
    case PB__COMMAND__BODY_MESSAGE:
        copied = command->message->copy;
        buf_printf(out, "message store=%d", command->message->store);
        print_stanza(out, command->message->stanza);
        break;
    case PB__COMMAND__BODY_PRESENCE:
        buf_printf(out, "presence priority=%d", command->presence->priority);
        print_stanza(out, command->presence->stanza);
        break;
    case PB__COMMAND__BODY_IQ:
        buf_append_str(out, "iq");
        print_stanza(out, command->iq->stanza);
        break;
    case PB__COMMAND__BODY_ASK:
        buf_printf(out, "ask roster=%d", command->ask->roster);
        print_stanza(out, command->ask->request);
        break;
    case PB__COMMAND__BODY_ANSWER:
        buf_append_str(out, "answer");
        print_stanza(out, command->answer->stanza);
        break;
    case PB__COMMAND__BODY_ROSTER_SET:
        print_roster_set(out, command->roster_set);
        break;
    case PB__COMMAND__BODY_KEEP:
        print_keep(out, command->keep);
        break;
    case PB__COMMAND__BODY_COPIES_SET:
        buf_printf(out, "copies id=%s enable=%d", command->copies_set->iq_id,
                   command->copies_set->enable);
        break;
    case PB__COMMAND__BODY_NOTES:
        buf_printf(out, "count %u", command->notes->counts[0]->count);
        break;
    default:
        buf_append_str(out, "other");
        break;
    }
}

/* The command for one stanza as text, or "rc=<error>". The caller frees it with buf_deinit(). */
static struct buf command_for(const char *xml, uint32_t log_version)
{
    const struct xml_limits limits = {0};
    const struct im_sender sender = {.session = 7,
                                     .epoch = 2,
                                     .count = 41,
                                     .counted = true,
                                     .address = SENDER,
                                     .log_version = log_version,
                                     .ref = {.worker = 1, .slot = 2, .generation = 3, .cookie = 4}};
    struct xml_reader *reader = xml_reader_new(&limits);
    struct xml_event *event = NULL;
    struct buf packed = BUF_EMPTY;
    struct buf text = BUF_EMPTY;
    int rc;

    xml_reader_feed(reader, slice_str("<stream:stream xmlns='jabber:client' "
                                      "xmlns:stream='http://etherx.jabber.org/streams'>"));
    assert_int_equal(xml_reader_next(reader, &event), 1);
    xml_event_free(&event);
    xml_reader_feed(reader, slice_str(xml));
    assert_int_equal(xml_reader_next(reader, &event), 1);

    rc = im_command(&sender, event->element, &event->arena, &packed);
    if (rc != 0) {
        buf_printf(&text, "rc=%s", err_text(rc));
    } else {
        struct slice bytes = buf_slice(&packed);
        Pb__Command *command = pb__command__unpack(&event->arena.pb, bytes.len, bytes.data);

        assert_non_null(command);
        assert_int_equal(command->ref->cookie, 4);
        print_command(&text, command);
    }
    buf_deinit(&packed);
    xml_event_free(&event);
    xml_reader_free(&reader);
    return text;
}

#define OMEMO "<encrypted xmlns='urn:xmpp:omemo:2'/>"
#define BODY  "<body>hi</body>"
#define ERROR_INNER(kind, condition)                                                               \
    "<error type='" kind "'><" condition " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

#define PRIVATE_SET(inner)                                                                         \
    "<iq type='set' id='1'><query xmlns='jabber:iq:private'>" inner "</query></iq>"
#define NOT_ACCEPTABLE                                                                             \
    "answer from=romeo@example.test to=" SENDER                                                    \
    " type=error id=1 inner=" ERROR_INNER("modify", "not-acceptable")
#define FOUR(n)      "<a xmlns='" n "'/><b xmlns='" n "'/><c xmlns='" n "'/><d xmlns='" n "'/>"
#define FOUR_KEPT(n) " 0 {" n "}a  0 {" n "}b  0 {" n "}c  0 {" n "}d "
#define SIXTEEN      FOUR("1") FOUR("2") FOUR("3") FOUR("4")
#define SIXTEEN_KEPT FOUR_KEPT("1") FOUR_KEPT("2") FOUR_KEPT("3") FOUR_KEPT("4")

static const struct example {
    const char *stanza;
    const char *command;
} examples[] = {
    /* messages: RFC 6121 §5, XEP-0160, XEP-0334 */
    {"<message to='Juliet@example.test' id='1'>" BODY "</message>",
     "message store=1 from=" SENDER " to=juliet@example.test type= id=1 inner=" BODY},
    {"<message>" BODY "</message>",
     "message store=1 from=" SENDER " to=romeo@example.test type= id= inner=" BODY},
    {"<message to='j@example.test' type='headline'>" BODY "</message>",
     "message store=0 from=" SENDER " to=j@example.test type=headline id= inner=" BODY},
    {"<message to='j@example.test'><a xmlns='b'/></message>",
     "message store=0 from=" SENDER " to=j@example.test type= id= inner=<a xmlns='b'/>"},
    /* what a person would miss without a body, and what its sender wants kept */
    {"<message to='j@example.test' type='chat'>" OMEMO "</message>",
     "message store=1 from=" SENDER " to=j@example.test type=chat id= inner=" OMEMO},
    {"<message to='j@example.test' type='chat'><encryption xmlns='urn:xmpp:eme:0'/></message>",
     "message store=1 from=" SENDER " to=j@example.test type=chat id= "
     "inner=<encryption xmlns='urn:xmpp:eme:0'/>"},
    {"<message to='j@example.test' type='chat'><store xmlns='urn:xmpp:hints'/></message>",
     "message store=1 from=" SENDER " to=j@example.test type=chat id= "
     "inner=<store xmlns='urn:xmpp:hints'/>"},
    {"<message to='j@example.test'>" BODY "<no-permanent-store xmlns='urn:xmpp:hints'/></message>",
     "message store=1 from=" SENDER " to=j@example.test type= id= inner=" BODY
     "<no-permanent-store xmlns='urn:xmpp:hints'/>"},
    {"<message to='j@example.test' type='chat'>" OMEMO "<no-store xmlns='urn:xmpp:hints'/>"
     "</message>",
     "message store=0 from=" SENDER " to=j@example.test type=chat id= inner=" OMEMO
     "<no-store xmlns='urn:xmpp:hints'/>"},
    {"<message to='j@example.test'>" BODY "<no-store xmlns='urn:xmpp:hints'/></message>",
     "message store=0 from=" SENDER " to=j@example.test type= id= inner=" BODY
     "<no-store xmlns='urn:xmpp:hints'/>"},
    /* a client must not give ids in the server's name (XEP-0359 §5) */
    {"<message to='j@example.test'>" BODY
     "<stanza-id xmlns='urn:xmpp:sid:0' by='j@example.test' id='1'/>"
     "<stanza-id xmlns='urn:xmpp:sid:0' by='J@Example.TEST' id='2'/>"
     "<stanza-id xmlns='urn:xmpp:sid:0' by='j@example.test.' id='3'/>"
     "<stanza-id xmlns='urn:xmpp:sid:0' by='j@@' id='4'/></message>",
     "message store=1 from=" SENDER " to=j@example.test type= id= inner=" BODY},
    /* addresses: RFC 6120 §8.1.2.1, §8.3.3.8 */
    {"<message to='a@b@c' id='1'/>",
     "answer from=romeo@example.test to=" SENDER
     " type=error id=1 inner=" ERROR_INNER("modify", "jid-malformed")},
    {"<message from='eve@example.test' to='j@example.test'/>", "rc=conflict"},
    {"<message from='romeo@example.test' to='j@example.test'/>",
     "message store=0 from=" SENDER " to=j@example.test type= id= inner="},
    {"<message to='a@b@c' type='error'/>", "count 41"},
    /* presence: RFC 6121 §3, §4 */
    {"<presence><priority>-5</priority></presence>",
     "presence priority=-5 from=" SENDER " to= type= id= inner=<priority>-5</priority>"},
    {"<presence id='p'><priority>300</priority></presence>",
     "answer from=romeo@example.test to=" SENDER
     " type=error id=p inner=" ERROR_INNER("modify", "bad-request")},
    {"<presence type='subscribe' to='j@example.test/balcony'/>",
     "presence priority=0 from=" SENDER " to=j@example.test type=subscribe id= inner="},
    {"<presence type='subscribe' id='s'/>",
     "answer from=romeo@example.test to=" SENDER
     " type=error id=s inner=" ERROR_INNER("modify", "bad-request")},
    {"<presence type='probe' to='j@example.test'/>", "count 41"},
    /* IQ: RFC 6120 §8.2.3, RFC 6121 §2 */
    {"<iq type='get' id='1' to='j@example.test/balcony'><query xmlns='jabber:iq:last'/></iq>",
     "iq from=" SENDER
     " to=j@example.test/balcony type=get id=1 inner=<query xmlns='jabber:iq:last'/>"},
    {"<iq type='get' id='1'><query xmlns='jabber:iq:roster' ver=''/></iq>",
     "ask roster=1 from=" SENDER
     " to= type=get id=1 inner=<query xmlns='jabber:iq:roster' ver=''/>"},
    {"<iq type='get' id='1' to='j@example.test'><query xmlns='jabber:iq:roster'/></iq>",
     "answer from=j@example.test to=" SENDER
     " type=error id=1 inner=" ERROR_INNER("auth", "forbidden")},
    {"<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
     "<item jid='J@example.test' name='Ju'><group>a</group><group>b</group></item></query></iq>",
     "roster_set id=1 contact=j@example.test name=Ju remove=0 groups=a,b"},
    {"<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
     "<item jid='j@example.test'><group>a</group><group>a</group></item></query></iq>",
     "answer from=romeo@example.test to=" SENDER
     " type=error id=1 inner=" ERROR_INNER("modify", "bad-request")},
    {"<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
     "<item jid='romeo@example.test'/></query></iq>",
     "answer from=romeo@example.test to=" SENDER
     " type=error id=1 inner=" ERROR_INNER("cancel", "not-allowed")},
    {"<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
     "<item jid='j@example.test' subscription='remove'/></query></iq>",
     "roster_set id=1 contact=j@example.test name= remove=1 groups="},
    {"<iq type='get' id='1' to='example.test'><ping xmlns='urn:xmpp:ping'/></iq>",
     "ask roster=0 from=" SENDER
     " to=example.test type=get id=1 inner=<ping xmlns='urn:xmpp:ping'/>"},
    {"<iq type='get' id='1'/>", "answer from=romeo@example.test to=" SENDER
                                " type=error id=1 inner=" ERROR_INNER("modify", "bad-request")},
    {"<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
     "answer from=romeo@example.test to=" SENDER
     " type=error id= inner=" ERROR_INNER("modify", "bad-request")},
    {"<iq type='result' id='1'/>", "count 41"},
    {"<iq type='result' id='1' to='j@example.test/balcony'/>",
     "iq from=" SENDER " to=j@example.test/balcony type=result id=1 inner="},
    /* what is kept here: XEP-0049 §2.3, XEP-0054 §3.2 */
    {"<iq type='set' id='1'><query xmlns='jabber:iq:private'><a xmlns='n'><b>1</b></a>"
     "<c xmlns='n' d='2'/></query></iq>",
     "keep id=1 0 {n}a <a xmlns='n'><b>1</b></a> 0 {n}c <c xmlns='n' d='2'/>"},
    {"<iq type='set' id='1' to='romeo@example.test'><query xmlns='jabber:iq:private'>"
     "<a xmlns='n'/></query></iq>",
     "keep id=1 0 {n}a "},
    {"<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>R</FN></vCard></iq>",
     "keep id=1 1 {vcard-temp}vCard <vCard xmlns='vcard-temp'><FN>R</FN></vCard>"},
    {"<iq type='set' id='1' to='j@example.test'><vCard xmlns='vcard-temp'/></iq>",
     "answer from=j@example.test to=" SENDER
     " type=error id=1 inner=" ERROR_INNER("auth", "forbidden")},
    {"<iq type='set' id='1' to='example.test'><query xmlns='jabber:iq:private'>"
     "<a xmlns='n'/></query></iq>",
     "answer from=example.test to=" SENDER
     " type=error id=1 inner=" ERROR_INNER("auth", "forbidden")},
    {PRIVATE_SET(""), NOT_ACCEPTABLE},
    {PRIVATE_SET("<a/>"), NOT_ACCEPTABLE},
    {PRIVATE_SET("<a xmlns=''/>"), NOT_ACCEPTABLE},
    {PRIVATE_SET("<a xmlns='jabber:client'/>"), NOT_ACCEPTABLE},
    {PRIVATE_SET("<a xmlns='n'>1</a><a xmlns='n'>2</a>"), NOT_ACCEPTABLE},
    {PRIVATE_SET(SIXTEEN), "keep id=1" SIXTEEN_KEPT},
    {PRIVATE_SET(SIXTEEN "<q xmlns='n'/>"), NOT_ACCEPTABLE},
    /* copies: XEP-0280 §4, §5 */
    {"<iq type='set' id='1'><enable xmlns='urn:xmpp:carbons:2'/></iq>", "copies id=1 enable=1"},
    {"<iq type='set' id='1' to='romeo@example.test'><disable xmlns='urn:xmpp:carbons:2'/></iq>",
     "copies id=1 enable=0"},
    {"<iq type='set' id='1' to='j@example.test'><enable xmlns='urn:xmpp:carbons:2'/></iq>",
     "answer from=j@example.test to=" SENDER
     " type=error id=1 inner=" ERROR_INNER("cancel", "not-allowed")},
    {"<iq type='get' id='1'><enable xmlns='urn:xmpp:carbons:2'/></iq>",
     "ask roster=0 from=" SENDER " to= type=get id=1 inner=<enable xmlns='urn:xmpp:carbons:2'/>"},
    /* no stanza at all */
    {"<stanza/>", "rc=malformed"},
};

/* Goal: every stanza becomes the one command that the RFC's rules name.
 * Method: a table of stanzas and the command they must become, printed as text. */
static void test_stanza_becomes_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        struct buf text = command_for(examples[i].stanza, STATE_LOG_VERSION);

        assert_string_equal(buf_text(&text), examples[i].command);
        buf_deinit(&text);
    }
}

/* Goal: what is copied to other sessions is what XEP-0280 §6.1 names, unless its sender forbids it.
 * Method: messages of each kind; then the same before that version is written. */
static void test_copied(void **state)
{
    static const struct {
        const char *message;
        bool is_copied;
    } cases[] = {
        {"<message to='j@example.test' type='chat'/>", true},
        {"<message to='j@example.test'>" BODY "</message>", true},
        {"<message to='j@example.test' type='normal'>" BODY "</message>", true},
        {"<message to='j@example.test'>" OMEMO "</message>", true},
        {"<message to='j@example.test'><a xmlns='b'/></message>", false},
        {"<message to='j@example.test' type='headline'>" BODY "</message>", false},
        {"<message to='j@example.test' type='groupchat'>" BODY "</message>", false},
        {"<message to='j@example.test' type='error'>" BODY "</message>", false},
        {"<message to='j@example.test'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
         true},
        {"<message to='j@example.test'><active xmlns='http://jabber.org/protocol/chatstates'/>"
         "</message>",
         true},
        {"<message to='j@example.test'><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"
         "</message>",
         true},
        {"<message to='j@example.test' type='groupchat'><displayed "
         "xmlns='urn:xmpp:chat-markers:0' id='1'/></message>",
         false},
        {"<message to='j@example.test'><x xmlns='jabber:x:conference' jid='r@y'/></message>", true},
        {"<message to='r@y'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='j@x'/></x>"
         "</message>",
         true},
        {"<message to='r@y'><x xmlns='http://jabber.org/protocol/muc#user'/></message>", false},
        {"<message to='j@example.test' type='chat'>" BODY
         "<private xmlns='urn:xmpp:carbons:2'/></message>",
         false},
        {"<message to='j@example.test' type='chat'>" BODY
         "<no-copy xmlns='urn:xmpp:hints'/></message>",
         false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (uint32_t version = STATE_LOG_VERSION_COPIES - 1; version <= STATE_LOG_VERSION_COPIES;
             version++) {
            struct buf text = command_for(cases[i].message, version);

            assert_int_equal(copied, cases[i].is_copied && version == STATE_LOG_VERSION_COPIES);
            buf_deinit(&text);
        }
    }
}

/* Goal: no command is made that programs before this one would not know.
 * Method: what became one above, before its version is written: it is asked like anything unknown.
 */
static void test_older_version(void **state)
{
    const char *stanza = "<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>R</FN></vCard></iq>";
    struct buf text = command_for(stanza, STATE_LOG_VERSION_KEPT - 1);

    (void)state;
    assert_string_equal(buf_text(&text), "ask roster=0 from=" SENDER " to= type=set id=1 inner="
                                         "<vCard xmlns='vcard-temp'><FN>R</FN></vCard>");
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stanza_becomes_command),
        cmocka_unit_test(test_copied),
        cmocka_unit_test(test_older_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
