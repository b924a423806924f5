/* TLS of the client ports, without sockets: two ends that pass each other bytes. */
#include "node/net/tls.h"

#include "node/base/bio.h"
#include "node/base/mem.h"
#include "tests/lib/pki/pki.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ROUNDS_MAX 8

/* An OpenSSL client and our server, joined in memory. */
struct pair {
    SSL_CTX *client_ctx;
    SSL *client;
    struct bio_pipe pipe;
    struct tls_conn *server;
    struct buf to_server;
    struct buf to_client;
    struct buf at_server; /* clear */
    struct buf at_client;
    int server_rc;
    SSL_SESSION *session; /* the newest that the client was given */
};

struct client_options {
    const char *sni;
    const char *alpn; /* with its length byte */
    int version_max;
    SSL_SESSION *session;
};

struct world {
    struct pki *pki;
    struct tls_store *store;
    struct pki_files a;
    struct pki_files b;
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct pair *pair = SSL_get_app_data(ssl);

    SSL_SESSION_free(pair->session);
    pair->session = session;
    return 1; /* we own it now */
}

static void open_pair(struct world *world, const struct tls_conn_options *server_options,
                      const struct client_options *options, struct pair *pair)
{
    BIO *bio;

    *pair = (struct pair){.server_rc = 0};
    pair->client_ctx = SSL_CTX_new(TLS_client_method());
    /* Sessions in OpenSSL's own cache die with the context. */
    (void)SSL_CTX_set_session_cache_mode(pair->client_ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(pair->client_ctx, keep_session);
    if (options->version_max != 0) {
        (void)SSL_CTX_set_max_proto_version(pair->client_ctx, options->version_max);
    }
    pair->client = SSL_new(pair->client_ctx);
    bio = bio_pipe_new(&pair->pipe);
    SSL_set_bio(pair->client, bio, bio);
    pair->pipe.out = &pair->to_server;
    (void)SSL_set_app_data(pair->client, pair);
    SSL_set_connect_state(pair->client);
    if (options->sni != NULL) {
        (void)SSL_set_tlsext_host_name(pair->client, options->sni);
    }
    if (options->alpn != NULL) {
        (void)SSL_set_alpn_protos(pair->client, (const unsigned char *)options->alpn,
                                  (unsigned)strlen(options->alpn));
    }
    if (options->session != NULL) {
        (void)SSL_set_session(pair->client, options->session);
    }
    assert_int_equal(tls_conn_new(world->store, server_options, &pair->server), 0);
}

static void read_client(struct pair *pair)
{
    uint8_t bytes[4096];
    size_t len;

    while (SSL_read_ex(pair->client, bytes, sizeof(bytes), &len) == 1) {
        buf_append(&pair->at_client, slice_make(bytes, len));
    }
    ERR_clear_error();
}

/* Carry bytes both ways until nothing moves; to the server in pieces of step bytes. */
static void turn(struct pair *pair, size_t step)
{
    for (unsigned round = 0; round < ROUNDS_MAX && pair->server_rc == 0; round++) {
        read_client(pair);
        while (buf_len(&pair->to_server) > 0 && pair->server_rc == 0) {
            size_t len = buf_len(&pair->to_server) < step ? buf_len(&pair->to_server) : step;

            pair->server_rc =
                tls_conn_feed(pair->server, slice_sub(buf_slice(&pair->to_server), 0, len),
                              &pair->at_server, &pair->to_client);
            buf_consume(&pair->to_server, len);
        }
        pair->pipe.in = buf_slice(&pair->to_client);
        read_client(pair);
        buf_clear(&pair->to_client);
    }
}

static void close_pair(struct pair *pair)
{
    tls_conn_free(&pair->server);
    SSL_set_quiet_shutdown(pair->client, 1);
    (void)SSL_shutdown(pair->client); /* else OpenSSL declares the session not resumable */
    SSL_free(pair->client);
    SSL_CTX_free(pair->client_ctx);
    SSL_SESSION_free(pair->session);
    buf_deinit(&pair->to_server);
    buf_deinit(&pair->to_client);
    buf_deinit(&pair->at_server);
    buf_deinit(&pair->at_client);
}

/* Common name of the certificate that the client saw. */
static const char *seen_name(const struct pair *pair, char out[64])
{
    X509 *certificate = SSL_get0_peer_certificate(pair->client);

    assert_non_null(certificate);
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, out, 64);
    return out;
}

