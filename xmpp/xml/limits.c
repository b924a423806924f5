#include "xmpp/xml/limits.h"

#include <stddef.h>

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value == 0 ? standard : value;
}

struct xml_limits xml_limits_complete(const struct xml_limits *limits)
{
    static const struct xml_limits none;

    if (limits == NULL) {
        limits = &none;
    }
    return (struct xml_limits){
        .stanza_bytes_max = or_default(limits->stanza_bytes_max, 256 * 1024),
        .token_bytes_max = or_default(limits->token_bytes_max, 16 * 1024),
        .depth_max = or_default(limits->depth_max, 32),
        .elements_max = or_default(limits->elements_max, 4096),
        .attributes_max = or_default(limits->attributes_max, 64),
        .name_bytes_max = or_default(limits->name_bytes_max, 256),
        .value_bytes_max = or_default(limits->value_bytes_max, 8 * 1024),
    };
}
