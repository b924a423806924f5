#include "xmpp/im/features.h"

#include "node/base/crypto.h"
#include "xmpp/xml/ns.h"

/* In the order of their bytes: so they are hashed (XEP-0115 §5.1). */
static const char *const features[] = {
    NS_CAPS,      NS_DISCO_INFO, NS_DISCO_ITEMS, NS_ROSTER, NS_VERSION,
    "msgoffline", NS_PING,       NS_STANZA_ID,   NS_TIME,
};

void features_append_info(struct buf *out)
{
    buf_append_str(out, "<identity category='server' type='im' name='Muster'/>");
    for (size_t i = 0; i < ARRAY_COUNT(features); i++) {
        buf_printf(out, "<feature var='%s'/>", features[i]);
    }
}

void features_append_ver(struct buf *out)
{
    struct buf text = BUF_EMPTY;
    uint8_t digest[HASH_SIZE_MAX];

    buf_append_str(&text, "server/im//Muster<");
    for (size_t i = 0; i < ARRAY_COUNT(features); i++) {
        buf_printf(&text, "%s<", features[i]);
    }
    hash_digest(HASH_SHA1, buf_slice(&text), digest);
    base64_encode(slice_make(digest, hash_size(HASH_SHA1)), out);
    buf_deinit(&text);
}
