/* What the caller of a stream is to do, queued until popped; among it the commands for the log. */
#include "storage/state/command.h"
#include "xmpp/stream/internal.h"

#define OUTPUT_KEEP_BYTES 4096 /* of an empty output */

struct queued {
    enum stream_action_kind kind;
    struct buf bytes; /* the command, or the user's address */
    struct delivery_pull pull;
    struct sasl_derivation *derivation;
};

void actions_init(struct stream *stream)
{
    stream->actions = RING_OF(struct queued);
}

void actions_push(struct stream *stream, enum stream_action_kind kind)
{
    struct queued *queued = ring_push(&stream->actions);

    queued->kind = kind;
}

void actions_push_pull(struct stream *stream, const struct delivery_pull *pull)
{
    struct queued *queued = ring_push(&stream->actions);

    queued->kind = STREAM_PULL;
    queued->pull = *pull;
}

void actions_push_derivation_take(struct stream *stream, struct sasl_derivation *derivation)
{
    struct queued *queued = ring_push(&stream->actions);

    queued->kind = STREAM_DERIVE;
    queued->derivation = derivation;
}

void actions_push_text(struct stream *stream, enum stream_action_kind kind, const char *text)
{
    struct queued *queued = ring_push(&stream->actions);

    queued->kind = kind;
    buf_append_str(&queued->bytes, text);
}

void actions_push_command_take(struct stream *stream, struct buf *bytes)
{
    struct queued *queued = ring_push(&stream->actions);

    queued->kind = STREAM_COMMAND;
    queued->bytes = *bytes;
    *bytes = BUF_EMPTY;
}

struct effect_ref actions_ref(const struct stream *stream, uint64_t cookie)
{
    return (struct effect_ref){.worker = stream->config.owner.worker,
                               .slot = stream->config.owner.slot,
                               .generation = stream->config.owner.generation,
                               .cookie = cookie};
}

Pb__Owner actions_owner(const struct stream *stream)
{
    return command_owner_row(&stream->config.owner);
}

Pb__From actions_from(const struct stream *stream)
{
    Pb__From from = PB__FROM__INIT;

    from.session = stream->session;
    from.epoch = stream->epoch;
    return from;
}

static void encode(struct stream *stream, Pb__Command *command, uint64_t cookie)
{
    const struct effect_ref ref = actions_ref(stream, cookie);
    struct buf bytes = BUF_EMPTY;

    command_append(command, &ref, &bytes);
    actions_push_command_take(stream, &bytes);
}

void actions_submit(struct stream *stream, Pb__Command *command, enum awaited_kind kind)
{
    encode(stream, command, acks_in_submit(&stream->in, kind));
}

void actions_submit_claim(struct stream *stream, Pb__Command *command, enum awaited_kind kind)
{
    const struct effect_ref ref = actions_ref(stream, acks_in_submit(&stream->in, kind));
    struct buf bytes = BUF_EMPTY;

    command_append(command, &ref, &bytes);
    buf_clear(&stream->claim);
    buf_append(&stream->claim, buf_slice(&bytes));
    actions_push_command_take(stream, &bytes);
}

void actions_settle_claim(struct stream *stream)
{
    buf_deinit(&stream->claim);
}

void actions_withdraw_claim(struct stream *stream)
{
    const struct effect_ref ref = actions_ref(stream, stream->in.last_cookie); /* none since */
    struct queued *queued = ring_push(&stream->actions);

    queued->kind = STREAM_REPLACE;
    command_append_empty(ERR_CLOSED, &ref, &queued->bytes);
}

void actions_submit_last(struct stream *stream, Pb__Command *command)
{
    encode(stream, command, 0);
}

void actions_deinit(struct stream *stream)
{
    for (size_t i = 0; i < stream->actions.count; i++) {
        struct queued *queued = ring_at(&stream->actions, i);

        buf_deinit(&queued->bytes);
        sasl_derivation_free(&queued->derivation);
    }
    ring_deinit(&stream->actions);
    buf_deinit(&stream->popped);
    buf_deinit(&stream->claim);
}

static bool pop_queued(struct stream *stream, struct stream_action *out)
{
    struct queued queued;

    if (stream->actions.count == 0) {
        return false;
    }
    queued = *(struct queued *)ring_at(&stream->actions, 0);
    ring_drop(&stream->actions);
    buf_deinit(&stream->popped);
    stream->popped = queued.bytes;
    *out = (struct stream_action){
        .kind = queued.kind, .pull = queued.pull, .derivation = queued.derivation};
    if (queued.kind == STREAM_COMMAND) {
        out->command = buf_slice(&stream->popped);
    } else if (queued.kind == STREAM_REPLACE) {
        out->command = buf_slice(&stream->popped);
        out->replaced = buf_slice(&stream->claim);
    } else if (queued.kind == STREAM_WANT_CREDENTIALS) {
        out->user = buf_text(&stream->popped);
    }
    return true;
}

/* Most streams are idle most of the time: what one large stanza needed must not stay with each. */
static void trim(struct stream *stream)
{
    buf_deinit(&stream->popped);
    if (buf_len(&stream->output) == 0 && stream->output.capacity > OUTPUT_KEEP_BYTES) {
        buf_deinit(&stream->output);
    }
}

bool stream_pop(struct stream *stream, struct stream_action *out)
{
    if (pop_queued(stream, out)) {
        return true;
    }
    stream_step(stream); /* the output may have room again */
    outbound_flush(stream);
    if (pop_queued(stream, out)) {
        return true;
    }
    trim(stream);
    return false;
}
