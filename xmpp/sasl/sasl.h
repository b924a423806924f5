/* sasl - the server's side of SASL (RFC 6120 §6): SCRAM-SHA-256(-PLUS) and SCRAM-SHA-1(-PLUS) by
 * RFC 5802 and 7677, PLAIN by RFC 4616. Sans-I/O; messages go in and out as the base64 text that
 * stands in the XML. One per connection, used by one worker; its nonces come from base's random
 * port. Only a derivation, which takes long, may run on another thread. */
#ifndef XMPP_SASL_SASL_H
#define XMPP_SASL_SASL_H

#include "node/base/crypto.h"

#define SASL_MECHANISM_COUNT_MAX 5
#define SASL_SALT_BYTES          16

/* Of imported keys. RFC 5802 §5.1 asks for 4096 or more; there are servers that had fewer, but a
 * key of a few is no protection. PLAIN derives at each login, so there is an end upwards, too. */
#define SASL_ITERATIONS_MIN 1000
#define SASL_ITERATIONS_MAX 1000000

/* Channel binding data of the TLS connection (RFC 5929, RFC 9266); empty: not available. Borrowed
 * for the life of the server. A type that has data is accepted. */
struct sasl_bindings {
    struct slice exporter;  /* tls-exporter */
    struct slice end_point; /* tls-server-end-point */
    struct slice unique;    /* tls-unique */
};

struct sasl_config {
    struct sasl_bindings bindings; /* any: the -PLUS mechanisms are offered */
    bool tls;                      /* without it no PLAIN */
    bool allow_plain;
    const char *domain; /* prepared; what an authzid must name. Borrowed */
    struct slice
        decoy_secret; /* the same on all nodes: salts of users that do not exist. Borrowed */
    uint32_t decoy_iterations; /* those of keys that are made here; not 0 */
};

/* What an account keeps instead of its password (RFC 5802 §3), for one hash. */
struct sasl_key {
    enum hash_kind kind;
    uint32_t iterations;
    struct slice salt;
    struct slice stored_key;
    struct slice server_key;
};

enum sasl_verdict {
    SASL_CHALLENGE,        /* send sasl_server_output() as <challenge/>, await a <response/> */
    SASL_NEED_CREDENTIALS, /* look up sasl_server_user(), then sasl_server_credentials() */
    SASL_DERIVE,           /* run sasl_server_take_derivation(), then sasl_server_derived() */
    SASL_SUCCESS,          /* send <success/> with sasl_server_output(); the user is who he says */
    SASL_FAILURE           /* send <failure/> with sasl_server_condition() */
};

struct sasl_server;
/* A key to be made from a password: milliseconds of processor time. Knows nothing of its server.
 */
struct sasl_derivation;

/** Names to offer, strongest first; returns how many. */
size_t sasl_mechanisms(const struct sasl_config *config,
                       const char *names_out[SASL_MECHANISM_COUNT_MAX]);

/** One attempt. config is copied, what it points to is borrowed. Never returns NULL. */
struct sasl_server *sasl_server_new(const struct sasl_config *config);
/** Wipe and free *server and set it to NULL. */
void sasl_server_free(struct sasl_server **server);

/** The first message. initial: text of <auth/>, NULL when the element was empty; "=" is an empty
 * response (RFC 6120 §6.4.2). Call once. */
enum sasl_verdict sasl_server_start(struct sasl_server *server, const char *mechanism,
                                    const char *initial);
/** Text of a <response/>, after SASL_CHALLENGE; at any other time it is refused. */
enum sasl_verdict sasl_server_respond(struct sasl_server *server, const char *response);
/** After SASL_NEED_CREDENTIALS: all keys of the account; count 0 when there is no such account,
 * which the client cannot tell from a wrong password. Keys are copied. */
enum sasl_verdict sasl_server_credentials(struct sasl_server *server, const struct sasl_key *keys,
                                          size_t count);
/** After SASL_DERIVE, once: the caller has it run, on any thread, and frees it. */
struct sasl_derivation *sasl_server_take_derivation(struct sasl_server *server);
void sasl_derivation_run(struct sasl_derivation *derivation);
/** Wipe and free *derivation and set it to NULL; NULL is fine. */
void sasl_derivation_free(struct sasl_derivation **derivation);
/** What the derivation taken came to. One that did not run fails. */
enum sasl_verdict sasl_server_derived(struct sasl_server *server,
                                      const struct sasl_derivation *derivation);
/** The attempt ends for a reason of the caller's: "aborted", "temporary-auth-failure",
 * "account-disabled", ... (RFC 6120 §6.5; a literal). */
enum sasl_verdict sasl_server_fail(struct sasl_server *server, const char *condition);

/** Base64 text for <challenge/> or <success/>; "" when there is nothing to say. */
const char *sasl_server_output(struct sasl_server *server);
/** The failure condition of RFC 6120 §6.5. */
const char *sasl_server_condition(const struct sasl_server *server);
/** Prepared localpart; set from SASL_NEED_CREDENTIALS on. */
const char *sasl_server_user(const struct sasl_server *server);
/** Name of the mechanism in use; "" before a known one was named. */
const char *sasl_server_mechanism(const struct sasl_server *server);

/** Derive what to store for a password: SASLprep, then StoredKey and ServerKey, hash_size(kind)
 * bytes each. ERR_MALFORMED when SASLprep refuses the password or it is empty. */
NODISCARD int scram_derive(enum hash_kind kind, struct slice password, struct slice salt,
                           uint32_t iterations, uint8_t *stored_key_out, uint8_t *server_key_out);

#endif
