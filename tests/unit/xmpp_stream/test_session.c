/* A bound session without XEP-0198, and how sessions end: by bad input, by the log, by silence, by
 * the node, in every state. */
#include "tests/unit/xmpp_stream/dialogue.h"

#define MESSAGE(id) "<message to='bob@example.test' id='" id "'><body>hi</body></message>"
#define PING        "<iq type='get' id='alive?'><ping xmlns='urn:xmpp:ping'/></iq>"

/* ---- stanzas */

/* Goal: a plain session: commands without counts, stanzas written at once. */
static void script_plain_session(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, MESSAGE("m1") "<presence id='p1'/>");
    expect_log(d, "message epoch=1 m1");
    expect_log(d, "presence epoch=1 p1");
    log_done(d, 0);
    log_done(d, 0);
    log_pending(d, 10, "<message id='x'/>");
    log_volatile(d, 11, "<presence id='y'/>");
    expect_no_log(d);
    expect_server(d, "<message id='x'/><presence id='y'/>");
}

/* Goal: what was written is done when it has left the output, told once a second. */
static void script_done_when_left(struct dialogue *d)
{
    reach_listening(d);
    log_pending(d, 10, "<message id='x'/>");
    time_passes(d, 1000);
    time_passes(d, 1000);
    expect_no_log(d);
    expect_server(d, "<message id='x'/>");
    expect_log(d, "notes ack epoch=1 10/10");
    log_pending(d, 11, "<message id='x'/>");
    log_volatile(d, 12, "<presence id='y'/>");
    mem_release(take_output(d));
    expect_no_log(d);
    time_passes(d, 1000);
    expect_log(d, "notes ack epoch=1 11/12");
    time_passes(d, 1000);
    expect_no_log(d);
}

/* Goal: at the end only what has left counts as done; the rest stays pending and goes elsewhere. */
static void script_lost_with_output(struct dialogue *d)
{
    reach_listening(d);
    log_pending(d, 10, "<message id='x'/>");
    expect_server(d, "<message id='x'/>");
    expect_log(d, "notes ack epoch=1 10/10");
    log_pending(d, 11, "<message id='taken'/>");
    mem_release(take_output(d));
    log_pending(d, 12, "<message id='left behind'/>");
    client_leaves(d);
    expect_log(d, "notes ack epoch=1 11/11");
    expect_log(d, "close epoch=1");
    expect_action(d, STREAM_DROP);
}

/* Goal: too much without acks: the rest is pulled when the client has taken what waits. */
static void script_output_limit(struct dialogue *d)
{
    d->config.output_bytes_max = 500;
    reach_listening(d);
    for (uint64_t i = 1; i < 100; i++) {
        log_pending(d, i, "<message id='01234567890123456789'/>");
    }
    expect_no_pull(d);
    mem_release(take_output(d));
    expect_log(d, "notes ack epoch=1 56/56");
    expect_pull(d, 57, 56);
    log_pending(d, 57, "<message id='57'/>");
    log_pulled(d, true);
    expect_server(d, "<message id='57'/>");
    expect_no_action(d);
}

