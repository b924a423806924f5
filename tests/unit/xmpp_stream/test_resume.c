/* Resume on a new connection (DESIGN 5): the session is taken at once, no stanza goes out before
 * the client's <a/> on this connection is in the log, nothing is kept for a connection that is
 * gone. */
#include "tests/unit/xmpp_stream/dialogue.h"

#include <stdio.h>

#define MESSAGE(id) "<message to='bob@example.test' id='" id "'><body>hi</body></message>"
#define RESUME      "<resume xmlns='urn:xmpp:sm:3' h='0' previd='0123456789abcdef'/>"

/* Goal: the whole way: lost connection, resume, confirm, numbers go on from the client's h. */
static void script_resume(struct dialogue *d)
{
    reach_enabled(d);
    client_says(d, MESSAGE("m1"));
    expect_log(d, "message epoch=1 count=1 m1");
    log_done(d, 0);
    client_leaves(d);
    expect_log(d, "detach epoch=1");
    expect_action(d, STREAM_DROP);

    reach_resumed(d, 1);
    client_says(d, ACK("4"));
    expect_log(d, "confirm epoch=2 h=4");
    expect_server(d, "");
    log_confirmed(d);
    expect_pull(d, 0, 0);
    log_done(d, 0);
    log_pending(d, 20, "<message id='p5'/>");
    expect_log(d, "notes run epoch=2 5+1@20");
    expect_server(d, "");
    log_recorded(d, 5);
    expect_server(d, "<message id='p5'/>" ASK);
    client_says(d, MESSAGE("m2") ACK("5"));
    expect_log(d, "message epoch=2 count=2 m2");
    expect_log(d, "notes ack epoch=2 20/20");
    assert_string_equal(stream_address(d->stream), ADDRESS);
}

/* Goal: the client may send at once; the server writes nothing before the confirm. */
static void script_nothing_before_confirm(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 7);
    client_says(d, MESSAGE("m8") ASK);
    expect_log(d, "message epoch=2 count=8 m8");
    log_done(d, 0);
    expect_server(d, ACK("8"));
    log_pending(d, 20, "<message id='early'/>");
    log_volatile(d, 21, "<presence id='early'/>");
    client_says(d, ACK("3"));
    expect_log(d, "confirm epoch=2 h=3");
    client_says(d, ACK("3"));
    log_pending(d, 22, "<message id='early'/>");
    expect_server(d, "");
    expect_no_log(d);
    log_done(d, 0);
    expect_server(d, "");
    log_confirmed(d);
    expect_server(d, "");
    log_volatile(d, 23, "<presence id='v4'/>");
    expect_server(d, "<presence id='v4'/>" ASK);
}

/* Goal: the count wraps on both sides of a resume. */
static void script_resume_wraps(struct dialogue *d)
{
    reach_enabled(d);
    reach_confirmed(d, UINT32_MAX, "4294967295");
    client_says(d, MESSAGE("m0") ASK);
    expect_log(d, "message epoch=2 count=0 m0");
    log_done(d, 0);
    expect_server(d, ACK("0"));
    log_pending(d, 20, "<message id='p0'/>");
    expect_log(d, "notes run epoch=2 0+1@20");
    log_recorded(d, 0);
    expect_server(d, "<message id='p0'/>" ASK);
    client_says(d, ACK("0"));
    expect_log(d, "notes ack epoch=2 20/20");
}

/* Goal: what cannot be resumed is answered as XEP-0198 §5 says, and the client may bind on this
 * stream. */
