/* XEP-0198 on one connection, by the rules of DESIGN 5: what the client sent is acked after apply,
 * what it gets is recorded before it is written, its acks become positions. */
#include "tests/unit/xmpp_stream/dialogue.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE(id) "<message to='bob@example.test' id='" id "'><body>hi</body></message>"

/* ---- enable */

static void script_enable(struct dialogue *d)
{
    reach_enabled(d);
    expect_no_log(d);
    expect_no_action(d);
    client_says(d, ASK);
    expect_server(d, ACK("0"));
}

/* Goal: without resume='true' there is no id; max is bounded by the client's wish. */
static void script_enable_without_resume(struct dialogue *d)
{
    const struct outcome enabled = {.kind = OUTCOME_ENABLED, .window_s = 60};

    reach_bound(d);
    client_says(d, "<enable xmlns='urn:xmpp:sm:3' max='60'/>");
    expect_log(d, "enable epoch=1 resume=0 window=60");
    log_says(d, &enabled);
    expect_server(d, "<enabled xmlns='urn:xmpp:sm:3'/>");
    client_leaves(d);
    expect_log(d, "close epoch=1");
    expect_action(d, STREAM_DROP);
}

/* Goal: only one attempt (XEP-0198 §3), and none by <resume/> on a bound stream. */
static void script_enable_twice(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, "<enable xmlns='urn:xmpp:sm:3'/>");
    expect_server(d, FAILED("unexpected-request"));
    client_says(d, "<resume xmlns='urn:xmpp:sm:3' h='0' previd='0123456789abcdef'/>");
    expect_server(d, FAILED("unexpected-request"));
    expect_no_log(d);
}

static void script_enable_refused(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, "<enable xmlns='urn:xmpp:sm:3' resume='1'/>");
    expect_log(d, "enable epoch=1 resume=1 window=600");
    log_done(d, ERR_LIMIT);
    expect_server(d, FAILED("internal-server-error"));
    client_says(d, ASK);
    expect_server(d, FAILED("unexpected-request"));
}

/* Goal: counting starts at the apply of Enable: what is sent behind <enable/> waits and is number
 * 1; what left before is done, and what is delivered meanwhile waits, and is number 1. */
static void script_enable_is_a_border(struct dialogue *d)
{
    const struct outcome enabled = {.kind = OUTCOME_ENABLED};

    reach_bound(d);
    client_says(d, MESSAGE("m0"));
    expect_log(d, "message epoch=1 m0");
    log_done(d, 0);
    log_pending(d, 7, "<message id='before'/>");
    expect_server(d, "<message id='before'/>");
    client_says(d, "<enable xmlns='urn:xmpp:sm:3'/>" MESSAGE("m1"));
    expect_log(d, "notes ack epoch=1 7/7"); /* it has left: there is no ack to wait for */
    expect_log(d, "enable epoch=1 resume=0 window=600");
    expect_no_log(d);
    log_pending(d, 8, "<message id='meanwhile'/>");
    expect_server(d, "");
    log_says(d, &enabled);
    expect_server(d, "<enabled xmlns='urn:xmpp:sm:3'/>");
    expect_log(d, "message epoch=1 count=1 m1");
    expect_pull(d, 8, 7);
    log_pending(d, 8, "<message id='meanwhile'/>");
    expect_log(d, "notes run epoch=1 1+1@8");
}

/* Goal: a session that takes over the list of one with the same address gets nothing before its
 * client has said how it counts: without a number it would come again with a resume. */
static void script_nothing_before_enabled(struct dialogue *d)
{
    const struct outcome enabled = {.kind = OUTCOME_ENABLED};

    reach_bound(d);
    log_pending(d, 7, "<message id='left'/>");
    expect_server(d, "");
    expect_no_pull(d);
    client_says(d, "<enable xmlns='urn:xmpp:sm:3'/>");
    expect_log(d, "enable epoch=1 resume=0 window=600");
    log_says(d, &enabled);
    expect_server(d, "<enabled xmlns='urn:xmpp:sm:3'/>");
    expect_pull(d, 0, 0);
    log_pending(d, 7, "<message id='left'/>");
    log_pulled(d, true);
    expect_log(d, "notes run epoch=1 1+1@7");
}

