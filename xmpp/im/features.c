#include "xmpp/im/features.h"

#include "node/base/crypto.h"
#include "storage/state/versions.h"
#include "xmpp/xml/ns.h"

#include <string.h>

/* In the order of their bytes: so they are hashed (XEP-0115 §5.1). */
static const struct {
    const char *var;
    uint32_t since; /* the written version that lets it be served */
} features[] = {
    {NS_CAPS, 0},   {NS_DISCO_INFO, 0}, {NS_DISCO_ITEMS, 0}, {NS_PRIVATE, STATE_LOG_VERSION_KEPT},
    {NS_ROSTER, 0}, {NS_VERSION, 0},    {"msgoffline", 0},   {NS_CARBONS, STATE_LOG_VERSION_COPIES},
    {NS_PING, 0},   {NS_STANZA_ID, 0},  {NS_TIME, 0},        {NS_VCARD, STATE_LOG_VERSION_KEPT},
};

static bool is_served(size_t index, uint32_t log_version, const struct blob *about)
{
    return features[index].since <= log_version &&
           (strcmp(features[index].var, NS_VERSION) != 0 || about_tells_version(about));
}

void features_append_info(uint32_t log_version, const struct blob *about, struct buf *out)
{
    buf_append_str(out, "<identity category='server' type='im' name='Muster'/>");
    for (size_t i = 0; i < ARRAY_COUNT(features); i++) {
        if (is_served(i, log_version, about)) {
            buf_printf(out, "<feature var='%s'/>", features[i].var);
        }
    }
    about_append_form(about, out);
}

void features_append_ver(uint32_t log_version, const struct blob *about, struct buf *out)
{
    struct buf text = BUF_EMPTY;
    uint8_t digest[HASH_SIZE_MAX];

    buf_append_str(&text, "server/im//Muster<");
    for (size_t i = 0; i < ARRAY_COUNT(features); i++) {
        if (is_served(i, log_version, about)) {
            buf_printf(&text, "%s<", features[i].var);
        }
    }
    about_append_text(about, &text);
    hash_digest(HASH_SHA1, buf_slice(&text), digest);
    base64_encode(slice_make(digest, hash_size(HASH_SHA1)), out);
    buf_deinit(&text);
}
