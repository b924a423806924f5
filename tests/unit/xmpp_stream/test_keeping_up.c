/* A client that keeps up with what comes has a list with room, at any rate: what it has is told to
 * the log before the list is full, not at the next full second. */
#include "storage/state/state.h"
#include "tests/unit/xmpp_stream/dialogue.h"

#include <stdio.h>
#include <string.h>

#define BIG_BYTES (STATE_PENDING_BYTES_MAX / 32)

/* The next number goes out. */
static void deliver(struct dialogue *d, uint32_t number, const char *xml)
{
    char record[64];

    (void)snprintf(record, sizeof(record), "notes run epoch=1 %u+1@%u", number, 10 + number);
    log_pending(d, 10 + number, xml);
    expect_log(d, record);
    log_done(d, 0);
    log_recorded(d, number);
}

static void drop_output(struct dialogue *d)
{
    char *output = take_output(d);

    mem_free(&output);
}

static void client_has(struct dialogue *d, uint32_t number)
{
    char ack[64];

    (void)snprintf(ack, sizeof(ack), "<a xmlns='urn:xmpp:sm:3' h='%u'/>", number);
    client_says(d, ack);
}

/* Number 1 comes and is told, so that nothing but much is due before a second has passed. */
static void reach_noted(struct dialogue *d)
{
    d->config.output_bytes_max = (uint32_t)STATE_PENDING_BYTES_MAX;
    reach_enabled(d);
    deliver(d, 1, "<message/>");
    client_has(d, 1);
    expect_log(d, "notes ack epoch=1 11/11");
    drop_output(d);
}

/* A message of this size; until the next call. */
static const char *big_message(void)
{
    static char xml[BIG_BYTES + 64];
    static const char head[] = "<message>";

    memcpy(xml, head, sizeof(head) - 1);
    memset(xml + sizeof(head) - 1, 'x', BIG_BYTES);
    memcpy(xml + sizeof(head) - 1 + BIG_BYTES, "</message>", sizeof("</message>"));
    return xml;
}

/* Goal: an eighth of a full list of small stanzas, acked, is told at once. */
static void script_many_stanzas(struct dialogue *d)
{
    const uint32_t last = 1 + STATE_PENDING_MAX / 8;

    reach_noted(d);
    for (uint32_t number = 2; number <= last; number++) {
        deliver(d, number, "<message/>");
    }
    client_has(d, last - 1);
    expect_no_log(d);
    client_has(d, last);
    expect_log(d, "notes ack epoch=1 136/136");
    expect_no_log(d);
}

/* Goal: the same of bytes. */
static void script_big_stanzas(struct dialogue *d)
{
    reach_noted(d);
    for (uint32_t number = 2; number <= 5; number++) {
        deliver(d, number, big_message());
    }
    client_has(d, 4);
    expect_no_log(d);
    client_has(d, 5);
    expect_log(d, "notes ack epoch=1 15/15");
}

/* Goal: much that is not acked is asked about before the next second. */
static void script_big_stanzas_are_asked_about(struct dialogue *d)
{
    reach_noted(d);
    deliver(d, 2, big_message());
    expect_output_lacks(d, ASK);
    deliver(d, 3, big_message());
    expect_output_has(d, ASK);
}

/* Goal: without acks, what has left is told when it is much. */
static void script_without_acks(struct dialogue *d)
{
    d->config.output_bytes_max = (uint32_t)STATE_PENDING_BYTES_MAX;
    reach_listening(d);
    log_pending(d, 10, "<message/>");
    expect_server(d, "<message/>");
    expect_log(d, "notes ack epoch=1 10/10");
    log_pending(d, 11, "<message/>");
    drop_output(d);
    client_says(d, " ");
    expect_no_log(d);
    log_pending(d, 12, big_message());
    expect_no_log(d); /* it has not left yet */
    drop_output(d);
    client_says(d, " ");
    expect_log(d, "notes ack epoch=1 12/12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(script_many_stanzas),
        DIALOGUE_TEST(script_big_stanzas),
        DIALOGUE_TEST(script_big_stanzas_are_asked_about),
        DIALOGUE_TEST(script_without_acks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
