#include "storage/state/room.h"

#include "storage/state/apply.h"
#include "storage/state/command.h"
#include "storage/state/pending.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"
#include "storage/state/stanza_rules.h"

#define ATTRIBUTE_BYTES_MAX 256

static bool is_long(const char *text)
{
    return strlen(text) > ATTRIBUTE_BYTES_MAX;
}

/* An attribute that a client chose; one that no client needs is not answered. */
static char *short_text(char *text)
{
    return is_long(text) ? (char *)"" : text;
}

static bool is_large(const Pb__Stanza *stanza)
{
    return stanza_content_bytes(stanza) > STANZA_SMALL_BYTES_MAX;
}

/* Broadcast presence has one row a session; what ends a subscription takes from the state. */
static bool is_small_presence(const Pb__Stanza *stanza)
{
    static const char *const types[] = {"unavailable", "unsubscribe", "unsubscribed", "error"};

    return stanza->to[0] == '\0' || stanza_type_in(stanza->type, types, ARRAY_COUNT(types));
}

/* What a client sets of its own account. The answer has its id and language; no type but "error"
 * and "result" changes it. */
static bool bounced_set(char *id, const char *lang, bool is_content, Pb__Stanza *out)
{
    out->kind = PB__STANZA__KIND__IQ;
    out->type = (char *)"set";
    out->id = short_text(id);
    return is_content || is_long(id) || is_long(lang);
}

/* The stanza to bounce in *out, when the command is one. */
static bool bounced_stanza(const Pb__Command *command, Pb__From **from_out, Pb__Stanza *out)
{
    const Pb__Stanza *stanza = NULL;

    pb__stanza__init(out);
    switch (command->body_case) {
    case PB__COMMAND__BODY_MESSAGE:
        *from_out = command->message->from;
        stanza = command->message->stanza;
        break;
    case PB__COMMAND__BODY_IQ:
        *from_out = command->iq->from;
        stanza = command->iq->stanza;
        break;
    case PB__COMMAND__BODY_PRESENCE:
        *from_out = command->presence->from;
        stanza = command->presence->stanza;
        break;
    case PB__COMMAND__BODY_ROSTER_SET:
        *from_out = command->roster_set->from;
        return bounced_set(command->roster_set->iq_id, command->roster_set->iq_lang,
                           !command->roster_set->remove, out);
    case PB__COMMAND__BODY_KEEP: /* what takes away may come when there is room */
        *from_out = command->keep->from;
        return bounced_set(command->keep->iq_id, command->keep->iq_lang, true, out);
    case PB__COMMAND__BODY_COPIES_SET:
        *from_out = command->copies_set->from;
        return bounced_set(command->copies_set->iq_id, command->copies_set->iq_lang, false, out);
    case PB__COMMAND__BODY_ASK: /* it stands in the list until it is answered */
        *from_out = command->ask->from;
        stanza = command->ask->request;
        if (stanza == NULL || !is_large(stanza)) {
            return false;
        }
        break;
    default:
        return false;
    }
    /* An answer finishes something; one that is refused would leave the asker without. */
    if (stanza == NULL || stanza_is_answer(stanza) ||
        (stanza->kind == PB__STANZA__KIND__PRESENCE && is_small_presence(stanza))) {
        return false;
    }
    out->kind = stanza->kind;
    out->type = short_text(stanza->type);
    out->id = short_text(stanza->id);
    out->to = stanza->to;
    return true;
}

/* The stanza of a command that passes though a client may fill it. */
static Pb__Stanza *passing_stanza(const Pb__Command *command)
{
    switch (command->body_case) {
    case PB__COMMAND__BODY_MESSAGE:
        return command->message->stanza;
    case PB__COMMAND__BODY_IQ:
        return command->iq->stanza;
    case PB__COMMAND__BODY_PRESENCE:
        return command->presence->stanza;
    case PB__COMMAND__BODY_ANSWER:
        return command->answer->stanza;
    case PB__COMMAND__BODY_BOUNCE:
        return command->bounce->stanza;
    default:
        return NULL;
    }
}

/* What has to pass does so without what would fill the store: one account could go on for long. An
 * answer without its content is no result, so it becomes an error; presence means the same without
 * its words. */
static bool strip(const Pb__Command *command, struct buf *error)
{
    Pb__Stanza *stanza = passing_stanza(command);

    if (stanza == NULL || !is_large(stanza)) {
        return false;
    }
    stanza->id = short_text(stanza->id);
    stanza->type = short_text(stanza->type);
    stanza->lang = (char *)"";
    stanza->inner = (ProtobufCBinaryData){.len = 0};
    if (stanza_is_answer(stanza)) {
        stanza->type = (char *)"error";
        stanza_write_error("wait", "resource-constraint", error);
        stanza->inner = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)buf_slice(error).data,
                                              .len = buf_len(error)};
    }
    return true;
}

static bool adds_accounts(const Pb__Command *command)
{
    return command->body_case == PB__COMMAND__BODY_DOMAIN_SET ||
           command->body_case == PB__COMMAND__BODY_USER_IMPORT ||
           command->body_case == PB__COMMAND__BODY_USER_LOAD ||
           (command->body_case == PB__COMMAND__BODY_USER_SET && command->user_set->create);
}

bool room_refuse(struct slice bytes, enum err reason, struct buf *out)
{
    Pb__Command substitute = PB__COMMAND__INIT;
    Pb__Bounce bounced = PB__BOUNCE__INIT;
    Pb__Stanza stanza;
    struct effect_ref ref;
    struct buf error = BUF_EMPTY;
    Pb__Command *command;
    struct arena arena;
    size_t before = buf_len(out);

    arena_init(&arena);
    command = pb__command__unpack(&arena.pb, bytes.len, bytes.data);
    ref = command_ref(command == NULL ? NULL : command->ref);
    if (command == NULL) {
        /* That is for vet.h to judge. */
    } else if (bounced_stanza(command, &bounced.from, &stanza)) {
        bounced.stanza = &stanza;
        substitute.body_case = PB__COMMAND__BODY_BOUNCE;
        substitute.bounce = &bounced;
        command_append(&substitute, &ref, out);
    } else if (adds_accounts(command)) {
        command_append_empty(reason, &ref, out);
    } else if (strip(command, &error)) {
        command_append(command, &ref, out);
    }
    buf_deinit(&error);
    arena_deinit(&arena);
    return buf_len(out) > before;
}

int bounce(struct apply *a, const Pb__Bounce *command)
{
    Pb__SessionRow *row;
    Pb__Stanza *stanza = command->stanza;
    int rc = session_take_stanza(a, command->from, stanza, &row);

    if (rc != 0) {
        return rc;
    }
    if (stanza->to[0] == '\0') {
        stanza->to = row->user; /* RFC 6120 §10.3: without to, for the account itself */
    }
    stanza_refuse(a, command->from->session, stanza, STANZA_RESOURCE_CONSTRAINT);
    return 0;
}