/* Goal: a client that only listens gets it all the same, without a number. */
static void script_only_listens(struct dialogue *d)
{
    reach_bound(d);
    log_pending(d, 7, "<message id='left'/>");
    time_passes(d, STREAM_DECIDE_MS);
    expect_server(d, "");
    expect_pull(d, 0, 0);
    log_pending(d, 7, "<message id='left'/>");
    expect_server(d, "<message id='left'/>");
}

/* ---- inbound */

/* Goal: <a/> after apply only: an <r/> waits for the stanzas in front of it, not for later ones. */
static void script_ack_after_apply(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, MESSAGE("m1") MESSAGE("m2") ASK MESSAGE("m3"));
    expect_log(d, "message epoch=1 count=1 m1");
    expect_log(d, "message epoch=1 count=2 m2");
    expect_log(d, "message epoch=1 count=3 m3");
    expect_server(d, "");
    log_done(d, 0);
    expect_server(d, "");
    log_done(d, 0);
    expect_server(d, ACK("2"));
    client_says(d, ASK ASK);
    expect_server(d, "");
    log_done(d, 0);
    expect_server(d, ACK("3"));
    client_says(d, ASK);
    expect_server(d, ACK("3"));
}

/* Goal: too much in the log stops the reading, also of what was already fed; outcomes start it
 * again. */
static void script_back_pressure(struct dialogue *d)
{
    struct buf many = BUF_EMPTY;
    char text[64];

    reach_enabled(d);
    for (int i = 0; i < 100; i++) {
        buf_append_str(&many, MESSAGE("m"));
    }
    client_says(d, buf_text(&many));
    buf_deinit(&many);
    assert_false(stream_wants_read(d->stream));
    for (int i = 1; i <= 100; i++) {
        (void)snprintf(text, sizeof(text), "message epoch=1 count=%d m", i);
        expect_log(d, text);
        log_done(d, 0);
    }
    expect_no_log(d);
    assert_true(stream_wants_read(d->stream));
}

/* Goal: the session was taken over: what the log refuses by epoch ends the connection without a
 * word. */
static void script_epoch_refused(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, MESSAGE("m1") ASK);
    expect_log(d, "message epoch=1 count=1 m1");
    log_done(d, ERR_CONFLICT);
    expect_server(d, "");
    expect_action(d, STREAM_DROP);
    expect_no_log(d);
}

/* Goal: a stanza that found no room in the log is never acked; the client sends it again after a
 * resume. */
static void script_log_full(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, MESSAGE("m1") MESSAGE("m2") ASK);
    expect_log(d, "message epoch=1 count=1 m1");
    expect_log(d, "message epoch=1 count=2 m2");
    log_done(d, ERR_NO_SPACE);
    expect_server(d, "");
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
    log_done(d, 0);
    expect_server(d, "");
}

/* Goal: a refusal by the state is an answer of its own, not the end of the stream. */
static void script_refusal_is_applied(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, MESSAGE("m1") ASK);
    expect_log(d, "message epoch=1 count=1 m1");
    log_done(d, ERR_NOT_FOUND);
    expect_server(d, ACK("1"));
}

/* ---- outbound */

/* Goal: not a byte of a pending stanza before its record; a volatile one waits behind it. */
static void script_record_before_write(struct dialogue *d)
{
    reach_enabled(d);
    log_pending(d, 10, "<message id='p1'/>");
    log_volatile(d, 11, "<presence id='v2'/>");
    expect_log(d, "notes run epoch=1 1+1@10");
    expect_server(d, "");
    log_pending(d, 12, "<message id='p3'/>");
    expect_log(d, "notes run epoch=1 3+1@12");
    expect_server(d, "");
    log_recorded(d, 1);
    expect_server(d, "<message id='p1'/><presence id='v2'/>" ASK);
    log_recorded(d, 3);
    expect_server(d, "<message id='p3'/>");
}

