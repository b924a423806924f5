/* XEP-0198 §3 and §5 over DESIGN 5: counting starts at the apply of Enable; a resume takes the
 * session at once and sends no stanza until the client's <a/> on this very connection is in the
 * log. */
#include "node/base/log.h"
#include "xmpp/stream/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define RESUME_ID_BYTES_MAX 64

void resume_refuse(struct stream *stream, const char *condition)
{
    stream_printf(stream, "<failed xmlns='" NS_SM "'><%s xmlns='" NS_STANZA_ERRORS "'/></failed>",
                  condition);
}

static bool is_true(const char *text)
{
    return text != NULL && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

bool resume_parse_count(const char *text, uint32_t *out)
{
    unsigned long long value;
    char *end;

    if (text == NULL || !isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* ---- enable */

void resume_on_enable(struct stream *stream, const struct xml_element *element)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Enable enable = PB__ENABLE__INIT;
    Pb__From from = actions_from(stream);
    uint32_t wanted_s;

    if (stream->counted || stream->state != STATE_ACTIVE) { /* one attempt only, XEP-0198 §3 */
        resume_refuse(stream, "unexpected-request");
        return;
    }
    enable.from = &from;
    enable.resume = is_true(xml_attr(element, "resume"));
    enable.window_s = stream->config.resume_window_s;
    if (resume_parse_count(xml_attr(element, "max"), &wanted_s) && wanted_s > 0 &&
        wanted_s < enable.window_s) {
        enable.window_s = wanted_s;
    }
    stream->resume_wanted = enable.resume;
    command.body_case = PB__COMMAND__BODY_ENABLE;
    command.enable = &enable;
    outbound_note_written(stream); /* counting starts behind it: a resume must not bring it again */
    stream_move(stream, STATE_ENABLING);
    actions_submit(stream, &command, AWAITED_ENABLE);
}

static void write_enabled(struct stream *stream, const struct outcome *outcome)
{
    struct buf text = BUF_EMPTY;
    struct buf id = BUF_EMPTY;

    buf_append_str(&text, "<enabled xmlns='" NS_SM "'");
    if (stream->resumable) {
        hex_encode(outcome->resume_id, &id);
        xml_write_attr(&text, "id", buf_text(&id));
        buf_printf(&text, " max='%u' resume='true'", outcome->window_s);
        if (outcome->location != NULL && outcome->location[0] != '\0') {
            xml_write_attr(&text, "location", outcome->location);
        }
    }
    buf_append_str(&text, "/>");
    stream_write(stream, buf_text(&text));
    buf_deinit(&id);
    buf_deinit(&text);
}

void resume_on_enabled(struct stream *stream, const struct outcome *outcome)
{
    stream_move(stream, STATE_ACTIVE);
    stream->is_decided = true;
    if (outcome->kind != OUTCOME_ENABLED || outcome->rc != 0) {
        resume_refuse(stream, "internal-server-error");
        return;
    }
    stream->counted = true;
    stream->resumable = stream->resume_wanted && outcome->resume_id.len > 0;
    acks_in_start(&stream->in, 0);
    outbound_start(stream, 0);
    write_enabled(stream, outcome);
}

/* ---- resume */

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The id as <enabled/> gave it. Returns its length, or 0 for what was never given out. */
static size_t parse_id(const char *text, uint8_t out[RESUME_ID_BYTES_MAX])
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (len % 2 != 0 || len > 2 * RESUME_ID_BYTES_MAX) {
        return 0;
    }
    for (size_t i = 0; i < len / 2; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return 0;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    return len / 2;
}

static void submit_resume(struct stream *stream, uint8_t *id, size_t id_len)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Resume resume = PB__RESUME__INIT;
    Pb__Owner owner = actions_owner(stream);

    resume.owner = &owner;
    resume.user = stream->user;
    resume.resume_id = (ProtobufCBinaryData){.data = id, .len = id_len};
    resume.credential_version = stream->credential_version;
    command.body_case = PB__COMMAND__BODY_RESUME;
    command.resume = &resume;
    stream_move(stream, STATE_RESUMING);
    actions_submit_claim(stream, &command, AWAITED_RESUME);
}

/* The h of <resume/> is only checked for form. It may be stale: the client may have given this
 * connection up, resumed on another and received more there, before this <resume/> is read. The
 * count that matters is asked for after the resume, on this connection. */
void resume_on_resume(struct stream *stream, const struct xml_element *element)
{
    uint8_t id[RESUME_ID_BYTES_MAX];
    const char *previd = xml_attr(element, "previd");
    size_t id_len = parse_id(previd, id);
    uint32_t h;

    if (previd == NULL || !resume_parse_count(xml_attr(element, "h"), &h)) {
        resume_refuse(stream, "bad-request");
    } else if (id_len == 0) {
        resume_refuse(stream, "item-not-found");
    } else {
        mem_free(&stream->request_id);
        stream->request_id = mem_strdup(previd);
        submit_resume(stream, id, id_len);
    }
}

/* The client may bind on the same stream next (XEP-0198 §5). An id of another user looks like one
 * that never was. */
static void refuse_resume(struct stream *stream, const struct outcome *outcome)
{
    bool unknown = outcome->rc == ERR_NOT_FOUND || outcome->rc == ERR_AUTH;

    stream_move(stream, STATE_BINDABLE);
    stream_write(stream, "<failed xmlns='" NS_SM "'");
    if (outcome->count_known) {
        stream_printf(stream, " h='%u'", outcome->count);
    }
    stream_printf(stream, "><%s xmlns='" NS_STANZA_ERRORS "'/></failed>",
                  unknown ? "item-not-found" : "internal-server-error");
}

static void write_resumed(struct stream *stream, uint32_t count)
{
    struct buf text = BUF_EMPTY;

    buf_printf(&text, "<resumed xmlns='" NS_SM "' h='%u'", count);
    xml_write_attr(&text, "previd", stream->request_id);
    buf_append_str(&text, "/><r xmlns='" NS_SM "'/>");
    stream_write(stream, buf_text(&text));
    buf_deinit(&text);
}

void resume_on_outcome(struct stream *stream, const struct outcome *outcome)
{
    actions_settle_claim(stream);
    if (outcome->kind != OUTCOME_RESUMED || outcome->rc != 0) {
        refuse_resume(stream, outcome);
        return;
    }
    bind_take_session(stream, outcome);
    stream->counted = true;
    stream->is_decided = true;
    stream->resumable = true;
    acks_in_start(&stream->in, outcome->count);
    stream_move(stream, STATE_RESUMED);
    stream->deadline_ms = stream->now_ms + stream->config.confirm_ms;
    write_resumed(stream, outcome->count);
    log_info("session.resumed", LOG_STR("address", stream->address),
             LOG_UINT("session", stream->session), LOG_UINT("epoch", stream->epoch));
}

/* ---- confirm */

/* Whether h is too high (XEP-0198 §6) nobody can tell: what the old connection wrote last may have
 * been presence, whose numbers no record has, in any quantity; and the node that counted it may be
 * dead. A client that claims more than it has loses only what waits for itself. On a connection
 * where all was counted it is refused: outbound_on_ack(). */
void resume_confirm(struct stream *stream, uint32_t h)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Confirm confirm = PB__CONFIRM__INIT;

    stream->confirm_h = h;
    stream->deadline_ms = 0;
    confirm.session = stream->session;
    confirm.epoch = stream->epoch;
    confirm.h = h;
    command.body_case = PB__COMMAND__BODY_CONFIRM;
    command.confirm = &confirm;
    stream_move(stream, STATE_CONFIRMING);
    actions_submit(stream, &command, AWAITED_CONFIRM);
}

void resume_on_confirm_outcome(struct stream *stream, const struct outcome *outcome)
{
    if (outcome->rc == ERR_CONFLICT) {
        ending_drop(stream);
    } else if (outcome->rc != 0) {
        ending_cut(stream);
    }
}

void resume_on_confirmed(struct stream *stream, uint64_t presence_since)
{
    outbound_start(stream, stream->confirm_h);
    cursor_start(&stream->cursor, presence_since);
    stream_move(stream, STATE_ACTIVE);
}