static void load(struct world *world, const struct pki_files *a, const struct pki_files *b)
{
    const struct tls_certificate certificates[] = {
        {.domain = "a.example", .cert_file = a->cert, .key_file = a->key},
        {.domain = "b.example", .cert_file = b->cert, .key_file = b->key},
    };

    char fault[TLS_FAULT_BYTES_MAX];
    struct tls_set *set;

    assert_int_equal(tls_set_load(certificates, ARRAY_COUNT(certificates), fault, &set), 0);
    tls_store_use_take(world->store, set);
}

static int setup(void **state)
{
    struct world *world = mem_zalloc(sizeof(*world));

    world->pki = pki_new();
    world->store = tls_store_new();
    pki_issue(world->pki, 0, "cert a", "a.example", &world->a);
    pki_issue(world->pki, 0, "cert b", "*.hosts.example", &world->b);
    load(world, &world->a, &world->b);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    tls_store_free(&world->store);
    pki_free(&world->pki);
    mem_free(&world);
    return 0;
}

static const struct tls_conn_options plain_options = {.domain = NULL};

/* Goal: clear bytes go both ways, whatever the cuts, with both versions; close_notify is seen.
 * Method: a client in memory; bytes to the server in steps of 1, 7 and a lot. */
static void test_bytes_go_both_ways(void **state)
{
    const size_t steps[] = {1, 7, SIZE_MAX};
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static uint8_t large[100000];

    for (size_t i = 0; i < ARRAY_COUNT(steps) * ARRAY_COUNT(versions); i++) {
        size_t step = steps[i % ARRAY_COUNT(steps)];
        struct pair pair;
        size_t written;

        open_pair(*state, &plain_options,
                  &(struct client_options){.version_max = versions[i / ARRAY_COUNT(steps)]}, &pair);
        assert_false(tls_conn_handshake_done(pair.server));
        turn(&pair, step);
        assert_true(tls_conn_handshake_done(pair.server));
        assert_string_equal(tls_conn_version(pair.server), SSL_get_version(pair.client));

        assert_int_equal(SSL_write_ex(pair.client, "hello", 5, &written), 1);
        turn(&pair, step);
        assert_true(slice_eq_str(buf_slice(&pair.at_server), "hello"));
        memset(large, (int)i, sizeof(large));
        assert_int_equal(
            tls_conn_write(pair.server, slice_make(large, sizeof(large)), &pair.to_client), 0);
        assert_int_equal(tls_conn_write(pair.server, slice_make(NULL, 0), &pair.to_client), 0);
        turn(&pair, step);
        assert_true(slice_eq(buf_slice(&pair.at_client), slice_make(large, sizeof(large))));

        tls_conn_close_notify(pair.server, &pair.to_client);
        pair.pipe.in = buf_slice(&pair.to_client);
        read_client(&pair);
        assert_int_equal(SSL_get_shutdown(pair.client), SSL_RECEIVED_SHUTDOWN);
        buf_clear(&pair.to_client);
        (void)SSL_shutdown(pair.client);
        turn(&pair, step);
        assert_int_equal(pair.server_rc, ERR_CLOSED);
        assert_string_equal(tls_conn_failure(pair.server), "");
        close_pair(&pair);
    }
}

/* Goal: the certificate follows SNI, then the stream's domain, then the first. Case and names that
 * only a certificate covers included. */