/* Goal: a stale record or delivery changes nothing. */
static void script_stale_deliveries(struct dialogue *d)
{
    reach_enabled(d);
    log_pending(d, 10, "<message id='p1'/>");
    expect_log(d, "notes run epoch=1 1+1@10");
    d->epoch = 2;
    log_recorded(d, 1);
    log_pending(d, 11, "<message id='stale'/>");
    log_confirmed(d);
    d->epoch = 1;
    expect_server(d, "");
    expect_no_log(d);
    log_recorded(d, 1);
    expect_server(d, "<message id='p1'/>" ASK);
}

/* Goal: several stanzas of one turn make one record.
 * Method: deliver without ending the turn. */
static void script_records_are_packed(struct dialogue *d)
{
    struct delivery delivery = {
        .kind = DELIVERY_PENDING, .owner = d->config.owner, .session = SESSION, .epoch = 1};

    reach_enabled(d);
    for (uint64_t position = 10; position < 13; position++) {
        delivery.position = position;
        delivery.xml = blob_new(slice_str("<message/>"));
        stream_on_delivery(d->stream, &delivery, d->now_ms);
    }
    client_says(d, " ");
    expect_log(d, "notes run epoch=1 1+3@10");
    expect_no_log(d);
}

/* Goal: the client's acks become positions, at most one note a second. */
static void script_acks_become_positions(struct dialogue *d)
{
    reach_enabled(d);
    time_passes(d, 1000);
    log_volatile(d, 9, "<presence id='v1'/>");
    expect_server(d, "<presence id='v1'/>" ASK);
    log_pending(d, 10, "<message id='p2'/>");
    expect_log(d, "notes run epoch=1 2+1@10");
    log_recorded(d, 2);
    expect_server(d, "<message id='p2'/>");
    client_says(d, ACK("1"));
    expect_log(d, "notes ack epoch=1 0/9");
    client_says(d, ACK("2"));
    expect_no_log(d);
    time_passes(d, 999);
    expect_no_log(d);
    time_passes(d, 1);
    expect_log(d, "notes ack epoch=1 10/10");
    time_passes(d, 5000);
    expect_no_log(d);
}

/* Goal: an ack rides along with a record when its second has passed. */
static void script_ack_rides_along(struct dialogue *d)
{
    reach_enabled(d);
    log_pending(d, 10, "<message id='p1'/>");
    expect_log(d, "notes run epoch=1 1+1@10");
    log_recorded(d, 1);
    client_says(d, ACK("1"));
    expect_log(d, "notes ack epoch=1 10/10");
    log_pending(d, 11, "<message id='p2'/>");
    expect_log(d, "notes run epoch=1 2+1@11");
    log_recorded(d, 2);
    client_says(d, ACK("2"));
    expect_no_log(d);
    d->now_ms += 1000;
    log_pending(d, 12, "<message id='p3'/>");
    expect_log(d, "notes run epoch=1 3+1@12 ack epoch=1 11/11");
}

/* Goal: an h above what was sent ends the stream as XEP-0198 §6 says, and the session. */
static void script_count_too_high(struct dialogue *d)
{
    reach_enabled(d);
    log_pending(d, 10, "<message id='p1'/>");
    expect_log(d, "notes run epoch=1 1+1@10");
    client_says(d, ACK("1")); /* numbered, but not written */
    expect_log(d, "close epoch=1");
    expect_server(d, "<stream:error><undefined-condition "
                     "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><handled-count-too-high "
                     "xmlns='urn:xmpp:sm:3' h='1' send-count='0'/></stream:error></stream:stream>");
    expect_action(d, STREAM_CLOSE);
}

static void script_bad_counts(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, ACK("0"));
    expect_server(d, "");
    client_says(d, ACK("-1"));
    expect_log(d, "close epoch=1");
    expect_server(d, ERROR("invalid-xml"));
}

