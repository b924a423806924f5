/* The life of a client stream: what comes in is kept and the one step function acts on it. The
 * states are drawn in internal.h. */
#include "xmpp/stream/internal.h"

#include <stdarg.h>
#include <stdio.h>

#define BIT(state) (1u << (state))

/* Where each state may lead; CLOSED may follow any. */
static const uint32_t moves[STATE_COUNT] = {
    [STATE_OPENING] = BIT(STATE_NEGOTIATING) | BIT(STATE_BINDABLE),
    [STATE_NEGOTIATING] = BIT(STATE_SECURING) | BIT(STATE_CHALLENGED) | BIT(STATE_CHECKING),
    [STATE_SECURING] = BIT(STATE_OPENING),
    [STATE_CHALLENGED] = BIT(STATE_NEGOTIATING) | BIT(STATE_CHECKING) | BIT(STATE_OPENING),
    [STATE_CHECKING] = BIT(STATE_NEGOTIATING) | BIT(STATE_CHALLENGED) | BIT(STATE_OPENING),
    [STATE_BINDABLE] = BIT(STATE_BINDING) | BIT(STATE_RESUMING),
    [STATE_BINDING] = BIT(STATE_BINDABLE) | BIT(STATE_ACTIVE) | BIT(STATE_ORPHANED),
    [STATE_RESUMING] = BIT(STATE_BINDABLE) | BIT(STATE_RESUMED) | BIT(STATE_ORPHANED),
    [STATE_RESUMED] = BIT(STATE_CONFIRMING) | BIT(STATE_ENDING),
    [STATE_CONFIRMING] = BIT(STATE_ACTIVE) | BIT(STATE_ENDING),
    [STATE_ACTIVE] = BIT(STATE_ENABLING) | BIT(STATE_ENDING),
    [STATE_ENABLING] = BIT(STATE_ACTIVE),
    [STATE_ENDING] = 0,
    [STATE_ORPHANED] = 0,
    [STATE_CLOSED] = 0,
};

void stream_move(struct stream *stream, enum stream_state next)
{
    ASSERT(stream->state != STATE_CLOSED);
    ASSERT(next == STATE_CLOSED || (moves[stream->state] & BIT(next)) != 0);
    stream->state = next;
}

struct stream *stream_new(const struct stream_config *config, uint64_t now_ms)
{
    struct stream *stream = mem_zalloc(sizeof(*stream));
    const struct xml_limits limits = {
        .stanza_bytes_max = config->stanza_bytes_max < STRANGER_BYTES_MAX ? config->stanza_bytes_max
                                                                          : STRANGER_BYTES_MAX};

    stream->config = *config;
    stream->state = STATE_OPENING;
    stream->now_ms = now_ms;
    stream->received_ms = now_ms;
    stream->deadline_ms = now_ms + config->negotiation_ms;
    stream->reader = xml_reader_new(&limits);
    stream->stanza_count_max = UINT64_MAX;
    actions_init(stream);
    acks_in_init(&stream->in);
    acks_out_init(&stream->out);
    return stream;
}

void stream_free(struct stream **stream_in)
{
    struct stream *stream = *stream_in;

    if (stream == NULL) {
        return;
    }
    acks_out_deinit(&stream->out);
    acks_in_deinit(&stream->in);
    sasl_server_free(&stream->sasl);
    mem_free(&stream->address);
    mem_free(&stream->request_id);
    mem_free(&stream->user);
    mem_free(&stream->lang);
    mem_free(&stream->domain);
    buf_deinit(&stream->unique);
    buf_deinit(&stream->end_point);
    buf_deinit(&stream->exporter);
    actions_deinit(stream);
    buf_deinit(&stream->output);
    xml_reader_free(&stream->reader);
    mem_free(stream_in);
}

/* ---- output */

void stream_write(struct stream *stream, const char *text)
{
    struct slice bytes = slice_str(text);

    buf_append(&stream->output, bytes);
    stream->output_put += bytes.len;
}

void stream_printf(struct stream *stream, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    ASSERT(len >= 0);
    stream_write(stream, text);
    mem_release(text);
}

struct buf *stream_output(struct stream *stream)
{
    return &stream->output;
}

/* ---- input */

static bool reads_in(enum stream_state state)
{
    switch (state) {
    case STATE_OPENING:
    case STATE_NEGOTIATING:
    case STATE_CHALLENGED:
    case STATE_BINDABLE:
    case STATE_RESUMED:
    case STATE_CONFIRMING:
    case STATE_ACTIVE:
        return true;
    default:
        return false;
    }
}

static bool waits_for_log(const struct stream *stream)
{
    return !reads_in(stream->state) || stream->in.awaited.count >= AWAITED_MAX;
}

static bool has_room(const struct stream *stream)
{
    return buf_len(&stream->output) < stream->config.output_bytes_max;
}

static bool is_allowed(const struct stream *stream)
{
    return stream->stanza_count < stream->stanza_count_max;
}