static void script_resume_fails(struct dialogue *d)
{
    const struct outcome known = {
        .kind = OUTCOME_RESUME_FAILED, .rc = ERR_NOT_FOUND, .count = 17, .count_known = true};
    const struct outcome foreign = {.kind = OUTCOME_RESUME_FAILED, .rc = ERR_AUTH};
    const struct outcome bound = {
        .kind = OUTCOME_BOUND, .session = SESSION, .epoch = 1, .address = ADDRESS};

    reach_tls(d);
    reach_login(d);
    client_says(d, RESUME);
    expect_log(d, "resume " USER " id=0123456789abcdef version=9");
    log_says(d, &known);
    expect_server(d, "<failed xmlns='urn:xmpp:sm:3' h='17'><item-not-found "
                     "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
    client_says(d, RESUME);
    expect_log(d, "resume " USER " id=0123456789abcdef version=9");
    log_says(d, &foreign);
    expect_server(d, FAILED("item-not-found"));
    client_says(d, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    expect_log(d, "bind " USER "/ version=9 owner=3.1.2.4");
    log_says(d, &bound);
    expect_output_has(d, ADDRESS);
}

/* Goal: ids that were never given out do not reach the log. */
static void script_bad_ids(struct dialogue *d)
{
    reach_tls(d);
    reach_login(d);
    client_says(d, "<resume xmlns='urn:xmpp:sm:3' h='0' previd='no hex at all!'/>");
    expect_server(d, FAILED("item-not-found"));
    client_says(d, "<resume xmlns='urn:xmpp:sm:3' h='0' previd=''/>");
    expect_server(d, FAILED("item-not-found"));
    client_says(d, "<resume xmlns='urn:xmpp:sm:3' h='0' previd='0123456789abcde'/>");
    expect_server(d, FAILED("item-not-found"));
    client_says(d, "<resume xmlns='urn:xmpp:sm:3' h='4294967296' previd='0123456789abcdef'/>");
    expect_server(d, FAILED("bad-request"));
    client_says(d, "<resume xmlns='urn:xmpp:sm:3' h='x' previd='0123456789abcdef'/>");
    expect_server(d, FAILED("bad-request"));
    client_says(d, "<resume xmlns='urn:xmpp:sm:3' h='0'/>");
    expect_server(d, FAILED("bad-request"));
    expect_no_log(d);
}

/* Goal: a client that does not confirm is cut; its session stays detached, so nothing is said to
 * the log.
 */
static void script_never_confirms(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 0);
    time_passes(d, 19999);
    expect_no_action(d);
    time_passes(d, 1);
    expect_server(d, "");
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
}

/* Goal: a connection lost before the confirm says nothing, one lost after it detaches. */
static void script_lost_before_confirm(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 0);
    client_leaves(d);
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
}

static void script_lost_while_confirming(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 0);
    client_says(d, ACK("0"));
    expect_log(d, "confirm epoch=2 h=0");
    client_leaves(d);
    expect_log(d, "detach epoch=2");
    expect_action(d, STREAM_DROP);
}

/* Goal: a resume whose connection is gone is taken back; when it is applied all the same it is not
 * answered; its deadline runs. */
static void script_lost_while_resuming(struct dialogue *d)
{
    const struct outcome resumed = {
        .kind = OUTCOME_RESUMED, .session = SESSION, .epoch = 2, .address = ADDRESS};

    reach_tls(d);
    reach_login(d);
    client_says(d, RESUME);
    expect_log(d, "resume " USER " id=0123456789abcdef version=9");
    expect_replaced(d, PB__COMMAND__BODY__NOT_SET);
    client_leaves(d);
    expect_replaced(d, PB__COMMAND__BODY_RESUME);
    expect_no_action(d);
    log_says(d, &resumed);
    expect_server(d, "");
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
}

/* Goal: a bind whose connection is gone is taken back, or it would end the session that the client
 * has on another node by now; a session that it makes all the same is ended at once: no ghost (P5).
 */