/* Goal: a stanza without a language has that of the stream (RFC 6120 §4.7.4). */
static void script_lang(struct dialogue *d)
{
    const struct outcome bound = {
        .kind = OUTCOME_BOUND, .session = SESSION, .epoch = 1, .address = ADDRESS};

    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHNlY3JldA==</auth>");
    give_credentials(d);
    derive(d);
    client_says(d, "<stream:stream to='" DOMAIN "' version='1.0' xml:lang='de-CH' "
                   "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
                   "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    expect_log(d, "bind " USER "/ version=9 owner=3.1.2.4");
    log_says(d, &bound);
    client_says(d, MESSAGE("m1") "<message xml:lang='fr' id='m2' to='bob@example.test'/>");
    expect_log(d, "message epoch=1 m1 lang=de-CH");
    expect_log(d, "message epoch=1 m2 lang=fr");
}

/* Goal: a header's language that is none is forgotten, not passed on. */
static void script_bad_lang(struct dialogue *d)
{
    const struct outcome bound = {
        .kind = OUTCOME_BOUND, .session = SESSION, .epoch = 1, .address = ADDRESS};

    reach_tls(d);
    client_says(d, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                   "AGFsaWNlAHNlY3JldA==</auth>");
    give_credentials(d);
    derive(d);
    client_says(d, "<stream:stream to='" DOMAIN "' version='1.0' xml:lang='d e' "
                   "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
                   "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    expect_log(d, "bind " USER "/ version=9 owner=3.1.2.4");
    log_says(d, &bound);
    client_says(d, MESSAGE("m1"));
    expect_log(d, "message epoch=1 m1");
}

/* ---- bad input */

struct bad_input {
    const char *bytes;
    const char *error;
};

static const struct bad_input bad_inputs[] = {
    {"<message></wrong>", ERROR("not-well-formed")},
    {"<message a=1/>", ERROR("not-well-formed")},
    {"<foo:message/>", ERROR("not-well-formed")},
    {"<message>\xff\xfe</message>", ERROR("not-well-formed")},
    {"text between stanzas", ERROR("bad-format")},
    {"<message><!-- x --></message>", ERROR("restricted-xml")},
    {"<message><?x y?></message>", ERROR("restricted-xml")},
    {"<message>&unknown;</message>", ERROR("restricted-xml")},
    {"<message from='bob@example.test/x' to='bob@example.test'/>", ERROR("invalid-from")},
    {"<pubsub/>", ERROR("unsupported-stanza-type")},
    {"<message xmlns='jabber:server'/>", ERROR("unsupported-stanza-type")},
    {"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
     ERROR("unsupported-stanza-type")},
};

static const struct bad_input *bad_input;

/* Goal: input that ends the stream gets its error; the session ends; nothing of it is served. */
static void script_bad_input(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, bad_input->bytes);
    expect_log(d, "close epoch=1");
    expect_no_log(d);
    expect_server(d, bad_input->error);
    expect_action(d, STREAM_CLOSE);
    client_says(d, MESSAGE("late"));
    expect_no_log(d);
    expect_server(d, "");
}

static void test_bad_inputs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(bad_inputs); i++) {
        bad_input = &bad_inputs[i];
        dialogue_run(script_bad_input);
    }
}

/* Goal: a stanza above the limit is refused as soon as it is. */
static void script_stanza_too_big(struct dialogue *d)
{
    d->config.stanza_bytes_max = 20000;
    reach_bound(d);
    client_says(d, "<message to='bob@example.test'><body>");
    for (int i = 0; i < 300 && !d->has_action; i++) {
        client_says(d, "0123456789012345678901234567890123456789012345678901234567890123456789");
    }
    expect_server(d, ERROR("policy-violation"));
    expect_log(d, "close epoch=1");
    expect_action(d, STREAM_CLOSE);
}

/* Goal: a stanza that fits when read but not when written out anew (each '>' becomes four bytes) is
 * refused before it reaches the log. */
static void script_command_too_big(struct dialogue *d)
{
    d->config.stanza_bytes_max = 1000000;
    reach_bound(d);
    d->byte_by_byte = false;
    client_says(d, "<message to='bob@example.test'><body>");
    for (int i = 0; i < 4000 && !d->has_action; i++) {
        client_says(d, ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>");
    }
    client_says(d, "</body></message>");
    expect_log(d, "close epoch=1");
    expect_server(d, ERROR("policy-violation"));
}

/* Goal: with XEP-0198 too, a broken stream ends the session: the client throws it away as well. */
static void script_bad_input_counted(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, MESSAGE("m1") "<message></wrong>");
    expect_log(d, "message epoch=1 count=1 m1");
    expect_log(d, "close epoch=1");
    expect_server(d, ERROR("not-well-formed"));
    expect_action(d, STREAM_CLOSE);
}

/* ---- ends */

static void script_footer(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, "</stream:stream>");
    expect_log(d, "close epoch=1");
    expect_server(d, "");
    log_done(d, 0);
    expect_server(d, "</stream:stream>");
    expect_action(d, STREAM_CLOSE);
}

/* Goal: a refused command of a session that cannot resume is told, for nobody will send it again.
 */
static void script_log_full(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, MESSAGE("m1"));
    expect_log(d, "message epoch=1 m1");
    log_done(d, ERR_BUSY);
    expect_log(d, "close epoch=1");
    expect_server(d, ERROR("resource-constraint"));
    expect_action(d, STREAM_CLOSE);
}