/* Goal: <r/> is asked one at a time, not more than once a second unless much went out. */
static void script_asking(struct dialogue *d)
{
    reach_enabled(d);
    log_volatile(d, 1, "<presence/>");
    expect_server(d, "<presence/>" ASK);
    log_volatile(d, 2, "<presence/>");
    expect_server(d, "<presence/>"); /* one <r/> is out */
    client_says(d, ACK("1"));
    expect_log(d, "notes ack epoch=1 0/1");
    expect_server(d, "");
    time_passes(d, 1000);
    expect_server(d, ASK);
    client_says(d, ACK("2"));
    expect_log(d, "notes ack epoch=1 0/2");
    time_passes(d, 5000);
    expect_server(d, ""); /* all is acked */
    log_volatile(d, 3, "<presence/>");
    expect_server(d, "<presence/>" ASK);
    client_says(d, ACK("3"));
    for (int i = 0; i < 49; i++) {
        log_volatile(d, 4, "<presence/>");
    }
    expect_output_lacks(d, ASK);
    log_volatile(d, 4, "<presence/>");
    expect_output_has(d, ASK);
}

/* ---- limits */

/* Goal: what a client does not take waits outside the output; room in it lets it go on, in order.
 */
static void script_output_has_no_room(struct dialogue *d)
{
    d->config.output_bytes_max = 1000;
    reach_enabled(d);
    for (uint64_t i = 1; i <= 60; i++) {
        char xml[64];

        (void)snprintf(xml, sizeof(xml), "<presence id='%02d'>0123456789</presence>", (int)i);
        log_volatile(d, i, xml);
    }
    expect_output_has(d, "id='24'");
    expect_output_lacks(d, "id='26'");
    expect_no_action(d);
    assert_false(stream_wants_read(d->stream));
    mem_release(take_output(d));
    expect_output_has(d, "id='30'");
    assert_true(buf_len(stream_output(d->stream)) < 1100);
}

static void offer_presence(struct dialogue *d, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        log_volatile(d, i, "<presence>0123456789012345678901234567890</presence>");
    }
}

/* Take all the output; how many presences were in it? */
static uint32_t count_presence(struct dialogue *d)
{
    uint32_t count = 0;

    while (buf_len(stream_output(d->stream)) > 0) {
        char *text = take_output(d);

        for (const char *at = text; (at = strstr(at, "<presence>")) != NULL; at++) {
            count++;
        }
        mem_release(text);
    }
    return count;
}

/* Goal: more than may wait is no loss and no end: it is left in the state, and pulled when the
 * client has taken what waits; then stanzas come by themselves again.
 * Method: offer too much, take everything, answer the pull. */
static void script_falls_behind(struct dialogue *d)
{
    d->config.output_bytes_max = 1000;
    reach_enabled(d);
    offer_presence(d, 1, 130);
    expect_no_pull(d);
    assert_int_equal(count_presence(d), 77);
    expect_pull(d, 0, 77);
    offer_presence(d, 78, 130);
    log_pulled(d, false);
    mem_release(take_output(d));
    mem_release(take_output(d));
    mem_release(take_output(d));
    expect_pull(d, 0, 130);
    log_pulled(d, true);
    expect_no_pull(d);
    (void)count_presence(d);
    offer_presence(d, 131, 131);
    assert_int_equal(count_presence(d), 1);
    client_says(d, ACK("131"));
    time_passes(d, 1000);
    expect_log(d, "notes ack epoch=1 0/131");
    expect_no_action(d);
}

/* Goal: what was asked for before the reason to ask anew is void: it may be old, or leave a gap.
 * Method: while a part is under way, the session becomes available, and later stanzas are left out;
 * the rest of the part, and its end, must not count. */
static void script_pull_is_void(struct dialogue *d)
{
    reach_enabled(d);
    log_volatile(d, 7, "<presence id='v7'/>");
    mem_release(take_output(d));
    log_skipped(d);
    expect_pull(d, 0, 7);
    log_pending(d, 8, "<message id='p8'/>");
    expect_log(d, "notes run epoch=1 2+1@8");
    log_recorded(d, 2);
    expect_server(d, "<message id='p8'/>");
    log_initial(d);
    log_pending(d, 9, "<message id='void'/>");
    log_pulled(d, true);
    expect_pull(d, 9, 0);
    log_skipped(d);
    log_pulled(d, true);
    expect_pull(d, 9, 0);
    log_pending(d, 9, "<message id='p9'/>");
    expect_log(d, "notes run epoch=1 3+1@9");
    log_pulled(d, true);
    log_recorded(d, 3);
    expect_server(d, "<message id='p9'/>");
    expect_no_pull(d);
}

