/* server - the order of messages of one SASL attempt, and every reason to refuse it. */
#include "node/base/jid.h"
#include "node/base/mem.h"
#include "node/base/utf8.h"
#include "xmpp/sasl/scram.h"

#define MESSAGE_BYTES_MAX  8192 /* base64 text; names and passwords have 1023 bytes at most */
#define SERVER_NONCE_BYTES 18   /* 24 characters of base64 */

struct mechanism {
    const char *name;
    enum hash_kind kind;
    bool plus;
    bool plain;
};

/* In the order in which they are offered: binding to the channel counts more than the hash. */
static const struct mechanism mechanisms[SASL_MECHANISM_COUNT_MAX] = {
    {.name = "SCRAM-SHA-256-PLUS", .kind = HASH_SHA256, .plus = true},
    {.name = "SCRAM-SHA-1-PLUS", .kind = HASH_SHA1, .plus = true},
    {.name = "SCRAM-SHA-256", .kind = HASH_SHA256},
    {.name = "SCRAM-SHA-1", .kind = HASH_SHA1},
    {.name = "PLAIN", .kind = HASH_SHA256, .plain = true},
};

/*  START --auth, empty--> INITIAL --response--> CREDENTIALS --keys--> FINAL --proof--> DONE
 *      `------auth with initial response--------^      `--PLAIN: keys--> DERIVING------^
 *  A refusal leads from anywhere to DONE. */
enum server_state {
    SERVER_START,
    SERVER_INITIAL,
    SERVER_CREDENTIALS,
    SERVER_FINAL,
    SERVER_DERIVING,
    SERVER_DONE
};

struct sasl_server {
    struct sasl_config config;
    enum server_state state;
    const struct mechanism *mechanism; /* NULL before a known one was named */
    const char *condition;
    char user[JID_PART_BYTES_MAX + 1];
    struct buf output;       /* base64 */
    struct buf password;     /* PLAIN */
    struct buf binding;      /* SCRAM: what "c=" must hold, GS2 header and channel binding data */
    struct buf nonce;        /* SCRAM: the client's, then the server's behind it */
    struct buf auth_message; /* SCRAM: grows message by message (RFC 5802 §3) */
    struct sasl_derivation *derivation; /* PLAIN: until it is taken */
    uint8_t stored_key[HASH_SIZE_MAX];
    size_t stored_key_len; /* PLAIN */
    uint8_t server_key[HASH_SIZE_MAX];
};

static bool can_bind(const struct sasl_bindings *bindings)
{
    return bindings->exporter.len > 0 || bindings->end_point.len > 0 || bindings->unique.len > 0;
}

/* NULL when mechanism may be used, else the failure condition. */
static const char *mechanism_refusal(const struct sasl_config *config,
                                     const struct mechanism *mechanism)
{
    if (mechanism->plus && !can_bind(&config->bindings)) {
        return "invalid-mechanism";
    }
    if (mechanism->plain && !config->allow_plain) {
        return "mechanism-too-weak";
    }
    if (mechanism->plain && !config->tls) {
        return "encryption-required";
    }
    return NULL;
}

size_t sasl_mechanisms(const struct sasl_config *config,
                       const char *names_out[SASL_MECHANISM_COUNT_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_COUNT(mechanisms); i++) {
        if (mechanism_refusal(config, &mechanisms[i]) == NULL) {
            names_out[count++] = mechanisms[i].name;
        }
    }
    return count;
}

struct sasl_server *sasl_server_new(const struct sasl_config *config)
{
    struct sasl_server *server = mem_zalloc(sizeof(*server));

    ASSERT(config->decoy_iterations != 0);
    server->config = *config;
    return server;
}

void sasl_server_free(struct sasl_server **server)
{
    if (*server != NULL) {
        buf_deinit(&(*server)->output);
        buf_wipe(&(*server)->password);
        sasl_derivation_free(&(*server)->derivation);
        buf_deinit(&(*server)->binding);
        buf_deinit(&(*server)->nonce);
        buf_deinit(&(*server)->auth_message);
        explicit_bzero(*server, sizeof(**server));
        mem_free(server);
    }
}

enum sasl_verdict sasl_server_fail(struct sasl_server *server, const char *condition)
{
    server->state = SERVER_DONE;
    server->condition = condition;
    buf_clear(&server->output);
    return SASL_FAILURE;
}

static enum sasl_verdict succeed(struct sasl_server *server)
{
    server->state = SERVER_DONE;
    return SASL_SUCCESS;
}

static void set_output(struct sasl_server *server, struct slice message)
{
    buf_clear(&server->output);
    base64_encode(message, &server->output);
}

/* ---- who ---- */