static void test_certificate_by_name(void **state)
{
    const struct {
        const char *sni;
        const char *domain;
        const char *expected;
    } rows[] = {
        {"a.example", NULL, "cert a"},         {"b.example", NULL, "cert b"},
        {"B.Example", NULL, "cert b"},         {"node1.hosts.example", NULL, "cert b"},
        {"elsewhere.example", NULL, "cert a"}, {NULL, NULL, "cert a"},
        {NULL, "b.example", "cert b"},         {"a.example", "b.example", "cert a"},
        {NULL, "elsewhere.example", "cert a"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pair pair;
        char name[64];

        open_pair(*state, &(struct tls_conn_options){.domain = rows[i].domain},
                  &(struct client_options){.sni = rows[i].sni}, &pair);
        turn(&pair, SIZE_MAX);
        assert_string_equal(seen_name(&pair, name), rows[i].expected);
        close_pair(&pair);
    }
}

/* Goal: new certificates serve new connections at once, old connections go on, and a load that
 * fails in any file changes nothing. */
static void test_reload(void **state)
{
    struct world *world = *state;
    const struct tls_certificate bad[] = {
        {.domain = "a.example", .cert_file = world->b.cert, .key_file = world->b.key},
        {.domain = "b.example", .cert_file = world->a.cert, .key_file = world->b.key},
    };
    const struct tls_certificate missing = {
        .domain = "a.example", .cert_file = "/nonexistent", .key_file = world->a.key};
    char fault[TLS_FAULT_BYTES_MAX] = "";
    struct tls_set *set;
    struct pair old;
    struct pair new;
    char name[64];

    open_pair(world, &plain_options, &(struct client_options){.sni = "a.example"}, &old);
    turn(&old, SIZE_MAX);
    load(world, &world->b, &world->a);
    open_pair(world, &plain_options, &(struct client_options){.sni = "a.example"}, &new);
    turn(&new, SIZE_MAX);
    assert_string_equal(seen_name(&new, name), "cert b");
    close_pair(&new);

    assert_int_equal(tls_set_load(bad, ARRAY_COUNT(bad), fault, &set), ERR_TLS);
    assert_non_null(strstr(fault, world->b.key));
    assert_int_equal(tls_set_load(&missing, 1, fault, &set), ERR_TLS);
    assert_non_null(strstr(fault, "/nonexistent: No such file"));
    open_pair(world, &plain_options, &(struct client_options){.sni = "a.example"}, &new);
    turn(&new, SIZE_MAX);
    assert_string_equal(seen_name(&new, name), "cert b");
    close_pair(&new);

    assert_int_equal(tls_conn_write(old.server, slice_str("still here"), &old.to_client), 0);
    turn(&old, SIZE_MAX);
    assert_true(slice_eq_str(buf_slice(&old.at_client), "still here"));
    close_pair(&old);
}

/* Handshake with the ticket that *session holds (unless NULL) and replace it by the newest one. */
static bool resumes(struct world *world, int version, const char *sni, SSL_SESSION **session)
{
    struct pair pair;
    struct tls_bindings bindings;
    bool resumed;

    open_pair(world, &plain_options,
              &(struct client_options){.sni = sni, .version_max = version, .session = *session},
              &pair);
    turn(&pair, SIZE_MAX);
    assert_true(tls_conn_handshake_done(pair.server));
    resumed = SSL_session_reused(pair.client) == 1;
    tls_conn_bindings(pair.server, &bindings);
    assert_int_equal(bindings.resumed, resumed);
    if (resumed && version == TLS1_2_VERSION) {
        SSL_SESSION_free(pair.session); /* the client tells of a renewed ticket on 1.3 only */
        pair.session = SSL_get1_session(pair.client);
    }
    if (pair.session != NULL) {
        SSL_SESSION_free(*session);
        *session = pair.session;
        pair.session = NULL;
    }
    close_pair(&pair);
    return resumed;
}

static struct tls_ticket_key make_key(uint8_t seed)
{
    struct tls_ticket_key key;

    memset(&key, seed, sizeof(key));
    return key;
}

/* Goal: a ticket resumes after a reload and on any store with the same keys; old keys open old
 * tickets until they are gone; a ticket is good for its domain only.
 * Method: each step for both versions, with a second store as the other node. */
static void test_resumption(void **state)
{
    struct world *world = *state;
    struct world other = {.store = tls_store_new()};
    const struct tls_ticket_key keys[] = {make_key(1), make_key(2)};
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    load(&other, &world->b, &world->b);
    for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
        int version = versions[i];
        SSL_SESSION *session = NULL;

        tls_store_set_ticket_keys(world->store, &keys[0], 1);
        tls_store_set_ticket_keys(other.store, &keys[0], 1);
        assert_false(resumes(world, version, "a.example", &session));
        assert_non_null(session);
        assert_true(resumes(world, version, "a.example", &session));
        load(world, &world->a, &world->b);
        assert_true(resumes(world, version, "a.example", &session));
        assert_true(resumes(&other, version, "a.example", &session));
        assert_false(resumes(&other, version, "b.example", &session));

        assert_true(resumes(&other, version, "b.example", &session));
        tls_store_set_ticket_keys(other.store, (struct tls_ticket_key[]){keys[1], keys[0]}, 2);
        assert_true(resumes(&other, version, "b.example", &session)); /* and renewed with keys[1] */
        tls_store_set_ticket_keys(other.store, &keys[1], 1);
        assert_true(resumes(&other, version, "b.example", &session));
        tls_store_set_ticket_keys(other.store, &keys[0], 1);
        assert_false(resumes(&other, version, "b.example", &session));
        SSL_SESSION_free(session);
    }
    tls_store_free(&other.store);
}