#define LONG_STANZAS  1000
#define LONG_BYTES    (50 * 1024)
#define LONG_HELD_MAX (6 * 100 * 1024) /* named by the limits: 4 outputs, a part, a stanza */

/* A list of 50 MB in the state, as a client without haste gets it. */
struct long_list {
    struct dialogue *d;
    uint64_t next; /* position */
    uint32_t recorded;
    size_t given_bytes;
    size_t taken_bytes;
    uint32_t taken; /* stanzas that the client has seen begin */
    char *xml;
};

static void answer_pull(struct long_list *list)
{
    size_t part_bytes = 0;

    assert_int_equal(list->d->pull.pending_from, list->next);
    while (part_bytes < list->d->pull.bytes_max && list->next < LONG_STANZAS) {
        (void)snprintf(list->xml, LONG_BYTES, "<message id='%u'/>", (unsigned)list->next);
        memset(list->xml + strlen(list->xml), ' ', LONG_BYTES - strlen(list->xml));
        log_pending(list->d, list->next, list->xml);
        part_bytes += LONG_BYTES;
        list->next++;
    }
    list->given_bytes += part_bytes;
    log_pulled(list->d, list->next == LONG_STANZAS);
}

/* The log takes all records; which they are is not looked at. */
static void record_all(struct long_list *list)
{
    while (list->d->commands.count > 0) {
        dialogue_skip_log(list->d);
    }
    log_recorded(list->d, (uint32_t)list->next);
}

static void take_some(struct long_list *list)
{
    char *text = take_output(list->d);

    for (const char *at = text; (at = strstr(at, "<message id='")) != NULL; at++) {
        assert_int_equal(strtoul(at + strlen("<message id='"), NULL, 10), list->taken);
        list->taken++;
    }
    for (const char *at = text; (at = strstr(at, ASK)) != NULL; at++) {
        list->taken_bytes -= strlen(ASK);
    }
    list->taken_bytes += strlen(text);
    mem_release(text);
}

/* Goal: a resume to 50 MB, read slowly, never holds more than a few outputs in memory, and all of
 * it arrives, once, in order. Method: the client reads every tenth turn. */
static void script_long_list(struct dialogue *d)
{
    struct long_list list = {.d = d, .xml = mem_zalloc(LONG_BYTES + 1)};
    size_t held_max = 0;

    d->config.output_bytes_max = 100 * 1024;
    reach_enabled(d);
    client_leaves(d);
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
    reach_resumed(d, 0);
    client_says(d, ACK("0"));
    log_confirmed(d);
    for (uint32_t turn = 0; list.taken < LONG_STANZAS && turn < 100000; turn++) {
        if (d->pull.number != 0) {
            answer_pull(&list);
        }
        record_all(&list);
        if (list.given_bytes - list.taken_bytes > held_max) {
            held_max = list.given_bytes - list.taken_bytes;
        }
        if (turn % 10 == 9) {
            take_some(&list);
        }
    }
    assert_int_equal(list.taken, LONG_STANZAS);
    assert_true(held_max <= LONG_HELD_MAX);
    expect_no_action(d);
    mem_free(&list.xml);
}

/* Goal: a client that takes nothing of too much is cut in the end as a silent one, its session
 * detached. */
static void script_output_stuck(struct dialogue *d)
{
    d->config.output_bytes_max = 1000;
    reach_enabled(d);
    offer_presence(d, 1, 130);
    time_passes(d, 1000);
    time_passes(d, d->config.idle_probe_ms);
    time_passes(d, d->config.idle_dead_ms);
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
}

/* Goal: a session whose stanza never ends is detached: its client may resume and send it whole. */
static void script_endless_stanza(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, "<message><body>");
    time_passes(d, d->config.stanza_ms);
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
}

/* Goal: a client that takes but never acks is cut before it fills the memory.
 * Method: pending and volatile by turns, so that nothing can be grouped. */