/* SASLprep as RFC 5802 §5.1 asks, then the rules of a localpart. NULL or a condition. */
static const char *set_user(struct sasl_server *server, struct slice name)
{
    struct buf prepared = BUF_EMPTY;
    int rc = jid_saslprep(name, &prepared);

    if (rc == 0) {
        rc = jid_prep_local(buf_slice(&prepared), server->user);
    }
    buf_deinit(&prepared);
    return rc == 0 ? NULL : "not-authorized";
}

/* RFC 6120 §6.3.8: a bare address; nobody acts for another here, so it must be the user's own. */
static const char *check_authzid(const struct sasl_server *server, struct slice authzid)
{
    struct jid jid;

    if (authzid.len == 0) {
        return NULL;
    }
    if (jid_parse(authzid, &jid) != 0 || jid.resource[0] != '\0' ||
        strcmp(jid.local, server->user) != 0 || strcmp(jid.domain, server->config.domain) != 0) {
        return "invalid-authzid";
    }
    return NULL;
}

static enum sasl_verdict need_credentials(struct sasl_server *server)
{
    server->state = SERVER_CREDENTIALS;
    return SASL_NEED_CREDENTIALS;
}

/* ---- PLAIN: [authzid] NUL authcid NUL passwd (RFC 4616 §2) ---- */

static bool take_until_nul(struct slice *rest, struct slice *out)
{
    const uint8_t *nul = rest->len == 0 ? NULL : memchr(rest->data, '\0', rest->len);
    size_t len;

    if (nul == NULL) {
        return false;
    }
    len = (size_t)(nul - rest->data);
    *out = slice_sub(*rest, 0, len);
    *rest = slice_sub(*rest, len + 1, rest->len);
    return true;
}

static enum sasl_verdict plain_message(struct sasl_server *server, struct slice message)
{
    struct slice password = message;
    struct slice authzid;
    struct slice user;
    const char *refusal;

    if (!take_until_nul(&password, &authzid) || !take_until_nul(&password, &user) ||
        user.len == 0 || password.len == 0 || password.len > JID_SASLPREP_BYTES_MAX ||
        !utf8_valid_text(authzid) || !utf8_valid_text(user) || !utf8_valid_text(password)) {
        return sasl_server_fail(server, "malformed-request");
    }
    refusal = set_user(server, user);
    if (refusal == NULL) {
        refusal = check_authzid(server, authzid);
    }
    if (refusal != NULL) {
        return sasl_server_fail(server, refusal);
    }
    (void)buf_reserve(&server->password, password.len);
    buf_append(&server->password, password);
    return need_credentials(server);
}

static enum sasl_verdict plain_verify(struct sasl_server *server, const struct sasl_key *key)
{
    memcpy(server->stored_key, key->stored_key.data, key->stored_key.len);
    server->stored_key_len = key->stored_key.len;
    server->derivation = sasl_derivation_new(key, buf_slice(&server->password));
    buf_wipe(&server->password);
    server->state = SERVER_DERIVING;
    return SASL_DERIVE;
}

struct sasl_derivation *sasl_server_take_derivation(struct sasl_server *server)
{
    struct sasl_derivation *derivation = server->derivation;

    ASSERT(derivation != NULL);
    server->derivation = NULL;
    return derivation;
}

enum sasl_verdict sasl_server_derived(struct sasl_server *server,
                                      const struct sasl_derivation *derivation)
{
    struct slice stored_key = slice_make(server->stored_key, server->stored_key_len);

    if (server->state == SERVER_DONE) {
        return SASL_FAILURE;
    }
    ASSERT(server->state == SERVER_DERIVING);
    return sasl_derivation_gives(derivation, stored_key)
               ? succeed(server)
               : sasl_server_fail(server, "not-authorized");
}

/* ---- SCRAM ---- */

/* Data of the channel binding type the client chose; empty: not to be had. */
static struct slice binding_data(const struct sasl_bindings *bindings, struct slice type)
{
    if (slice_eq_str(type, "tls-exporter")) {
        return bindings->exporter;
    }
    if (slice_eq_str(type, "tls-server-end-point")) {
        return bindings->end_point;
    }
    if (slice_eq_str(type, "tls-unique")) {
        return bindings->unique;
    }
    return slice_make(NULL, 0);
}

/* RFC 5802 §6: the flag must fit the mechanism, and "y" says that the client saw no -PLUS where we
 * offered it: somebody in between took it off the list. NULL or a condition. */
static const char *check_binding_flag(struct sasl_server *server,
                                      const struct scram_client_first *first)
{
    struct slice data = {0};

    if ((first->binding_flag == 'p') != server->mechanism->plus) {
        return "malformed-request";
    }
    if (first->binding_flag == 'y' && can_bind(&server->config.bindings)) {
        return "not-authorized";
    }
    if (first->binding_flag == 'p') {
        data = binding_data(&server->config.bindings, first->binding_type);
        if (data.len == 0) {
            return "not-authorized";
        }
    }
    buf_append(&server->binding, first->gs2_header);
    buf_append(&server->binding, data);
    return NULL;
}

