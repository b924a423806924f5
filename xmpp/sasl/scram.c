#include "xmpp/sasl/scram.h"

#include "node/base/jid.h"
#include "node/base/utf8.h"

/* Cut the part up to the next comma off the front of *rest, and the comma; *had_comma says whether
 * there was one. */
static struct slice take_part(struct slice *rest, bool *had_comma)
{
    const uint8_t *comma = rest->len == 0 ? NULL : memchr(rest->data, ',', rest->len);
    size_t len = comma == NULL ? rest->len : (size_t)(comma - rest->data);
    struct slice part = slice_sub(*rest, 0, len);

    *had_comma = comma != NULL;
    *rest = slice_sub(*rest, *had_comma ? len + 1 : len, rest->len);
    return part;
}

/* The value of a part "x=value"; ERR_MALFORMED when it is another attribute, or empty. */
static int part_value(struct slice part, const char *prefix, struct slice *out)
{
    size_t prefix_len = strlen(prefix);

    if (!slice_starts_with(part, slice_str(prefix)) || part.len == prefix_len) {
        return ERR_MALFORMED;
    }
    *out = slice_sub(part, prefix_len, part.len);
    return 0;
}

/* attr-val = ALPHA "=" value: extensions are checked and ignored. */
static bool is_extension(struct slice part)
{
    return part.len >= 3 && part.data[1] == '=' &&
           ((part.data[0] >= 'a' && part.data[0] <= 'z') ||
            (part.data[0] >= 'A' && part.data[0] <= 'Z'));
}

static bool is_nonce(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x21 || text.data[i] > 0x7e) {
            return false;
        }
    }
    return text.len > 0;
}

static int parse_gs2_header(struct slice *rest, struct scram_client_first *out)
{
    struct slice whole = *rest;
    bool had_comma;
    struct slice flag = take_part(rest, &had_comma);
    struct slice authzid;

    if (flag.len == 0 || !had_comma) {
        return ERR_MALFORMED;
    }
    out->binding_flag = (char)flag.data[0];
    if (out->binding_flag == 'p') {
        if (part_value(flag, "p=", &out->binding_type) != 0) {
            return ERR_MALFORMED;
        }
    } else if (flag.len != 1 || (out->binding_flag != 'y' && out->binding_flag != 'n')) {
        return ERR_MALFORMED;
    }
    authzid = take_part(rest, &had_comma);
    if (!had_comma || (authzid.len > 0 && part_value(authzid, "a=", &out->authzid) != 0)) {
        return ERR_MALFORMED;
    }
    out->gs2_header = slice_sub(whole, 0, whole.len - rest->len);
    return 0;
}

int scram_parse_client_first(struct slice message, struct scram_client_first *out)
{
    struct slice rest = message;
    bool more;

    *out = (struct scram_client_first){0};
    if (!utf8_valid_text(message) || parse_gs2_header(&rest, out) != 0) {
        return ERR_MALFORMED;
    }
    out->bare = rest;
    /* A mandatory extension "m=" would stand here; none is known, so it is refused (§5.1). */
    if (part_value(take_part(&rest, &more), "n=", &out->user) != 0 || !more ||
        part_value(take_part(&rest, &more), "r=", &out->nonce) != 0 || !is_nonce(out->nonce) ||
        out->nonce.len > SCRAM_NONCE_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    while (more) {
        if (!is_extension(take_part(&rest, &more))) {
            return ERR_MALFORMED;
        }
    }
    return 0;
}

int scram_parse_client_final(struct slice message, struct scram_client_final *out)
{
    struct slice rest = message;
    bool more;

    *out = (struct scram_client_final){0};
    if (!utf8_valid_text(message) ||
        part_value(take_part(&rest, &more), "c=", &out->binding) != 0 || !more ||
        part_value(take_part(&rest, &more), "r=", &out->nonce) != 0 || !more) {
        return ERR_MALFORMED;
    }
    for (;;) {
        struct slice before = slice_sub(message, 0, message.len - rest.len - 1);
        struct slice part = take_part(&rest, &more);

        if (!more) { /* the proof is the last part, without it the message is signed */
            out->without_proof = before;
            return part_value(part, "p=", &out->proof);
        }
        if (!is_extension(part)) {
            return ERR_MALFORMED;
        }
    }
}

int scram_unescape(struct slice name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] != '=') {
            buf_append_u8(out, name.data[i]);
        } else if (slice_starts_with(slice_sub(name, i, name.len), slice_str("=2C"))) {
            buf_append_u8(out, ',');
            i += 2;
        } else if (slice_starts_with(slice_sub(name, i, name.len), slice_str("=3D"))) {
            buf_append_u8(out, '=');
            i += 2;
        } else {
            return ERR_MALFORMED;
        }
    }
    return 0;
}

/* RFC 5802 §3: ClientKey := ClientProof XOR HMAC(StoredKey, AuthMessage); H(ClientKey) = StoredKey.
 */
bool scram_proof_valid(enum hash_kind kind, struct slice stored_key, struct slice auth_message,
                       struct slice proof)
{
    uint8_t client_key[HASH_SIZE_MAX];
    uint8_t digest[HASH_SIZE_MAX];
    size_t size = hash_size(kind);
    bool valid;

    if (proof.len != size) {
        return false;
    }
    hash_hmac(kind, stored_key, auth_message, client_key);
    for (size_t i = 0; i < size; i++) {
        client_key[i] ^= proof.data[i];
    }
    hash_digest(kind, slice_make(client_key, size), digest);
    valid = crypto_equal(slice_make(digest, size), stored_key);
    explicit_bzero(client_key, sizeof(client_key)); /* it opens the account as the password does */
    return valid;
}

/* RFC 5802 §3: SaltedPassword := Hi(...); StoredKey := H(HMAC(it, "Client Key")); ServerKey. */
int scram_derive(enum hash_kind kind, struct slice password, struct slice salt, uint32_t iterations,
                 uint8_t *stored_key_out, uint8_t *server_key_out)
{
    uint8_t salted[HASH_SIZE_MAX];
    uint8_t client_key[HASH_SIZE_MAX];
    struct buf prepared = BUF_EMPTY;
    size_t size = hash_size(kind);
    int rc = jid_saslprep(password, &prepared);

    if (rc == 0 && buf_len(&prepared) == 0) {
        rc = ERR_MALFORMED;
    }
    if (rc == 0) {
        hash_pbkdf2(kind, buf_slice(&prepared), salt, iterations, salted);
        hash_hmac(kind, slice_make(salted, size), slice_str("Client Key"), client_key);
        hash_digest(kind, slice_make(client_key, size), stored_key_out);
        hash_hmac(kind, slice_make(salted, size), slice_str("Server Key"), server_key_out);
        explicit_bzero(salted, sizeof(salted));
        explicit_bzero(client_key, sizeof(client_key));
    }
    buf_wipe(&prepared);
    return rc;
}