static void script_lost_while_binding(struct dialogue *d)
{
    const struct outcome bound = {
        .kind = OUTCOME_BOUND, .session = SESSION, .epoch = 1, .address = ADDRESS};

    reach_tls(d);
    reach_login(d);
    client_says(d, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    expect_log(d, "bind " USER "/ version=9 owner=3.1.2.4");
    client_leaves(d);
    expect_replaced(d, PB__COMMAND__BODY_BIND);
    expect_no_action(d);
    log_says(d, &bound);
    expect_log(d, "close epoch=1");
    expect_server(d, "");
    expect_action(d, STREAM_DROP);
}

/* Goal: nothing is left of a bind that is refused, or was taken back in time. */
static void lose_bind(struct dialogue *d, int rc)
{
    reach_tls(d);
    reach_login(d);
    client_says(d, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    expect_log(d, "bind " USER "/ version=9 owner=3.1.2.4");
    client_leaves(d);
    expect_replaced(d, PB__COMMAND__BODY_BIND);
    log_done(d, rc);
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
}

static void script_lost_while_bind_is_refused(struct dialogue *d)
{
    lose_bind(d, ERR_LIMIT);
}

static void script_lost_bind_is_taken_back(struct dialogue *d)
{
    lose_bind(d, ERR_CLOSED);
}

/* Goal: the second try is taken back, not the first, whose outcome is there. */
static void script_lost_while_binding_again(struct dialogue *d)
{
    reach_tls(d);
    reach_login(d);
    client_says(d, RESUME);
    expect_log(d, "resume " USER " id=0123456789abcdef version=9");
    log_done(d, ERR_NOT_FOUND);
    client_says(d, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    expect_log(d, "bind " USER "/ version=9 owner=3.1.2.4");
    client_leaves(d);
    expect_replaced(d, PB__COMMAND__BODY_BIND);
}

/* Goal: a node that stops takes back what it has not got into the log: its clients are elsewhere
 * soon. */
static void script_shutdown_while_binding(struct dialogue *d)
{
    reach_tls(d);
    reach_login(d);
    client_says(d, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    expect_log(d, "bind " USER "/ version=9 owner=3.1.2.4");
    stream_shutdown(d->stream);
    expect_server(d, "");
    expect_replaced(d, PB__COMMAND__BODY_BIND);
    expect_action(d, STREAM_DROP);
}

/* Goal: a confirm that another resume overtook ends the connection without a word. */
static void script_confirm_overtaken(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 0);
    client_says(d, ACK("0"));
    expect_log(d, "confirm epoch=2 h=0");
    log_done(d, ERR_CONFLICT);
    expect_server(d, "");
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
}

/* Goal: a confirm of more than the records know is taken (presence has numbers that no record has),
 * and counting goes on from there; from then on a count that is too high is refused as ever. */
static void script_confirm_beyond_records(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 0);
    client_says(d, ACK("99"));
    expect_log(d, "confirm epoch=2 h=99");
    log_done(d, 0);
    log_confirmed(d);
    expect_pull(d, 0, 0);
    log_pulled(d, true);
    log_pending(d, 10, "<message id='p'/>");
    expect_log(d, "notes run epoch=2 100+1@10");
    log_recorded(d, 100);
    mem_release(take_output(d));
    client_says(d, ACK("101"));
    expect_log(d, "close epoch=2");
    expect_output_has(d,
                      "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='101' send-count='100'/>");
    expect_action(d, STREAM_CLOSE);
}

/* Goal: a confirm that the log refuses costs the connection, not the session. */
static void script_confirm_refused(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 0);
    client_says(d, ACK("0"));
    expect_log(d, "confirm epoch=2 h=0");
    log_done(d, ERR_INVALID);
    expect_log(d, "detach epoch=2");
    expect_server(d, "");
    expect_action(d, STREAM_DROP);
}

/* Goal: a footer instead of the confirm ends the session. */
static void script_footer_before_confirm(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 3);
    client_says(d, "</stream:stream>");
    expect_log(d, "close epoch=2");
    log_done(d, 0);
    expect_server(d, ACK("3") "</stream:stream>");
    expect_action(d, STREAM_CLOSE);
}

/* Goal: the deadline in the state, or a newer connection, may take an unconfirmed session away. */
static void script_expired(struct dialogue *d)
{
    reach_enabled(d);
    reach_resumed(d, 0);
    log_dropped(d, DROP_EXPIRED);
    expect_server(d, "");
    expect_no_log(d);
    expect_action(d, STREAM_DROP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(script_resume),
        DIALOGUE_TEST(script_nothing_before_confirm),
        DIALOGUE_TEST(script_resume_wraps),
        DIALOGUE_TEST(script_resume_fails),
        DIALOGUE_TEST(script_bad_ids),
        DIALOGUE_TEST(script_never_confirms),
        DIALOGUE_TEST(script_lost_before_confirm),
        DIALOGUE_TEST(script_lost_while_confirming),
        DIALOGUE_TEST(script_lost_while_resuming),
        DIALOGUE_TEST(script_lost_while_binding),
        DIALOGUE_TEST(script_lost_while_bind_is_refused),
        DIALOGUE_TEST(script_lost_bind_is_taken_back),
        DIALOGUE_TEST(script_lost_while_binding_again),
        DIALOGUE_TEST(script_shutdown_while_binding),
        DIALOGUE_TEST(script_confirm_overtaken),
        DIALOGUE_TEST(script_confirm_beyond_records),
        DIALOGUE_TEST(script_confirm_refused),
        DIALOGUE_TEST(script_footer_before_confirm),
        DIALOGUE_TEST(script_expired),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