static const char *set_scram_user(struct sasl_server *server,
                                  const struct scram_client_first *first)
{
    struct buf name = BUF_EMPTY;
    struct buf authzid = BUF_EMPTY;
    const char *refusal = "malformed-request";

    if (scram_unescape(first->user, &name) == 0 && scram_unescape(first->authzid, &authzid) == 0) {
        refusal = set_user(server, buf_slice(&name));
        if (refusal == NULL) {
            refusal = check_authzid(server, buf_slice(&authzid));
        }
    }
    buf_deinit(&authzid);
    buf_deinit(&name);
    return refusal;
}

static enum sasl_verdict scram_first_message(struct sasl_server *server, struct slice message)
{
    struct scram_client_first first;
    const char *refusal;

    if (scram_parse_client_first(message, &first) != 0) {
        return sasl_server_fail(server, "malformed-request");
    }
    refusal = check_binding_flag(server, &first);
    if (refusal == NULL) {
        refusal = set_scram_user(server, &first);
    }
    if (refusal != NULL) {
        return sasl_server_fail(server, refusal);
    }
    buf_append(&server->nonce, first.nonce);
    buf_append(&server->auth_message, first.bare);
    return need_credentials(server);
}

static enum sasl_verdict scram_challenge(struct sasl_server *server, const struct sasl_key *key)
{
    uint8_t random[SERVER_NONCE_BYTES];
    struct buf message = BUF_EMPTY;
    size_t size = hash_size(key->kind);

    memcpy(server->stored_key, key->stored_key.data, size);
    memcpy(server->server_key, key->server_key.data, size);
    random_fill(random, sizeof(random));
    base64_encode(slice_make(random, sizeof(random)), &server->nonce);

    buf_append_str(&message, "r=");
    buf_append(&message, buf_slice(&server->nonce));
    buf_append_str(&message, ",s=");
    base64_encode(key->salt, &message);
    buf_printf(&message, ",i=%u", key->iterations);

    buf_append_u8(&server->auth_message, ',');
    buf_append(&server->auth_message, buf_slice(&message));
    set_output(server, buf_slice(&message));
    buf_deinit(&message);
    server->state = SERVER_FINAL;
    return SASL_CHALLENGE;
}

/* Everything in the last message but its syntax: channel, nonce, proof. */
static bool scram_final_valid(struct sasl_server *server, const struct scram_client_final *final)
{
    struct buf binding = BUF_EMPTY;
    struct buf proof = BUF_EMPTY;
    size_t size = hash_size(server->mechanism->kind);
    bool valid = base64_decode(final->binding, &binding) == 0 &&
                 base64_decode(final->proof, &proof) == 0 &&
                 crypto_equal(buf_slice(&binding), buf_slice(&server->binding)) &&
                 crypto_equal(final->nonce, buf_slice(&server->nonce)) &&
                 scram_proof_valid(server->mechanism->kind, slice_make(server->stored_key, size),
                                   buf_slice(&server->auth_message), buf_slice(&proof));

    buf_deinit(&proof);
    buf_deinit(&binding);
    return valid;
}

static enum sasl_verdict scram_final_message(struct sasl_server *server, struct slice message)
{
    enum hash_kind kind = server->mechanism->kind;
    uint8_t signature[HASH_SIZE_MAX];
    struct scram_client_final final;
    struct buf answer = BUF_EMPTY;

    if (scram_parse_client_final(message, &final) != 0) {
        return sasl_server_fail(server, "malformed-request");
    }
    buf_append_u8(&server->auth_message, ',');
    buf_append(&server->auth_message, final.without_proof);
    if (!scram_final_valid(server, &final)) {
        return sasl_server_fail(server, "not-authorized");
    }
    hash_hmac(kind, slice_make(server->server_key, hash_size(kind)),
              buf_slice(&server->auth_message), signature);
    buf_append_str(&answer, "v=");
    base64_encode(slice_make(signature, hash_size(kind)), &answer);
    set_output(server, buf_slice(&answer));
    buf_deinit(&answer);
    return succeed(server);
}

/* ---- credentials ---- */

static bool key_usable(const struct sasl_key *key)
{
    return key->iterations > 0 && key->iterations <= SASL_ITERATIONS_MAX && key->salt.len > 0 &&
           key->stored_key.len == hash_size(key->kind) &&
           key->server_key.len == hash_size(key->kind);
}