static void expect_client_unique(const struct pair *pair, const struct tls_bindings *bindings)
{
    uint8_t unique[TLS_DIGEST_BYTES_MAX];
    /* As Python's ssl.get_channel_binding() does on the client's side, so slixmpp. */
    size_t len = SSL_session_reused(pair->client) == 1
                     ? SSL_get_peer_finished(pair->client, unique, sizeof(unique))
                     : SSL_get_finished(pair->client, unique, sizeof(unique));

    assert_true(len > 0);
    assert_int_equal(bindings->unique_len, len);
    assert_memory_equal(bindings->unique, unique, len);
}

static void expect_client_end_point(const struct pair *pair, const struct tls_bindings *bindings)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;

    assert_int_equal(
        X509_digest(SSL_get0_peer_certificate(pair->client), EVP_sha256(), digest, &len), 1);
    assert_int_equal(bindings->end_point_len, len);
    assert_memory_equal(bindings->end_point, digest, len);
}

/* Goal: both sides compute the same channel bindings, in full and resumed handshakes; tls-exporter
 * only on 1.3; tls-server-end-point stays that of the certificate the client saw, also when the
 * server has got another one meanwhile. */
static void test_channel_bindings(void **state)
{
    struct world *world = *state;
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (size_t i = 0; i < 2 * ARRAY_COUNT(versions); i++) {
        const bool resume = i % 2 == 1;
        const bool tls13 = versions[i / 2] == TLS1_3_VERSION;
        SSL_SESSION *session = NULL;
        struct tls_bindings bindings;
        struct pair pair;

        load(world, &world->a, &world->b);
        if (resume) {
            assert_false(resumes(world, versions[i / 2], "a.example", &session));
            load(world, &world->b, &world->b);
        }
        open_pair(world, &plain_options,
                  &(struct client_options){
                      .sni = "a.example", .version_max = versions[i / 2], .session = session},
                  &pair);
        turn(&pair, SIZE_MAX);
        tls_conn_bindings(pair.server, &bindings);
        assert_int_equal(bindings.tls13, tls13);
        assert_int_equal(bindings.resumed, resume);
        assert_int_equal(bindings.exporter_len, tls13 ? TLS_EXPORTER_BYTES : 0);
        if (tls13) {
            uint8_t exporter[TLS_EXPORTER_BYTES];

            assert_int_equal(SSL_export_keying_material(pair.client, exporter, sizeof(exporter),
                                                        "EXPORTER-Channel-Binding", 24, NULL, 0, 0),
                             1);
            assert_memory_equal(bindings.exporter, exporter, sizeof(exporter));
        }
        expect_client_unique(&pair, &bindings);
        expect_client_end_point(&pair, &bindings);
        close_pair(&pair);
        SSL_SESSION_free(session);
    }
}