static bool takes_input(const struct stream *stream)
{
    return is_allowed(stream) && !waits_for_log(stream) && has_room(stream);
}

bool stream_wants_read(const struct stream *stream)
{
    return stream->state == STATE_SECURING || takes_input(stream);
}

static void on_element(struct stream *stream, struct xml_event *event)
{
    switch (stream->state) {
    case STATE_NEGOTIATING:
    case STATE_CHALLENGED:
        login_on_element(stream, event->element);
        break;
    case STATE_BINDABLE:
        bind_on_element(stream, event->element);
        break;
    default:
        inbound_on_element(stream, event);
        break;
    }
}

/* Act on the next event of the reader. False when there is none yet. */
static bool read_one(struct stream *stream)
{
    struct xml_event *event;
    int rc = xml_reader_next(stream->reader, &event);

    if (rc == 0) {
        return false;
    }
    if (rc < 0) {
        ending_error(stream, xml_reader_condition(stream->reader), NULL);
        return false;
    }
    switch (event->kind) {
    case XML_EVENT_OPEN:
        header_on_open(stream, event);
        break;
    case XML_EVENT_STANZA:
        stream->stanza_count++;
        on_element(stream, event);
        break;
    case XML_EVENT_CLOSE:
        ending_on_footer(stream);
        break;
    }
    xml_event_free(&event);
    return true;
}

/* What has come and is not an event yet: since when? Known only where nothing else was left to do.
 */
static void watch_begun(struct stream *stream)
{
    if (!takes_input(stream)) {
        return;
    }
    if (!xml_reader_in_stanza(stream->reader)) {
        stream->begun_ms = 0;
    } else if (stream->begun_ms == 0) {
        stream->begun_ms = stream->now_ms;
    }
}

void stream_step(struct stream *stream)
{
    while (takes_input(stream) && read_one(stream)) {
        stream->begun_ms = 0;
    }
    watch_begun(stream);
    outbound_write(stream);
    if (!stream_is_bound(stream)) {
        return;
    }
    if (stream->out.unacked.count > UNACKED_MAX) { /* it takes and never acks */
        ending_cut(stream);
    }
}

void stream_feed(struct stream *stream, struct slice bytes, uint64_t now_ms)
{
    stream->now_ms = now_ms;
    stream->received_ms = now_ms;
    stream->probed_ms = 0;
    if (stream->state == STATE_SECURING || stream->state == STATE_ENDING ||
        stream->state == STATE_ORPHANED || stream->state == STATE_CLOSED) {
        return; /* in clear behind <starttls/>, or behind the client's footer */
    }
    xml_reader_feed(stream->reader, bytes);
    stream_step(stream);
}

void stream_on_tls(struct stream *stream, const struct stream_tls *tls)
{
    stream->tls_on = true;
    stream->tls13 = tls->tls13;
    buf_append(&stream->exporter, tls->exporter);
    buf_append(&stream->end_point, tls->end_point);
    buf_append(&stream->unique, tls->unique);
    if (stream->state == STATE_SECURING) {
        stream_move(stream, STATE_OPENING);
    }
}

void stream_on_credentials(struct stream *stream, const Pb__AccountRow *account)
{
    if (stream->state == STATE_CHECKING) {
        login_on_credentials(stream, account);
        stream_step(stream);
    }
}

void stream_on_derived_take(struct stream *stream, struct sasl_derivation *derivation)
{
    if (stream->state == STATE_CHECKING) {
        login_on_derived(stream, derivation);
        stream_step(stream);
    }
    sasl_derivation_free(&derivation);
}

/* ---- from the log */

static void act_on_outcome(struct stream *stream, const struct awaited *awaited,
                           const struct outcome *outcome)
{
    switch (awaited->kind) {
    case AWAITED_STANZA:
    case AWAITED_NOTES:
        inbound_on_outcome(stream, awaited, outcome->rc);
        break;
    case AWAITED_BIND:
        bind_on_outcome(stream, outcome);
        break;
    case AWAITED_ENABLE:
        resume_on_enabled(stream, outcome);
        break;
    case AWAITED_RESUME:
        resume_on_outcome(stream, outcome);
        break;
    case AWAITED_CONFIRM:
        resume_on_confirm_outcome(stream, outcome);
        break;
    case AWAITED_CLOSE:
        ending_on_close_outcome(stream);
        break;
    }
}

void stream_on_outcome(struct stream *stream, uint64_t cookie, const struct outcome *outcome,
                       uint64_t now_ms)
{
    struct awaited awaited;

    stream->now_ms = now_ms;
    if (stream->state == STATE_CLOSED || acks_in_settle(&stream->in, cookie, &awaited) == 0) {
        return;
    }
    if (stream->state == STATE_ORPHANED) {
        ending_on_orphan_outcome(stream, outcome);
    } else {
        act_on_outcome(stream, &awaited, outcome);
    }
    stream_step(stream);
}

