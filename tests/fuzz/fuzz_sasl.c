/* Goal: no SASL messages crash the server, and none but the right password lets anybody in.
 * Method: the first byte chooses mechanism and circumstances, the rest are messages, one a line,
 * sent as base64 or, on request, as they are. The keys of the account belong to no password, so
 * that success would be a proof forged. */
#include "xmpp/sasl/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAW_TEXT     0x40 /* messages stand for themselves, to reach the base64 decoder */
#define NO_ACCOUNT   0x20
#define NO_BINDING   0x10
#define NO_INITIAL   0x08
#define MECHANISM(b) ((b)&7)

static const char *const names[] = {"SCRAM-SHA-256-PLUS",
                                    "SCRAM-SHA-1-PLUS",
                                    "SCRAM-SHA-256",
                                    "SCRAM-SHA-1",
                                    "PLAIN",
                                    "EXTERNAL",
                                    "",
                                    "SCRAM-SHA-512"};

static const uint8_t zeros[HASH_SIZE_MAX];

static const struct sasl_key key = {.kind = HASH_SHA256,
                                    .iterations = 1,
                                    .salt = {zeros, 16},
                                    .stored_key = {zeros, 32},
                                    .server_key = {zeros, 32}};

static void zero_source(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    memset(out, 0, len);
}

static enum sasl_verdict send(struct sasl_server *server, uint8_t flags, struct slice message,
                              bool first)
{
    struct buf text = BUF_EMPTY;
    enum sasl_verdict verdict;

    if ((flags & RAW_TEXT) != 0) {
        buf_append(&text, message);
    } else {
        base64_encode(message, &text);
    }
    verdict = first ? sasl_server_start(server, names[MECHANISM(flags)],
                                        (flags & NO_INITIAL) != 0 ? NULL : buf_text(&text))
                    : sasl_server_respond(server, buf_text(&text));
    buf_deinit(&text);
    if (verdict == SASL_NEED_CREDENTIALS) {
        ASSERT(sasl_server_user(server)[0] != '\0');
        verdict = sasl_server_credentials(server, &key, (flags & NO_ACCOUNT) != 0 ? 0 : 1);
    }
    if (verdict == SASL_DERIVE) {
        struct sasl_derivation *derivation = sasl_server_take_derivation(server);

        sasl_derivation_run(derivation);
        verdict = sasl_server_derived(server, derivation);
        sasl_derivation_free(&derivation);
    }
    return verdict;
}

/* What parses must be the message, cut up. */
static void check_parsers(struct slice message)
{
    struct scram_client_first first;
    struct scram_client_final final;

    if (scram_parse_client_first(message, &first) == 0) {
        ASSERT(first.gs2_header.len + first.bare.len == message.len);
        ASSERT(first.user.len > 0);
        ASSERT(first.nonce.len <= SCRAM_NONCE_BYTES_MAX);
    }
    if (scram_parse_client_final(message, &final) == 0) {
        ASSERT(final.without_proof.len + strlen(",p=") + final.proof.len == message.len);
    }
}

static struct slice take_line(struct slice *rest)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    struct slice line = slice_sub(*rest, 0, len);

    *rest = slice_sub(*rest, end == NULL ? len : len + 1, rest->len);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sasl_config config = {.bindings = {.exporter = {zeros, 32}},
                                 .tls = true,
                                 .allow_plain = true,
                                 .domain = "example.test",
                                 .decoy_secret = {zeros, 16},
                                 .decoy_iterations = 1};
    struct sasl_server *server;
    enum sasl_verdict verdict;
    struct slice rest;

    if (size == 0) {
        return 0;
    }
    if ((data[0] & NO_BINDING) != 0) {
        config.bindings.exporter.len = 0;
    }
    random_set_source(zero_source, NULL);
    rest = slice_make(data + 1, size - 1);
    check_parsers(rest);
    server = sasl_server_new(&config);
    verdict = send(server, data[0], take_line(&rest), true);
    while (verdict == SASL_CHALLENGE && rest.len > 0) {
        verdict = send(server, data[0], take_line(&rest), false);
    }
    ASSERT(verdict != SASL_SUCCESS);
    ASSERT((verdict == SASL_FAILURE) == (sasl_server_condition(server) != NULL));
    sasl_server_free(&server);
    return 0;
}