static void script_never_acks(struct dialogue *d)
{
    uint32_t number = 0;

    reach_enabled(d);
    while (!d->has_action && number < 10000) {
        log_pending(d, number + 1, "<message/>");
        number++;
        while (d->commands.count > 0 && !d->has_action) {
            char text[64];

            (void)snprintf(text, sizeof(text), "notes run epoch=1 %u+1@%u", number, number);
            expect_log(d, text);
        }
        log_recorded(d, number);
        mem_release(take_output(d));
    }
    assert_true(number > 4000);
    assert_true(number < 5000);
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
}

/* ---- ends */

/* Goal: a lost connection detaches the session, after the last acks; stanzas not recorded stay
 * pending. */
static void script_disconnect(struct dialogue *d)
{
    reach_enabled(d);
    log_pending(d, 10, "<message id='p1'/>");
    expect_log(d, "notes run epoch=1 1+1@10");
    log_recorded(d, 1);
    client_says(d, ACK("1"));
    expect_log(d, "notes ack epoch=1 10/10");
    log_volatile(d, 11, "<presence/>");
    client_says(d, ACK("2"));
    client_leaves(d);
    expect_log(d, "notes ack epoch=1 10/11");
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
    log_pending(d, 12, "<message id='late'/>");
    expect_no_log(d);
}

/* Goal: before <enabled/> the client knows no id, so its session cannot be resumed: it ends. */
static void script_disconnect_while_enabling(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    expect_log(d, "enable epoch=1 resume=1 window=600");
    client_leaves(d);
    expect_log(d, "close epoch=1");
    expect_action(d, STREAM_DROP);
}

/* Goal: acks that came too late to be noted by themselves are noted before the session ends: what
 * the client has must not go to another session, or offline. Method: the second ack comes within
 * the second of the first note; then the footer. */
static void script_footer_after_ack(struct dialogue *d)
{
    reach_enabled(d);
    for (uint32_t number = 1; number <= 2; number++) {
        log_pending(d, 10 + number, "<message id='p'/>");
        dialogue_skip_log(d);
        log_recorded(d, number);
    }
    expect_server(d, "<message id='p'/>" ASK "<message id='p'/>");
    client_says(d, ACK("1"));
    expect_log(d, "notes ack epoch=1 11/11");
    client_says(d, ACK("2"));
    expect_no_log(d);
    client_says(d, "</stream:stream>");
    expect_log(d, "notes ack epoch=1 12/12");
    expect_log(d, "close epoch=1");
    log_done(d, 0);
    expect_server(d, ACK("0") "</stream:stream>");
    expect_action(d, STREAM_CLOSE);
}

/* Goal: the same without acks: what has left the output is done, what is still in it is not.
 * Method: the footer comes when the first of two messages was taken. */
static void script_footer_without_acks(struct dialogue *d)
{
    reach_listening(d);
    log_pending(d, 10, "<message id='first'/>");
    expect_server(d, "<message id='first'/>");
    expect_log(d, "notes ack epoch=1 10/10");
    log_pending(d, 11, "<message id='taken'/>");
    expect_server(d, "<message id='taken'/>");
    log_pending(d, 12, "<message id='left behind'/>");
    client_says(d, "</stream:stream>");
    expect_log(d, "notes ack epoch=1 11/11");
    expect_log(d, "close epoch=1");
}

/* Goal: the client's footer ends the session: Close, then the last count, then our footer. */
static void script_footer(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, MESSAGE("m1") "</stream:stream>");
    expect_log(d, "message epoch=1 count=1 m1");
    expect_log(d, "close epoch=1");
    expect_server(d, "");
    expect_no_action(d);
    log_done(d, 0);
    log_done(d, 0);
    expect_server(d, ACK("1") "</stream:stream>");
    expect_action(d, STREAM_CLOSE);
}

/* Goal: a log that is late does not keep the footer for ever. */
static void script_footer_late(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, MESSAGE("m1") "</stream:stream>");
    expect_log(d, "message epoch=1 count=1 m1");
    expect_log(d, "close epoch=1");
    time_passes(d, 5000);
    expect_server(d, ACK("0") "</stream:stream>");
    expect_action(d, STREAM_CLOSE);
    log_done(d, 0);
    log_done(d, 0);
    expect_no_action(d);
}