static void act_on_delivery(struct stream *stream, const struct delivery *delivery)
{
    switch (delivery->kind) {
    case DELIVERY_PENDING:
    case DELIVERY_VOLATILE:
        outbound_on_stanza(stream, delivery);
        break;
    case DELIVERY_RECORDED:
        outbound_on_recorded(stream, delivery->number);
        break;
    case DELIVERY_CONFIRMED:
        if (stream->state == STATE_CONFIRMING) {
            resume_on_confirmed(stream, delivery->position);
        }
        break;
    case DELIVERY_INITIAL:
        cursor_show_all(&stream->cursor);
        break;
    case DELIVERY_SKIPPED:
        cursor_fall_behind(&stream->cursor);
        break;
    case DELIVERY_PULLED:
        cursor_on_pulled(&stream->cursor, delivery);
        break;
    case DELIVERY_DROPPED:
        ending_on_dropped(stream, delivery->drop);
        break;
    }
}

void stream_on_delivery(struct stream *stream, const struct delivery *delivery, uint64_t now_ms)
{
    struct blob *xml = delivery->xml;
    bool ours = delivery->session == stream->session &&
                (delivery->epoch == stream->epoch || delivery->kind == DELIVERY_DROPPED);

    stream->now_ms = now_ms;
    if (stream_is_bound(stream) && ours) {
        act_on_delivery(stream, delivery);
        stream_step(stream);
    }
    blob_unref(&xml);
}

/* ---- ends and time */

void stream_on_disconnect(struct stream *stream)
{
    ending_on_disconnect(stream);
}

void stream_shutdown(struct stream *stream)
{
    ending_on_shutdown(stream);
}

void stream_leave(struct stream *stream, const char *address)
{
    ending_on_leave(stream, address);
}

static void on_deadline(struct stream *stream)
{
    switch (stream->state) {
    case STATE_BINDING: /* the log is late, not the client */
    case STATE_RESUMING:
    case STATE_ORPHANED:
        break;
    case STATE_RESUMED:
        ending_cut(stream);
        break;
    case STATE_ENDING:
        ending_on_close_outcome(stream);
        break;
    default:
        ending_error(stream, "connection-timeout", NULL);
        break;
    }
}

/* Are we the ones who do not listen? While the output is full we do not, until the client has taken
 * some of it; one that takes nothing is silent. */
static bool is_deaf(struct stream *stream)
{
    uint64_t taken_bytes = stream->output_put - buf_len(&stream->output);
    bool takes = taken_bytes != stream->taken_bytes;

    stream->taken_bytes = taken_bytes;
    return stream->is_held || !is_allowed(stream) || waits_for_log(stream) ||
           (!has_room(stream) && takes);
}

/* The client may come back to a session that it can resume; only others are told (RFC 6120
 * §4.9.3.4). */
static void give_up(struct stream *stream)
{
    if (stream->resumable) {
        ending_cut(stream);
    } else {
        ending_error(stream, "connection-timeout", NULL);
    }
}

/* Silence is the client's only while we read, and so is slowness: a stanza of which now and then
 * some bytes come would keep what it takes in memory for ever. */
static void watch_silence(struct stream *stream)
{
    uint64_t silent_ms;

    if (is_deaf(stream)) {
        stream->received_ms = stream->now_ms;
        stream->begun_ms = stream->begun_ms == 0 ? 0 : stream->now_ms;
        stream->probed_ms = 0;
    }
    silent_ms = stream->now_ms - stream->received_ms;
    if (stream->probed_ms == 0 && silent_ms >= stream->config.idle_probe_ms) {
        outbound_probe(stream);
    } else if (stream->probed_ms != 0 &&
               stream->now_ms - stream->probed_ms >= stream->config.idle_dead_ms) {
        give_up(stream);
    } else if (stream->begun_ms != 0 &&
               stream->now_ms - stream->begun_ms >= stream->config.stanza_ms) {
        give_up(stream);
    }
}

void stream_tick(struct stream *stream, uint64_t now_ms)
{
    stream->now_ms = now_ms;
    if (stream->state == STATE_CLOSED) {
        return;
    }
    if (stream->deadline_ms != 0 && now_ms >= stream->deadline_ms) {
        on_deadline(stream);
    } else if (stream_is_bound(stream) && stream->state != STATE_RESUMED) {
        watch_silence(stream);
        stream->is_decided = stream->is_decided || now_ms >= stream->decide_ms;
    }
    stream_step(stream);
}

void stream_hold(struct stream *stream, bool is_held)
{
    stream->is_held = is_held;
}

void stream_allow(struct stream *stream, uint64_t count)
{
    stream->stanza_count_max = stream->stanza_count + count;
}

uint64_t stream_stanza_count(const struct stream *stream)
{
    return stream->stanza_count;
}

uint32_t stream_auth_failures(const struct stream *stream)
{
    return stream->auth_failures;
}

/* ---- for lists and logs */

const char *stream_address(const struct stream *stream)
{
    return stream->address == NULL ? "" : stream->address;
}

uint64_t stream_session(const struct stream *stream)
{
    return stream->session;
}