/* The key of the mechanism's hash; PLAIN takes what there is. */
static const struct sasl_key *choose_key(const struct mechanism *mechanism,
                                         const struct sasl_key *keys, size_t count)
{
    const struct sasl_key *other = NULL;

    for (size_t i = 0; i < count; i++) {
        if (key_usable(&keys[i])) {
            if (keys[i].kind == mechanism->kind) {
                return &keys[i];
            }
            other = &keys[i];
        }
    }
    return mechanism->plain ? other : NULL;
}

/* An account that is not there gets a salt too, the same whenever and wherever one asks, and the
 * same work is done: it looks like one whose keys were made here. An account whose keys have
 * another count of iterations (imported ones, or from before the setting was changed) has no such
 * double: that count can only belong to an account. */
static enum sasl_verdict proceed_with_decoy(struct sasl_server *server)
{
    enum hash_kind kind = server->mechanism->kind;
    uint8_t seed[HASH_SIZE_MAX];
    uint8_t unknowable[HASH_SIZE_MAX];
    struct buf label = BUF_EMPTY;
    struct sasl_key key = {.kind = kind, .iterations = server->config.decoy_iterations};

    buf_printf(&label, "%d:%s@%s", (int)kind, server->user, server->config.domain);
    hash_hmac(HASH_SHA256, server->config.decoy_secret, buf_slice(&label), seed);
    buf_deinit(&label);
    random_fill(unknowable, sizeof(unknowable));
    key.salt = slice_make(seed, SASL_SALT_BYTES);
    key.stored_key = slice_make(unknowable, hash_size(kind));
    key.server_key = key.stored_key;
    return server->mechanism->plain ? plain_verify(server, &key) : scram_challenge(server, &key);
}

enum sasl_verdict sasl_server_credentials(struct sasl_server *server, const struct sasl_key *keys,
                                          size_t count)
{
    const struct sasl_key *key;

    if (server->state == SERVER_DONE) {
        return SASL_FAILURE;
    }
    ASSERT(server->state == SERVER_CREDENTIALS);
    key = choose_key(server->mechanism, keys, count);
    if (key == NULL) {
        return proceed_with_decoy(server);
    }
    return server->mechanism->plain ? plain_verify(server, key) : scram_challenge(server, key);
}

/* ---- messages in ---- */

static enum sasl_verdict on_message(struct sasl_server *server, struct slice message)
{
    if (server->state == SERVER_FINAL) {
        return scram_final_message(server, message);
    }
    return server->mechanism->plain ? plain_message(server, message)
                                    : scram_first_message(server, message);
}

static enum sasl_verdict on_text(struct sasl_server *server, const char *text)
{
    struct buf message = BUF_EMPTY;
    struct slice encoded = slice_str(strcmp(text, "=") == 0 ? "" : text);
    enum sasl_verdict verdict;

    if (encoded.len > MESSAGE_BYTES_MAX) {
        return sasl_server_fail(server, "malformed-request");
    }
    if (base64_decode(encoded, &message) != 0) {
        verdict = sasl_server_fail(server, "incorrect-encoding");
    } else {
        verdict = on_message(server, buf_slice(&message));
    }
    buf_wipe(&message);
    return verdict;
}

static const struct mechanism *find_mechanism(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(mechanisms); i++) {
        if (strcmp(mechanisms[i].name, name) == 0) {
            return &mechanisms[i];
        }
    }
    return NULL;
}

enum sasl_verdict sasl_server_start(struct sasl_server *server, const char *mechanism,
                                    const char *initial)
{
    const char *refusal;

    ASSERT(server->state == SERVER_START);
    server->mechanism = find_mechanism(mechanism);
    if (server->mechanism == NULL) {
        return sasl_server_fail(server, "invalid-mechanism");
    }
    refusal = mechanism_refusal(&server->config, server->mechanism);
    if (refusal != NULL) {
        return sasl_server_fail(server, refusal);
    }
    server->state = SERVER_INITIAL;
    if (initial == NULL) { /* the client speaks first in every mechanism here: ask it to */
        return SASL_CHALLENGE;
    }
    return on_text(server, initial);
}

enum sasl_verdict sasl_server_respond(struct sasl_server *server, const char *response)
{
    if (server->state != SERVER_INITIAL && server->state != SERVER_FINAL) {
        return sasl_server_fail(server, "malformed-request");
    }
    return on_text(server, response);
}

const char *sasl_server_output(struct sasl_server *server)
{
    return buf_text(&server->output);
}

const char *sasl_server_condition(const struct sasl_server *server)
{
    return server->condition;
}

const char *sasl_server_user(const struct sasl_server *server)
{
    return server->user;
}

const char *sasl_server_mechanism(const struct sasl_server *server)
{
    return server->mechanism == NULL ? "" : server->mechanism->name;
}
