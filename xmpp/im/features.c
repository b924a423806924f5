#include "xmpp/im/features.h"

#include "node/base/crypto.h"
#include "storage/state/versions.h"
#include "xmpp/xml/ns.h"

/* In the order of their bytes: so they are hashed (XEP-0115 §5.1). */
static const struct {
    const char *var;
    uint32_t since; /* the written version that lets it be served */
} features[] = {
    {NS_CAPS, 0},   {NS_DISCO_INFO, 0}, {NS_DISCO_ITEMS, 0}, {NS_PRIVATE, STATE_LOG_VERSION_KEPT},
    {NS_ROSTER, 0}, {NS_VERSION, 0},    {"msgoffline", 0},   {NS_CARBONS, STATE_LOG_VERSION_COPIES},
    {NS_PING, 0},   {NS_STANZA_ID, 0},  {NS_TIME, 0},        {NS_VCARD, STATE_LOG_VERSION_KEPT},
};

static void append_each(const char *before, const char *after, uint32_t log_version,
                        struct buf *out)
{
    for (size_t i = 0; i < ARRAY_COUNT(features); i++) {
        if (features[i].since <= log_version) {
            buf_append_str(out, before);
            buf_append_str(out, features[i].var);
            buf_append_str(out, after);
        }
    }
}

void features_append_info(uint32_t log_version, struct buf *out)
{
    buf_append_str(out, "<identity category='server' type='im' name='Muster'/>");
    append_each("<feature var='", "'/>", log_version, out);
}

void features_append_ver(uint32_t log_version, struct buf *out)
{
    struct buf text = BUF_EMPTY;
    uint8_t digest[HASH_SIZE_MAX];

    buf_append_str(&text, "server/im//Muster<");
    append_each("", "<", log_version, &text);
    hash_digest(HASH_SHA1, buf_slice(&text), digest);
    base64_encode(slice_make(digest, hash_size(HASH_SHA1)), out);
    buf_deinit(&text);
}
