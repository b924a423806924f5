/* How streams end (RFC 6120 §4.4, §4.9; DESIGN 5): by an error, by the client's footer, by a lost
 * connection, by the log. A session that may come back is detached, any other is closed. */
#include "node/base/log.h"
#include "xmpp/stream/internal.h"

static void submit_close(struct stream *stream, bool awaited)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Close close = PB__CLOSE__INIT;
    Pb__From from = actions_from(stream);

    log_info("session.closed", LOG_STR("address", stream_address(stream)),
             LOG_UINT("session", stream->session));
    close.from = &from;
    command.body_case = PB__COMMAND__BODY_CLOSE;
    command.close = &close;
    if (awaited) {
        actions_submit(stream, &command, AWAITED_CLOSE);
    } else {
        actions_submit_last(stream, &command);
    }
}

static void submit_detach(struct stream *stream)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Detach detach = PB__DETACH__INIT;

    log_info("session.detached", LOG_STR("address", stream_address(stream)),
             LOG_UINT("session", stream->session));
    detach.session = stream->session;
    detach.epoch = stream->epoch;
    command.body_case = PB__COMMAND__BODY_DETACH;
    command.detach = &detach;
    actions_submit_last(stream, &command);
}

/* May anything be written? Not while TLS is being set up. */
static bool is_writable(const struct stream *stream)
{
    return stream->state != STATE_SECURING && (stream->tls_on || !stream->config.direct_tls);
}

static void finish(struct stream *stream, enum stream_action_kind kind)
{
    stream_move(stream, STATE_CLOSED);
    actions_push(stream, kind);
}

static void write_footer(struct stream *stream)
{
    stream_write(stream, "</stream:stream>");
    finish(stream, STREAM_CLOSE);
}

static void write_error(struct stream *stream, const char *condition, const char *detail)
{
    log_info("stream.error", LOG_STR("condition", condition),
             LOG_STR("address", stream_address(stream)));
    if (!is_writable(stream)) {
        finish(stream, STREAM_DROP);
        return;
    }
    if (!stream->header_sent) {
        header_write(stream, NULL);
    }
    stream_printf(stream, "<stream:error><%s xmlns='" NS_STREAM_ERRORS "'/>", condition);
    stream_write(stream, detail == NULL ? "" : detail);
    stream_write(stream, "</stream:error>");
    write_footer(stream);
}

void ending_error(struct stream *stream, const char *condition, const char *detail)
{
    if (stream_is_bound(stream)) {
        outbound_finish(stream);
        submit_close(stream, false);
    }
    write_error(stream, condition, detail);
}

void ending_elsewhere(struct stream *stream, const char *address)
{
    struct buf text = BUF_EMPTY;

    log_info("stream.elsewhere", LOG_STR("address", stream_address(stream)),
             LOG_STR("to", address));
    xml_write_text(&text, slice_str(address));
    stream_printf(stream,
                  "<stream:error><see-other-host xmlns='" NS_STREAM_ERRORS "'>%s</see-other-host>"
                  "</stream:error>",
                  buf_text(&text));
    buf_deinit(&text);
    write_footer(stream);
}

void ending_drop(struct stream *stream)
{
    finish(stream, STREAM_DROP);
}

/* A resume that was never confirmed needs no Detach: its deadline runs already. */
void ending_cut(struct stream *stream)
{
    if (stream_is_bound(stream)) {
        outbound_finish(stream);
        if (!stream->resumable) {
            submit_close(stream, false);
        } else if (stream->state != STATE_RESUMED) {
            submit_detach(stream);
        }
    }
    ending_drop(stream);
}

void ending_on_footer(struct stream *stream)
{
    if (!stream_is_bound(stream)) {
        write_footer(stream);
        return;
    }
    outbound_finish(stream);
    submit_close(stream, true);
    stream->deadline_ms = stream->now_ms + CLOSE_WAIT_MS;
    stream_move(stream, STATE_ENDING);
}

/* The last count tells the client that nothing it sent was lost. */
void ending_on_close_outcome(struct stream *stream)
{
    if (stream->counted) {
        stream_printf(stream, "<a xmlns='" NS_SM "' h='%u'/>", stream->in.applied);
    }
    write_footer(stream);
}

/* A session bound for a connection that is gone is nobody's: it ends. One resumed for it stays
 * detached, as its deadline says. */
void ending_on_orphan_outcome(struct stream *stream, const struct outcome *outcome)
{
    if (outcome->kind == OUTCOME_BOUND && outcome->rc == 0) {
        stream->session = outcome->session;
        stream->epoch = outcome->epoch;
        submit_close(stream, false);
    }
    ending_drop(stream);
}

void ending_on_dropped(struct stream *stream, enum drop_reason reason)
{
    switch (reason) {
    case DROP_RESUMED: /* an error would make the client throw away what it resumed elsewhere */
    case DROP_EXPIRED:
        ending_drop(stream);
        break;
    case DROP_CONFLICT:
        write_error(stream, "conflict", NULL);
        break;
    case DROP_KILLED:
        write_error(stream, "policy-violation", NULL);
        break;
    case DROP_REMOVED:
        write_error(stream, "not-authorized", NULL);
        break;
    }
}

/* A Bind or Resume without its connection must go to no further leader: the client may have bound
 * or resumed on another node since, and the command, sent again, would come behind that and end the
 * live session by a conflict, or take it to where nobody is. What a leader has got already may
 * still be applied, and does no harm: either it stands in the log before what the client did next,
 * or the leader of that did not have it in its log, and no later one will. Just one of command and
 * substitute is applied, for they have the same seq; its outcome comes to this stream, for they
 * have the same Ref. */
static void orphan(struct stream *stream)
{
    actions_withdraw_claim(stream);
    stream_move(stream, STATE_ORPHANED);
}

void ending_on_disconnect(struct stream *stream)
{
    if (stream->state == STATE_BINDING || stream->state == STATE_RESUMING) {
        orphan(stream);
    } else if (stream->state != STATE_CLOSED && stream->state != STATE_ORPHANED) {
        ending_cut(stream);
    }
}

void ending_on_leave(struct stream *stream, const char *address)
{
    if (!stream_is_bound(stream) || stream->state == STATE_ENDING) {
        return;
    }
    if (stream->resumable) {
        ending_cut(stream);
    } else if (address[0] == '\0') {
        ending_error(stream, "system-shutdown", NULL);
    } else {
        outbound_finish(stream);
        submit_close(stream, false); /* what waits for it comes at the next login, in order */
        ending_elsewhere(stream, address);
    }
}

void ending_on_shutdown(struct stream *stream)
{
    switch (stream->state) {
    case STATE_CLOSED:
        break;
    case STATE_BINDING:
    case STATE_RESUMING:
        orphan(stream);
        ending_drop(stream); /* what the log makes of it ends with this incarnation */
        break;
    case STATE_ORPHANED:
        ending_drop(stream);
        break;
    case STATE_ENDING:
        write_footer(stream);
        break;
    default:
        if (stream->resumable) {
            ending_cut(stream);
        } else {
            ending_error(stream, "system-shutdown", NULL);
        }
        break;
    }
}