/* Goal: silence is asked about by a ping, whose answer is not a command; then the session ends. */
static void script_silence(struct dialogue *d)
{
    reach_bound(d);
    time_passes(d, 60000);
    expect_server(d, PING);
    client_says(d, "<iq type='result' id='alive?'/>");
    expect_no_log(d);
    time_passes(d, 59999);
    expect_server(d, "");
    time_passes(d, 1);
    expect_server(d, PING);
    time_passes(d, 30000);
    expect_log(d, "close epoch=1");
    expect_server(d, ERROR("connection-timeout"));
    expect_action(d, STREAM_CLOSE);
}

/* Goal: a stanza that is begun and never ends is given up in time, however often a byte of it comes
 * (RFC 6120 §4.9.3.4); white space and stanzas that do end are no reason. Method: drip. */
static void script_endless_stanza(struct dialogue *d)
{
    reach_bound(d);
    for (int i = 0; i < 5; i++) {
        client_says(d, " ");
        time_passes(d, 20000);
        client_says(d, "<message to='bob@example.test' ");
        time_passes(d, 39999);
        client_says(d, "id='m'/> ");
        expect_log(d, "message epoch=1 m");
        log_done(d, 0);
    }
    client_says(d, "<message><body>");
    for (int i = 0; i < 39; i++) {
        time_passes(d, 1000);
        client_says(d, "x");
    }
    expect_server(d, "");
    time_passes(d, 1000);
    expect_log(d, "close epoch=1");
    expect_server(d, ERROR("connection-timeout"));
    expect_action(d, STREAM_CLOSE);
}

/* Goal: the same is no fault of the client while we do not read.
 * Method: half a stanza, then an output that is full, taken a few bytes a second. */
static void script_stanza_while_not_reading(struct dialogue *d)
{
    struct buf stanza = BUF_EMPTY;

    d->config.output_bytes_max = 1000;
    reach_listening(d);
    client_says(d, "<message id='half'");
    buf_append_str(&stanza, "<message><body>");
    for (int i = 0; i < 5000; i++) {
        buf_append_u8(&stanza, 'x');
    }
    buf_append_str(&stanza, "</body></message>");
    log_volatile(d, 1, buf_text(&stanza));
    buf_deinit(&stanza);
    assert_false(stream_wants_read(d->stream));
    for (int i = 0; i < 100; i++) {
        time_passes(d, 1000);
        buf_consume(stream_output(d->stream), 10);
    }
    expect_no_action(d);
}

/* Goal: while we do not read, silence is not the client's. */
static void script_silence_while_not_reading(struct dialogue *d)
{
    reach_bound(d);
    for (int i = 0; i < 64; i++) {
        client_says(d, MESSAGE("m"));
    }
    assert_false(stream_wants_read(d->stream));
    time_passes(d, 60000);
    time_passes(d, 60000);
    expect_server(d, "");
    expect_no_action(d);
}

/* Goal: no more stanzas are acted upon than the caller allows, however many have come; the rest
 * follows when it allows more. */
static void script_allowance(struct dialogue *d)
{
    reach_bound(d);
    stream_allow(d->stream, 2);
    client_says(d, MESSAGE("m1") MESSAGE("m2") MESSAGE("m3") MESSAGE("m4"));
    expect_log(d, "message epoch=1 m1");
    expect_log(d, "message epoch=1 m2");
    expect_no_log(d);
    assert_false(stream_wants_read(d->stream));
    stream_allow(d->stream, 1);
    time_passes(d, 1);
    expect_log(d, "message epoch=1 m3");
    expect_no_log(d);
    stream_allow(d->stream, 9);
    time_passes(d, 1);
    expect_log(d, "message epoch=1 m4");
    assert_true(stream_wants_read(d->stream));
}

/* Goal: nor while the caller does not read (its rate is limited). */
static void script_silence_while_held(struct dialogue *d)
{
    reach_bound(d);
    stream_hold(d->stream, true);
    time_passes(d, 60000);
    time_passes(d, 60000);
    expect_server(d, "");
    stream_hold(d->stream, false);
    time_passes(d, 59999);
    expect_server(d, "");
    time_passes(d, 1);
    expect_server(d, PING);
}

/* Goal: each reason why the log takes a session away has its words (effect.h). */
static void script_conflict(struct dialogue *d)
{
    reach_bound(d);
    log_dropped(d, DROP_CONFLICT);
    expect_server(d, ERROR("conflict"));
    expect_no_log(d);
    expect_action(d, STREAM_CLOSE);
}

