/* Stanzas to the client (DESIGN 5, "Server to client"): numbered as they come, recorded in the log,
 * written, acked. Without XEP-0198 they are written at once and count as done when they have left.
 */
#include "xmpp/stream/internal.h"

static bool is_confirmed(const struct stream *stream)
{
    return stream->state == STATE_ACTIVE || stream->state == STATE_ENABLING;
}

/* What goes out between a bind and <enabled/> has no number: a resume would bring it again, and
 * without one it could be lost with the connection, and count as done. So it waits for a word of
 * the client. */
static bool may_take(const struct stream *stream)
{
    return stream->state == STATE_ACTIVE && stream->is_decided;
}

static void write_blob(struct stream *stream, struct blob *xml)
{
    struct slice bytes = blob_slice(xml);

    buf_append(&stream->output, bytes);
    stream->output_put += bytes.len;
}

void outbound_start(struct stream *stream, uint32_t number)
{
    acks_out_start(&stream->out, number);
    stream->noted_count = 0;
    stream->noted_bytes = 0;
    stream->asked = false;
    stream->asked_number = number;
    stream->asked_bytes = 0;
}

static uint64_t backlog_bytes(const struct stream *stream)
{
    return stream->out.waiting_bytes + buf_len(&stream->output);
}

/* Does more wait than a client that takes it slowly may have here? The rest is kept in the state,
 * where it is bounded for everybody together, and comes when there is room. */
static bool is_full(const struct stream *stream)
{
    return backlog_bytes(stream) > BACKLOG_FACTOR * (uint64_t)stream->config.output_bytes_max;
}

static void take_stanza(struct stream *stream, const struct delivery *delivery)
{
    bool pending = delivery->kind == DELIVERY_PENDING;

    cursor_take(&stream->cursor, delivery);
    if (stream->counted) {
        acks_out_add_take(&stream->out, pending, delivery->position, blob_ref(delivery->xml));
    } else {
        write_blob(stream, delivery->xml);
        written_add(&stream->written, pending, delivery->position, stream->output_put);
    }
}

void outbound_on_stanza(struct stream *stream, const struct delivery *delivery)
{
    if (!is_confirmed(stream) || !cursor_wants(&stream->cursor, delivery)) {
        return; /* it comes again, pulled */
    }
    if (!may_take(stream) || (delivery->pull == 0 && is_full(stream))) {
        cursor_fall_behind(&stream->cursor);
    } else {
        take_stanza(stream, delivery);
    }
}

/* The next part, when the last one is nearly gone. */
static void pull(struct stream *stream)
{
    const uint32_t room = stream->config.output_bytes_max;
    struct delivery_pull pull = {.owner = stream->config.owner,
                                 .session = stream->session,
                                 .epoch = stream->epoch,
                                 .bytes_max = room < PART_BYTES_MAX ? room : PART_BYTES_MAX};

    if (may_take(stream) && backlog_bytes(stream) < room && cursor_pull(&stream->cursor, &pull)) {
        actions_push_pull(stream, &pull);
    }
}

void outbound_on_recorded(struct stream *stream, uint32_t number)
{
    if (is_confirmed(stream) && stream->counted) {
        acks_out_on_recorded(&stream->out, number);
    }
}

void outbound_write(struct stream *stream)
{
    while (is_confirmed(stream) && buf_len(&stream->output) < stream->config.output_bytes_max) {
        struct blob *xml = acks_out_next(&stream->out);

        if (xml == NULL) {
            return;
        }
        write_blob(stream, xml);
        blob_unref(&xml);
    }
}

void outbound_on_ack(struct stream *stream, uint32_t h)
{
    struct buf detail = BUF_EMPTY;

    stream->asked = false;
    if (acks_out_on_ack(&stream->out, h) == 0) {
        return;
    }
    buf_printf(&detail, "<handled-count-too-high xmlns='" NS_SM "' h='%u' send-count='%u'/>", h,
               stream->out.written);
    ending_error(stream, "undefined-condition", buf_text(&detail)); /* XEP-0198 §6 */
    buf_deinit(&detail);
}

/* ---- notes for the log */

