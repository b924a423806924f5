/* Rows as text: keys, fields, and what is kept from view. */
#include "storage/state/schema.pb-c.h"
#include "tools/inspect/row_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Goal: a key printed can be given back as a prefix, whatever bytes it has.
 * Method: all bytes, escaped and back; a few forms by letter; what is no escape is refused. */
static void test_escape_round_trip(void **state)
{
    uint8_t all[256];
    struct buf text = BUF_EMPTY;
    struct buf back = BUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)i;
    }
    row_text_escape(slice_make(all + 1, 255), &text);
    assert_int_equal(row_text_unescape(buf_text(&text), &back), 0);
    assert_true(slice_eq(buf_slice(&back), slice_make(all + 1, 255)));

    buf_clear(&text);
    row_text_escape(slice_make("a\0\\\n~", 5), &text);
    assert_string_equal(buf_text(&text), "a\\x00\\\\\\x0a~");
    assert_int_equal(row_text_unescape("\\x0", &back), ERR_MALFORMED);
    assert_int_equal(row_text_unescape("\\", &back), ERR_MALFORMED);
    assert_int_equal(row_text_unescape("\\n", &back), ERR_MALFORMED);
    buf_deinit(&text);
    buf_deinit(&back);
}

static void check(const ProtobufCMessage *message, bool secrets, const char *expected)
{
    struct buf text = BUF_EMPTY;

    row_text_message(message, secrets, &text);
    assert_string_equal(buf_text(&text), expected);
    buf_deinit(&text);
}

/* Goal: every kind of field is printed; empty ones are not; secrets only when asked for.
 * Method: messages with numbers, texts, bytes, enums, booleans, nested and repeated messages, and a
 * choice of fields, by letter. */
static void test_messages(void **state)
{
    Pb__Stanza stanza = PB__STANZA__INIT;
    Pb__PendingRow pending = PB__PENDING_ROW__INIT;
    Pb__TicketKey ticket = PB__TICKET_KEY__INIT;
    Pb__TicketKey none = PB__TICKET_KEY__INIT;
    Pb__TicketKey *tickets[] = {&ticket, &none};
    Pb__SecretsRow secrets = PB__SECRETS_ROW__INIT;
    Pb__PresenceRow presence = PB__PRESENCE_ROW__INIT;
    Pb__RosterItem item = PB__ROSTER_ITEM__INIT;
    char *groups[] = {(char *)"friends", (char *)"a\"b"};
    uint8_t body[] = "<body>hi</body>";
    (void)state;

    check(&stanza.base, false, "{}");
    stanza.from = (char *)"a@x";
    stanza.kind = PB__STANZA__KIND__IQ;
    stanza.delayed = 1;
    stanza.position = UINT64_MAX;
    stanza.inner = (ProtobufCBinaryData){.data = body, .len = sizeof(body) - 1};
    pending.what_case = PB__PENDING_ROW__WHAT_OWN;
    pending.own = &stanza;
    check(&pending.base, false,
          "{own: {kind: IQ, from: \"a@x\", inner: <15 bytes>, "
          "position: 18446744073709551615, delayed: true}}");
    check(&stanza.base, true,
          "{kind: IQ, from: \"a@x\", inner: \"<body>hi</body>\", "
          "position: 18446744073709551615, delayed: true}");
    pending.what_case = PB__PENDING_ROW__WHAT_SHARED;
    pending.shared = 0;
    check(&pending.base, false, "{shared: 0}"); /* chosen, though zero */

    secrets.decoy_secret = stanza.inner;
    ticket.aes_key = ticket.mac_key = stanza.inner;
    secrets.ticket_keys = tickets;
    secrets.n_ticket_keys = 2;
    check(&secrets.base, false,
          "{ticket_keys: [{aes_key: <15 bytes>, mac_key: <15 bytes>}, {}], "
          "decoy_secret: <15 bytes>}");

    presence.priority = -5;
    check(&presence.base, false, "{priority: -5}");

    item.contact = (char *)"b@x";
    item.n_groups = 2;
    item.groups = groups;
    check(&item.base, false, "{contact: \"b@x\", groups: [\"friends\", \"a\"b\"]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape_round_trip),
        cmocka_unit_test(test_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
