#include "node/core/port.h"

#include "node/base/mem.h"

struct port_message *port_new(enum port_kind kind)
{
    struct port_message *message = mem_zalloc(sizeof(*message));

    message->kind = kind;
    return message;
}

static const char *copy_text(const char *text)
{
    return text == NULL ? NULL : mem_strdup(text);
}

struct port_message *port_outcome_new(const struct effect_ref *ref, const struct outcome *outcome)
{
    struct port_message *message = port_new(PORT_OUTCOME);

    message->ref = *ref;
    message->outcome = *outcome;
    message->outcome.address = copy_text(outcome->address);
    message->outcome.location = copy_text(outcome->location);
    message->bytes = blob_new(outcome->resume_id);
    message->outcome.resume_id = blob_slice(message->bytes);
    return message;
}

void port_free(struct port_message **message)
{
    struct port_message *m = *message;

    if (m->kind == PORT_OUTCOME) {
        mem_release((void *)(uintptr_t)m->outcome.address);
        mem_release((void *)(uintptr_t)m->outcome.location);
    }
    blob_unref(&m->delivery.xml);
    blob_unref(&m->bytes);
    mem_free(message);
}