static void script_killed(struct dialogue *d)
{
    reach_bound(d);
    log_dropped(d, DROP_KILLED);
    expect_server(d, ERROR("policy-violation"));
    expect_no_log(d);
    expect_action(d, STREAM_CLOSE);
}

static void script_removed(struct dialogue *d)
{
    reach_enabled(d);
    log_dropped(d, DROP_REMOVED);
    expect_server(d, ERROR("not-authorized"));
    expect_no_log(d);
    expect_action(d, STREAM_CLOSE);
}

/* Who can resume comes back by himself, unless he is told that the stream is over. */
static void script_leave_resumable(struct dialogue *d)
{
    reach_enabled(d);
    stream_leave(d->stream, "two.x:5222");
    expect_server(d, "");
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);
}

static void script_leave(struct dialogue *d)
{
    reach_bound(d);
    stream_leave(d->stream, "[2001:db8::2]:5222");
    expect_server(d, "<stream:error><see-other-host "
                     "xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::2]:5222</"
                     "see-other-host></stream:error></stream:stream>");
    expect_log(d, "close epoch=1");
    expect_action(d, STREAM_CLOSE);
}

static void script_leave_for_nowhere(struct dialogue *d)
{
    reach_bound(d);
    stream_leave(d->stream, "");
    expect_server(d, ERROR("system-shutdown"));
    expect_log(d, "close epoch=1");
    expect_action(d, STREAM_CLOSE);
}

static void script_leave_while_ending(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, "</stream:stream>");
    expect_log(d, "close epoch=1");
    stream_leave(d->stream, "two.x:5222");
    expect_no_action(d);
}

static void script_shutdown(struct dialogue *d)
{
    reach_bound(d);
    stream_shutdown(d->stream);
    expect_server(d, ERROR("system-shutdown"));
    expect_log(d, "close epoch=1");
    expect_action(d, STREAM_CLOSE);
}

static void script_shutdown_while_ending(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, "</stream:stream>");
    stream_shutdown(d->stream);
    expect_server(d, "</stream:stream>");
    expect_action(d, STREAM_CLOSE);
}

static void script_shutdown_early(struct dialogue *d)
{
    reach_tls(d);
    stream_shutdown(d->stream);
    expect_server(d, ERROR("system-shutdown"));
    expect_no_log(d);
    expect_action(d, STREAM_CLOSE);
}

static void script_disconnect_early(struct dialogue *d)
{
    reach_tls(d);
    client_leaves(d);
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
    client_leaves(d);
    stream_shutdown(d->stream);
    time_passes(d, 100000);
    expect_no_action(d);
}

static void script_disconnect_while_ending(struct dialogue *d)
{
    reach_bound(d);
    client_says(d, "</stream:stream>");
    expect_log(d, "close epoch=1");
    client_leaves(d);
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_inputs),
        DIALOGUE_TEST(script_plain_session),
        DIALOGUE_TEST(script_done_when_left),
        DIALOGUE_TEST(script_lost_with_output),
        DIALOGUE_TEST(script_output_limit),
        DIALOGUE_TEST(script_lang),
        DIALOGUE_TEST(script_bad_lang),
        DIALOGUE_TEST(script_stanza_too_big),
        DIALOGUE_TEST(script_command_too_big),
        DIALOGUE_TEST(script_bad_input_counted),
        DIALOGUE_TEST(script_footer),
        DIALOGUE_TEST(script_log_full),
        DIALOGUE_TEST(script_silence),
        DIALOGUE_TEST(script_endless_stanza),
        DIALOGUE_TEST(script_stanza_while_not_reading),
        DIALOGUE_TEST(script_silence_while_not_reading),
        DIALOGUE_TEST(script_silence_while_held),
        DIALOGUE_TEST(script_allowance),
        DIALOGUE_TEST(script_conflict),
        DIALOGUE_TEST(script_killed),
        DIALOGUE_TEST(script_removed),
        DIALOGUE_TEST(script_leave_resumable),
        DIALOGUE_TEST(script_leave),
        DIALOGUE_TEST(script_leave_for_nowhere),
        DIALOGUE_TEST(script_leave_while_ending),
        DIALOGUE_TEST(script_shutdown),
        DIALOGUE_TEST(script_shutdown_while_ending),
        DIALOGUE_TEST(script_shutdown_early),
        DIALOGUE_TEST(script_disconnect_early),
        DIALOGUE_TEST(script_disconnect_while_ending),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