/* Goal: silence is asked about, then detached without footer; any sign of life counts. */
static void script_silence(struct dialogue *d)
{
    reach_enabled(d);
    time_passes(d, 59999);
    expect_server(d, "");
    time_passes(d, 1);
    expect_server(d, ASK);
    client_says(d, " ");
    time_passes(d, 60000);
    expect_server(d, ASK);
    time_passes(d, 29999);
    expect_no_action(d);
    time_passes(d, 1);
    expect_server(d, "");
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
}

/* Goal: a client that hangs with its connection open and takes nothing is detached, however much
 * waits for it; one that takes a little now and then is not.
 * Method: fill the output, so that nothing is read; take some of it, then nothing. */
static void script_takes_nothing(struct dialogue *d)
{
    d->config.output_bytes_max = 1000;
    reach_enabled(d);
    for (uint64_t i = 1; i <= 60; i++) {
        log_volatile(d, i, "<presence>0123456789012345678901234567890</presence>");
    }
    for (int i = 0; i < 5; i++) {
        assert_false(stream_wants_read(d->stream));
        time_passes(d, 50000);
        expect_no_action(d);
        buf_consume(stream_output(d->stream), 100);
        client_says(d, ""); /* a turn: what waits goes into the room */
    }
    time_passes(d, 1000);
    time_passes(d, 60000);
    expect_no_action(d);
    time_passes(d, 30000);
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
}

/* Goal: a session resumed elsewhere leaves this connection without a word (DESIGN 5). */
static void script_dropped(struct dialogue *d)
{
    reach_enabled(d);
    log_dropped(d, DROP_RESUMED);
    expect_server(d, "");
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
}

/* Goal: the node stops: a resumable stream is dropped without footer (DESIGN 7). */
static void script_shutdown(struct dialogue *d)
{
    reach_enabled(d);
    stream_shutdown(d->stream);
    expect_server(d, "");
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(script_enable),
        DIALOGUE_TEST(script_enable_without_resume),
        DIALOGUE_TEST(script_enable_twice),
        DIALOGUE_TEST(script_enable_refused),
        DIALOGUE_TEST(script_enable_is_a_border),
        DIALOGUE_TEST(script_nothing_before_enabled),
        DIALOGUE_TEST(script_only_listens),
        DIALOGUE_TEST(script_ack_after_apply),
        DIALOGUE_TEST(script_back_pressure),
        DIALOGUE_TEST(script_epoch_refused),
        DIALOGUE_TEST(script_log_full),
        DIALOGUE_TEST(script_refusal_is_applied),
        DIALOGUE_TEST(script_record_before_write),
        DIALOGUE_TEST(script_stale_deliveries),
        DIALOGUE_TEST(script_records_are_packed),
        DIALOGUE_TEST(script_acks_become_positions),
        DIALOGUE_TEST(script_ack_rides_along),
        DIALOGUE_TEST(script_count_too_high),
        DIALOGUE_TEST(script_bad_counts),
        DIALOGUE_TEST(script_asking),
        DIALOGUE_TEST(script_output_has_no_room),
        DIALOGUE_TEST(script_falls_behind),
        DIALOGUE_TEST(script_pull_is_void),
        DIALOGUE_TEST(script_long_list),
        DIALOGUE_TEST(script_output_stuck),
        DIALOGUE_TEST(script_endless_stanza),
        DIALOGUE_TEST(script_never_acks),
        DIALOGUE_TEST(script_disconnect),
        DIALOGUE_TEST(script_disconnect_while_enabling),
        DIALOGUE_TEST(script_footer),
        DIALOGUE_TEST(script_footer_after_ack),
        DIALOGUE_TEST(script_footer_without_acks),
        DIALOGUE_TEST(script_footer_late),
        DIALOGUE_TEST(script_silence),
        DIALOGUE_TEST(script_takes_nothing),
        DIALOGUE_TEST(script_dropped),
        DIALOGUE_TEST(script_shutdown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