/* Goal: a direct TLS port speaks "xmpp-client" (XEP-0368): chosen when offered, refused when other
 * protocols are offered, not needed; a STARTTLS port ignores ALPN. */
static void test_alpn(void **state)
{
    const struct {
        const char *wanted;
        const char *offered;
        const char *chosen; /* NULL: the handshake fails */
    } rows[] = {
        {"xmpp-client", "\x0bxmpp-client", "xmpp-client"},
        {"xmpp-client", "\x02h2\x0bxmpp-client", "xmpp-client"},
        {"xmpp-client", "\x02h2", NULL},
        {"xmpp-client", "\x0bxmpp-server", NULL},
        {"xmpp-client", NULL, ""},
        {NULL, "\x02h2", ""},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const unsigned char *chosen;
        unsigned chosen_len;
        struct pair pair;

        open_pair(*state, &(struct tls_conn_options){.alpn = rows[i].wanted},
                  &(struct client_options){.alpn = rows[i].offered}, &pair);
        turn(&pair, SIZE_MAX);
        SSL_get0_alpn_selected(pair.client, &chosen, &chosen_len);
        assert_int_equal(pair.server_rc, rows[i].chosen == NULL ? ERR_TLS : 0);
        assert_true(slice_eq_str(slice_make(chosen, chosen_len),
                                 rows[i].chosen == NULL ? "" : rows[i].chosen));
        close_pair(&pair);
    }
}

/* Goal: what is no TLS, or too old, is an error with a reason, answered by an alert.
 * Method: garbage, plain XML, half a hello then garbage, TLS 1.1, garbage after the handshake. */
static void test_garbage(void **state)
{
    const char *texts[] = {"<?xml version='1.0'?><stream:stream to='a.example'>",
                           "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
                           "\x16\x03\x01\x00\x05garbage that is no handshake at all",
                           "\x17\x03\x03\x00\x05hello"};
    struct pair pair;

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        open_pair(*state, &plain_options, &(struct client_options){.sni = NULL}, &pair);
        buf_append(&pair.to_server, slice_make(texts[i], i == 2   ? 40
                                                         : i == 3 ? 10
                                                                  : strlen(texts[i])));
        pair.server_rc = tls_conn_feed(pair.server, buf_slice(&pair.to_server), &pair.at_server,
                                       &pair.to_client);
        assert_int_equal(pair.server_rc, ERR_TLS);
        assert_true(strlen(tls_conn_failure(pair.server)) > 0);
        assert_int_equal(buf_len(&pair.at_server), 0);
        close_pair(&pair);
    }

    open_pair(*state, &plain_options, &(struct client_options){.version_max = TLS1_1_VERSION},
              &pair);
    SSL_set_security_level(pair.client, 0);
    turn(&pair, SIZE_MAX);
    assert_int_equal(pair.server_rc, ERR_TLS);
    close_pair(&pair);

    open_pair(*state, &plain_options, &(struct client_options){.sni = NULL}, &pair);
    turn(&pair, SIZE_MAX);
    assert_int_equal(pair.server_rc, 0);
    assert_int_equal(tls_conn_feed(pair.server,
                                   slice_make("\x17\x03\x03\x00\x20"
                                              "0123456789abcdef0123456789abcdef",
                                              37),
                                   &pair.at_server, &pair.to_client),
                     ERR_TLS);
    assert_true(buf_len(&pair.to_client) > 0);
    close_pair(&pair);
}

/* Goal: without certificates there is no TLS, said by an error. */
static void test_empty_store(void **state)
{
    struct tls_store *store = tls_store_new();
    struct tls_conn *conn;
    (void)state;

    assert_int_equal(tls_conn_new(store, &plain_options, &conn), ERR_NOT_FOUND);
    tls_store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_go_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificate_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resumption, setup, teardown),
        cmocka_unit_test_setup_teardown(test_channel_bindings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alpn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test(test_empty_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