static uint64_t newer(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool has_ack(const struct stream *stream)
{
    return stream->due_done > stream->noted_done || stream->due_presence > stream->noted_presence;
}

static uint64_t left_bytes(const struct stream *stream)
{
    return stream->output_put - buf_len(&stream->output);
}

static void collect_acks(struct stream *stream)
{
    struct written_mark mark;

    while (written_check(&stream->written, left_bytes(stream), &mark)) {
        stream->due_done = newer(stream->due_done, mark.done_position);
        stream->due_presence = newer(stream->due_presence, mark.presence_position);
    }
    stream->due_done = newer(stream->due_done, stream->out.done_position);
    stream->due_presence = newer(stream->due_presence, stream->out.presence_position);
}

static void add_ack(struct stream *stream, struct arena *arena, Pb__Notes *notes)
{
    Pb__Notes__Ack *ack = arena_alloc(arena, sizeof(*ack));

    pb__notes__ack__init(ack);
    ack->session = stream->session;
    ack->epoch = stream->epoch;
    ack->done_position = stream->due_done;
    ack->presence_position = stream->due_presence;
    notes->n_acks = 1;
    notes->acks = arena_alloc(arena, sizeof(notes->acks[0]));
    notes->acks[0] = ack;
    stream->noted_done = stream->due_done;
    stream->noted_presence = stream->due_presence;
    stream->noted_ms = stream->now_ms;
    stream->noted_count = stream->out.done_count;
    stream->noted_bytes = stream->out.done_bytes;
    stream->noted_left = left_bytes(stream);
}

static void add_runs(struct stream *stream, struct arena *arena, Pb__Notes *notes)
{
    struct acks_out_run run;

    notes->runs = arena_alloc(arena, stream->out.runs.count * sizeof(notes->runs[0]));
    while (acks_out_take_run(&stream->out, &run)) {
        Pb__Notes__Run *record = arena_alloc(arena, sizeof(*record));

        pb__notes__run__init(record);
        record->session = stream->session;
        record->epoch = stream->epoch;
        record->first_number = run.first_number;
        record->count = run.count;
        record->first_position = run.first_position;
        notes->runs[notes->n_runs++] = record;
    }
}

/* Records cannot wait, acks can for a second, unless they are many. A record that the log refuses
 * would keep stanzas back for ever, so its outcome is awaited. */
static void submit_notes(struct stream *stream, bool with_ack)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Notes notes = PB__NOTES__INIT;
    struct arena arena;

    arena_init(&arena);
    command.body_case = PB__COMMAND__BODY_NOTES;
    command.notes = &notes;
    if (with_ack) {
        add_ack(stream, &arena, &notes);
    }
    if (stream->out.runs.count > 0) {
        add_runs(stream, &arena, &notes);
        actions_submit(stream, &command, AWAITED_NOTES);
    } else {
        actions_submit_last(stream, &command);
    }
    arena_deinit(&arena);
}

/* Has the client got so much of its list since the log was told last that the list may run full? */
static bool is_much_done(const struct stream *stream)
{
    if (!stream->counted) {
        return left_bytes(stream) - stream->noted_left >= WRITTEN_NOTE_BYTES;
    }
    return stream->out.done_count - stream->noted_count >= ACK_NOTE_COUNT ||
           stream->out.done_bytes - stream->noted_bytes >= ACK_NOTE_BYTES;
}

static void note(struct stream *stream)
{
    bool ack_due = stream->now_ms - stream->noted_ms >= ACK_NOTE_MS || is_much_done(stream);

    if (ack_due) {
        collect_acks(stream);
    }
    ack_due = ack_due && has_ack(stream);
    if (ack_due || stream->out.runs.count > 0) {
        submit_notes(stream, ack_due);
    }
}

static void write_ask(struct stream *stream)
{
    stream_write(stream, "<r xmlns='" NS_SM "'/>");
    stream->asked = true;
    stream->asked_ms = stream->now_ms;
    stream->asked_number = stream->out.written;
    stream->asked_bytes = stream->out.written_bytes;
}

/* One <r/> at a time; after volatile stanzas too, so that the position up to which presence has
 * arrived is known. */
static void ask(struct stream *stream)
{
    uint32_t fresh = stream->out.written - stream->asked_number;
    bool much = fresh >= ASK_COUNT || stream->out.written_bytes - stream->asked_bytes >= ASK_BYTES;
    bool waited = stream->now_ms - stream->asked_ms >= ASK_MS;

    if (stream->counted && !stream->asked && acks_out_unacked(&stream->out) > 0 && fresh > 0 &&
        (waited || much)) {
        write_ask(stream);
    }
}

void outbound_flush(struct stream *stream)
{
    if (is_confirmed(stream)) {
        pull(stream);
        note(stream);
        ask(stream);
    }
}

void outbound_note_written(struct stream *stream)
{
    collect_acks(stream);
    if (has_ack(stream)) {
        submit_notes(stream, true);
    }
}

void outbound_finish(struct stream *stream)
{
    struct acks_out_run run;

    while (acks_out_take_run(&stream->out, &run)) {
        /* never written, so nobody needs the number */
    }
    outbound_note_written(stream);
}

void outbound_probe(struct stream *stream)
{
    stream->probed_ms = stream->now_ms;
    if (stream->counted) {
        write_ask(stream);
    } else {
        stream_printf(stream,
                      "<iq type='get' id='" OUTBOUND_PROBE_ID "'><ping xmlns='" NS_PING "'/></iq>");
    }
}
