/* tls - the server side of TLS on client ports: certificates chosen by SNI and reloaded while
 * connections live (tls_store, any thread), and one connection without I/O of its own (tls_conn,
 * one worker): cipher bytes in, clear bytes out and the other way round. TLS 1.2 and 1.3, no 0-RTT,
 * no renegotiation, sessions by tickets only (their keys are replicated, DESIGN 5). */
#ifndef NODE_NET_TLS_H
#define NODE_NET_TLS_H

#include "node/base/buf.h"
#include "node/base/err.h"

#include <stdbool.h>

struct tls_store;
struct tls_conn;
/** What was read of all domains at once. Never changed; the store and connections count it. */
struct tls_set;

/** One served domain; several may name the same files. */
struct tls_certificate {
    const char *domain;
    const char *cert_file; /* PEM, own certificate first, then the chain */
    const char *key_file;  /* PEM */
};

/** Key of session tickets (RFC 5077 §4, RFC 8446 §4.6.1); all nodes of a cluster have the same. */
struct tls_ticket_key {
    uint8_t name[16]; /* travels in the ticket, tells which key made it */
    uint8_t aes_key[32];
    uint8_t mac_key[32];
};

#define TLS_TICKET_KEYS_MAX   4
#define TLS_TICKET_LIFETIME_S (24 * 3600)

/** A store without certificates and with a ticket key of its own until one is set. */
struct tls_store *tls_store_new(void);
/** Every tls_conn of it must be gone. Frees and sets NULL. */
void tls_store_free(struct tls_store **store);
#define TLS_FAULT_BYTES_MAX 512

/** Read all certificates; the first is for clients that name no domain. ERR_TLS: fault says which
 * file has what. None at all make a set that no client may be served with. Any thread; as long as
 * the files take. */
NODISCARD int tls_set_load(const struct tls_certificate *certificates, size_t count,
                           char fault[TLS_FAULT_BYTES_MAX], struct tls_set **out);
/** For a set that no store has. */
void tls_set_free(struct tls_set **set);
/** Use these certificates for new connections. Any thread. */
void tls_store_use_take(struct tls_store *store, struct tls_set *set);
/** keys[0] makes new tickets, all of them open old ones. Copied. Any thread. */
void tls_store_set_ticket_keys(struct tls_store *store, const struct tls_ticket_key *keys,
                               size_t count);

struct tls_conn_options {
    const char *domain; /* certificate when the client sends no SNI (the stream's 'to'), or NULL */
    const char *alpn;   /* "xmpp-client" on a direct TLS port (XEP-0368); NULL: ALPN is ignored.
                           A client that offers others only is refused, one without ALPN is not */
};

/** A new server connection; ERR_NOT_FOUND when the store has no certificates. Options are read for
 * the call only. */
NODISCARD int tls_conn_new(struct tls_store *store, const struct tls_conn_options *options,
                           struct tls_conn **out);
void tls_conn_free(struct tls_conn **conn);

/** Take cipher bytes from the peer; appends what they decrypt to and what TLS itself wants sent
 * (also on failure: the alert). 0; ERR_TLS: send cipher_out and close; ERR_CLOSED: the peer sent
 * close_notify. After an error only tls_conn_free() is legal, after ERR_CLOSED also write and
 * close_notify. */
NODISCARD int tls_conn_feed(struct tls_conn *conn, struct slice cipher, struct buf *clear_out,
                            struct buf *cipher_out);
bool tls_conn_handshake_done(const struct tls_conn *conn);
/** Encrypt; the handshake must be done. ERR_TLS: close. */
NODISCARD int tls_conn_write(struct tls_conn *conn, struct slice clear, struct buf *cipher_out);
/** Say that nothing more follows (RFC 6120 §4.4); a no-op before the handshake is done. */
void tls_conn_close_notify(struct tls_conn *conn, struct buf *cipher_out);
/** Why TLS failed, for a log line; "" when it did not. */
const char *tls_conn_failure(const struct tls_conn *conn);

#define TLS_EXPORTER_BYTES   32 /* RFC 9266 §2 */
#define TLS_DIGEST_BYTES_MAX 64

/** Channel binding data of a finished handshake; a length of 0: this kind is not available. */
struct tls_bindings {
    bool tls13;
    bool resumed;
    size_t exporter_len; /* tls-exporter: TLS 1.3 only */
    size_t end_point_len;
    size_t unique_len; /* on 1.3 too: slixmpp uses it there, against RFC 9266; policy is the
                          caller's */
    uint8_t exporter[TLS_EXPORTER_BYTES];
    uint8_t end_point[TLS_DIGEST_BYTES_MAX];
    uint8_t unique[TLS_DIGEST_BYTES_MAX];
};

void tls_conn_bindings(const struct tls_conn *conn, struct tls_bindings *out);
/** "TLSv1.3" or "TLSv1.2". */
const char *tls_conn_version(const struct tls_conn *conn);

#endif
