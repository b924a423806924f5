/* The SASL server against a client made here: every mechanism succeeds with the right password, and
 * each way to go wrong ends in the failure that RFC 6120 §6.5 names. */
#include "xmpp/sasl/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SALT       "0123456789abcdef"
#define ITERATIONS 7

static const struct sasl_config config = {
    .bindings = {.exporter = {(const uint8_t *)"exporter-data", 13},
                 .end_point = {(const uint8_t *)"end-point-data", 14}},
    .tls = true,
    .allow_plain = true,
    .domain = "example.test",
    .decoy_secret = {(const uint8_t *)"cluster secret", 14},
    .decoy_iterations = ITERATIONS,
};

/* ---- the account "user", password "pencil" ---- */

struct account {
    struct sasl_key keys[2];
    uint8_t bytes[4][HASH_SIZE_MAX];
};

static void account_init(struct account *account)
{
    static const enum hash_kind kinds[] = {HASH_SHA1, HASH_SHA256};

    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        assert_int_equal(scram_derive(kinds[i], slice_str("pencil"), slice_str(SALT), ITERATIONS,
                                      account->bytes[2 * i], account->bytes[2 * i + 1]),
                         0);
        account->keys[i] = (struct sasl_key){
            .kind = kinds[i],
            .iterations = ITERATIONS,
            .salt = slice_str(SALT),
            .stored_key = slice_make(account->bytes[2 * i], hash_size(kinds[i])),
            .server_key = slice_make(account->bytes[2 * i + 1], hash_size(kinds[i])),
        };
    }
}

static enum sasl_verdict give_account(struct sasl_server *server)
{
    struct account account;

    account_init(&account);
    return sasl_server_credentials(server, account.keys, ARRAY_COUNT(account.keys));
}

/* ---- the client ---- */

struct client {
    enum hash_kind kind;
    const char *mechanism;
    const char *gs2_header;
    const char *binding_data;
    const char *user; /* as it stands in "n=" */
    const char *password;
    const char *other_nonce; /* if not NULL, the last message is made for this one */
};

static const char *encode(const char *text, size_t len, struct buf *out)
{
    buf_clear(out);
    base64_encode(slice_make(text, len), out);
    return buf_text(out);
}

static void encode_binding(const struct client *client, struct buf *out)
{
    struct buf raw = BUF_EMPTY;

    buf_append_str(&raw, client->gs2_header);
    buf_append_str(&raw, client->binding_data);
    base64_encode(buf_slice(&raw), out);
    buf_deinit(&raw);
}

/* ClientProof of RFC 5802 §3, the long way round from the password. */
static void append_proof(const struct client *client, struct slice auth_message, struct buf *out)
{
    size_t size = hash_size(client->kind);
    uint8_t salted[HASH_SIZE_MAX];
    uint8_t client_key[HASH_SIZE_MAX];
    uint8_t stored_key[HASH_SIZE_MAX];
    uint8_t signature[HASH_SIZE_MAX];

    hash_pbkdf2(client->kind, slice_str(client->password), slice_str(SALT), ITERATIONS, salted);
    hash_hmac(client->kind, slice_make(salted, size), slice_str("Client Key"), client_key);
    hash_digest(client->kind, slice_make(client_key, size), stored_key);
    hash_hmac(client->kind, slice_make(stored_key, size), auth_message, signature);
    for (size_t i = 0; i < size; i++) {
        client_key[i] ^= signature[i];
    }
    base64_encode(slice_make(client_key, size), out);
}

/* The last message, answering server_first. */
static const char *client_final(const struct client *client, struct slice server_first,
                                struct buf *out)
{
    const uint8_t *comma = memchr(server_first.data, ',', server_first.len);
    struct slice nonce = client->other_nonce == NULL
                             ? slice_sub(server_first, 0, (size_t)(comma - server_first.data))
                             : slice_str(client->other_nonce);
    struct buf message = BUF_EMPTY;
    struct buf auth_message = BUF_EMPTY;

    buf_append_str(&message, "c=");
    encode_binding(client, &message);
    buf_append_u8(&message, ',');
    buf_append(&message, nonce);

    buf_printf(&auth_message, "n=%s,r=cnonce,", client->user);
    buf_append(&auth_message, server_first);
    buf_append_u8(&auth_message, ',');
    buf_append(&auth_message, buf_slice(&message));

    buf_append_str(&message, ",p=");
    append_proof(client, buf_slice(&auth_message), &message);
    encode((const char *)message.data + message.start, buf_len(&message), out);
    buf_deinit(&auth_message);
    buf_deinit(&message);
    return buf_text(out);
}

static enum sasl_verdict start(struct sasl_server *server, const struct client *client)
{
    struct buf message = BUF_EMPTY;
    struct buf text = BUF_EMPTY;
    enum sasl_verdict verdict;

    buf_printf(&message, "%sn=%s,r=cnonce", client->gs2_header, client->user);
    verdict = sasl_server_start(server, client->mechanism,
                                encode(buf_text(&message), buf_len(&message), &text));
    buf_deinit(&text);
    buf_deinit(&message);
    return verdict;
}

/* The whole exchange up to the verdict. */
static enum sasl_verdict run(struct sasl_server *server, const struct client *client)
{
    struct buf server_first = BUF_EMPTY;
    struct buf text = BUF_EMPTY;
    enum sasl_verdict verdict = start(server, client);

    if (verdict == SASL_NEED_CREDENTIALS) {
        verdict = give_account(server);
    }
    if (verdict == SASL_CHALLENGE) {
        assert_int_equal(base64_decode(slice_str(sasl_server_output(server)), &server_first), 0);
        verdict =
            sasl_server_respond(server, client_final(client, buf_slice(&server_first), &text));
    }
    buf_deinit(&text);
    buf_deinit(&server_first);
    return verdict;
}

static const struct client plus_256 = {.kind = HASH_SHA256,
                                       .mechanism = "SCRAM-SHA-256-PLUS",
                                       .gs2_header = "p=tls-exporter,,",
                                       .binding_data = "exporter-data",
                                       .user = "user",
                                       .password = "pencil"};
static const struct client bare_256 = {.kind = HASH_SHA256,
                                       .mechanism = "SCRAM-SHA-256",
                                       .gs2_header = "n,,",
                                       .binding_data = "",
                                       .user = "user",
                                       .password = "pencil"};

static void expect_success(const struct sasl_config *with, const struct client *client)
{
    struct sasl_server *server = sasl_server_new(with);

    assert_int_equal(run(server, client), SASL_SUCCESS);
    assert_string_equal(sasl_server_user(server), "user");
    assert_string_equal(sasl_server_mechanism(server), client->mechanism);
    assert_int_equal(strncmp(sasl_server_output(server), "dj", 2), 0); /* "v=" in base64 */
    sasl_server_free(&server);
    assert_null(server);
}

static void expect_failure(const struct sasl_config *with, const struct client *client,
                           const char *condition)
{
    struct sasl_server *server = sasl_server_new(with);

    assert_int_equal(run(server, client), SASL_FAILURE);
    assert_string_equal(sasl_server_condition(server), condition);
    assert_string_equal(sasl_server_output(server), "");
    sasl_server_free(&server);
}

/* ---- SCRAM ---- */

static void test_every_scram_mechanism(void **state)
{
    struct client client = plus_256;
    (void)state;

    expect_success(&config, &client);
    client.gs2_header = "p=tls-server-end-point,,";
    client.binding_data = "end-point-data";
    expect_success(&config, &client);
    client.mechanism = "SCRAM-SHA-1-PLUS";
    client.kind = HASH_SHA1;
    expect_success(&config, &client);
    client.mechanism = "SCRAM-SHA-1";
    client.gs2_header = "n,,";
    client.binding_data = "";
    expect_success(&config, &client);
    expect_success(&config, &bare_256);
}

/* Goal: the name is prepared as the account's was. */
static void test_user_is_prepared(void **state)
{
    struct client client = bare_256;
    (void)state;

    client.user = "USER";
    expect_success(&config, &client);
    client.user = "us\xc2\xad"
                  "er"; /* soft hyphen */
    expect_success(&config, &client);
    client.user = "us=2Cer=3D";
    {
        struct sasl_server *server = sasl_server_new(&config);

        assert_int_equal(start(server, &client), SASL_NEED_CREDENTIALS);
        assert_string_equal(sasl_server_user(server), "us,er=");
        sasl_server_free(&server);
    }
}

static void test_wrong_password(void **state)
{
    struct client client = plus_256;
    (void)state;

    client.password = "pencil2";
    expect_failure(&config, &client, "not-authorized");
}

/* Goal: a man in the middle is noticed (RFC 5802 §6).
 * Method: other channel data, a type without data, flags that do not fit mechanism or offer. */
static void test_channel_binding(void **state)
{
    struct sasl_config without = config;
    struct client client = plus_256;
    (void)state;

    client.binding_data = "exporter-datb";
    expect_failure(&config, &client, "not-authorized");
    client = plus_256;
    client.gs2_header = "p=tls-unique,,";
    expect_failure(&config, &client, "not-authorized");
    client.binding_data = "";
    expect_failure(&config, &client, "not-authorized"); /* bound to nothing */
    client.gs2_header = "p=none-such,,";
    expect_failure(&config, &client, "not-authorized");
    client.gs2_header = "n,,";
    client.binding_data = "";
    expect_failure(&config, &client, "malformed-request"); /* -PLUS without binding */
    client.gs2_header = "y,,";
    expect_failure(&config, &client, "malformed-request");
    client = bare_256;
    client.gs2_header = "p=tls-exporter,,";
    client.binding_data = "exporter-data";
    expect_failure(&config, &client, "malformed-request"); /* binding without -PLUS */
    client.gs2_header = "y,,";
    client.binding_data = "";
    expect_failure(&config, &client, "not-authorized"); /* downgrade: we did offer -PLUS */

    without.bindings = (struct sasl_bindings){0};
    expect_success(&without, &client); /* now "y" is true */
    expect_failure(&without, &plus_256, "invalid-mechanism");
}

/* Goal: the last message must repeat header, data and nonce of this very exchange.
 * Method: a final message made for another header, and one for another nonce. */
static void test_final_of_another_exchange(void **state)
{
    struct client liar = bare_256;
    struct sasl_server *server = sasl_server_new(&config);
    struct buf first = BUF_EMPTY;
    struct buf text = BUF_EMPTY;
    (void)state;

    assert_int_equal(start(server, &bare_256), SASL_NEED_CREDENTIALS);
    assert_int_equal(give_account(server), SASL_CHALLENGE);
    assert_int_equal(base64_decode(slice_str(sasl_server_output(server)), &first), 0);
    liar.gs2_header = "y,,";
    assert_int_equal(sasl_server_respond(server, client_final(&liar, buf_slice(&first), &text)),
                     SASL_FAILURE);
    assert_string_equal(sasl_server_condition(server), "not-authorized");
    sasl_server_free(&server);

    server = sasl_server_new(&config);
    assert_int_equal(start(server, &bare_256), SASL_NEED_CREDENTIALS);
    assert_int_equal(give_account(server), SASL_CHALLENGE); /* a fresh nonce: the old one is dead */
    assert_int_equal(sasl_server_respond(server, client_final(&bare_256, buf_slice(&first), &text)),
                     SASL_FAILURE);
    assert_string_equal(sasl_server_condition(server), "not-authorized");
    sasl_server_free(&server);
    buf_deinit(&text);
    buf_deinit(&first);

    liar = bare_256; /* the proof is right, for a nonce that the client chose alone */
    liar.other_nonce = "r=cnonce";
    expect_failure(&config, &liar, "not-authorized");
}

/* RFC 6120 §6.3.8 */
static void test_authzid(void **state)
{
    struct client client = bare_256;
    (void)state;

    client.gs2_header = "n,a=user@example.test,";
    expect_success(&config, &client);
    client.gs2_header = "n,a=USER@EXAMPLE.test,";
    expect_success(&config, &client);
    client.gs2_header = "n,a=other@example.test,";
    expect_failure(&config, &client, "invalid-authzid");
    client.gs2_header = "n,a=user@other.test,";
    expect_failure(&config, &client, "invalid-authzid");
    client.gs2_header = "n,a=user@example.test/x,";
    expect_failure(&config, &client, "invalid-authzid");
    client.gs2_header = "n,a=user,";
    expect_failure(&config, &client, "invalid-authzid");
    client.gs2_header = "n,a=us=2,";
    expect_failure(&config, &client, "malformed-request");
}

/* ---- users that do not exist ---- */

static void first_challenge(const char *user, size_t key_count, struct buf *out)
{
    struct sasl_server *server = sasl_server_new(&config);
    struct client client = bare_256;
    struct account account;

    account_init(&account);
    client.user = user;
    assert_int_equal(start(server, &client), SASL_NEED_CREDENTIALS);
    assert_int_equal(sasl_server_credentials(server, account.keys, key_count), SASL_CHALLENGE);
    buf_clear(out);
    assert_int_equal(base64_decode(slice_str(sasl_server_output(server)), out), 0);
    sasl_server_free(&server);
}

/* Goal: whether an account exists cannot be told.
 * Method: the decoy's salt is the same at each attempt, another for another name; its challenge has
 * the length of a real one; the proof fails as a wrong password does. */
static void test_unknown_user(void **state)
{
    struct buf a = BUF_EMPTY;
    struct buf b = BUF_EMPTY;
    struct buf c = BUF_EMPTY;
    struct buf real = BUF_EMPTY;
    struct sasl_server *server = sasl_server_new(&config);
    struct buf text = BUF_EMPTY;
    (void)state;

    first_challenge("nobody", 0, &a);
    first_challenge("nobody", 0, &b);
    first_challenge("nobod1", 0, &c);
    first_challenge("user", 2, &real);
    assert_int_equal(buf_len(&a), buf_len(&real));
    assert_string_equal(strstr(buf_text(&a), ",s="), strstr(buf_text(&b), ",s="));
    assert_string_not_equal(strstr(buf_text(&a), ",s="), strstr(buf_text(&c), ",s="));
    assert_string_not_equal(buf_text(&a), buf_text(&b)); /* the nonce is fresh */

    assert_int_equal(start(server, &bare_256), SASL_NEED_CREDENTIALS);
    assert_int_equal(sasl_server_credentials(server, NULL, 0), SASL_CHALLENGE);
    buf_clear(&a);
    assert_int_equal(base64_decode(slice_str(sasl_server_output(server)), &a), 0);
    assert_int_equal(sasl_server_respond(server, client_final(&bare_256, buf_slice(&a), &text)),
                     SASL_FAILURE);
    assert_string_equal(sasl_server_condition(server), "not-authorized");
    sasl_server_free(&server);
    buf_deinit(&text);
    buf_deinit(&a);
    buf_deinit(&b);
    buf_deinit(&c);
    buf_deinit(&real);
}

/* ---- PLAIN ---- */

static enum sasl_verdict derive(struct sasl_server *server)
{
    struct sasl_derivation *derivation = sasl_server_take_derivation(server);
    enum sasl_verdict verdict;

    sasl_derivation_run(derivation);
    verdict = sasl_server_derived(server, derivation);
    sasl_derivation_free(&derivation);
    return verdict;
}

static enum sasl_verdict run_plain(struct sasl_server *server, const char *message, size_t len,
                                   size_t key_count)
{
    struct account account;
    struct buf text = BUF_EMPTY;
    enum sasl_verdict verdict = sasl_server_start(server, "PLAIN", encode(message, len, &text));

    account_init(&account);
    buf_deinit(&text);
    if (verdict == SASL_NEED_CREDENTIALS) {
        verdict = sasl_server_credentials(server, account.keys, key_count);
    }
    return verdict == SASL_DERIVE ? derive(server) : verdict;
}

#define PLAIN_CASE(text, keys, expected)                                                           \
    {                                                                                              \
        (text), sizeof(text) - 1, (keys), (expected)                                               \
    }

static void test_plain(void **state)
{
    static const struct {
        const char *message;
        size_t len;
        size_t key_count;
        const char *condition; /* NULL: success */
    } cases[] = {
        PLAIN_CASE("\0user\0pencil", 2, NULL),
        PLAIN_CASE("\0user\0pencil", 1, NULL), /* only SHA-1 keys */
        PLAIN_CASE("\0User\0pencil", 2, NULL),
        PLAIN_CASE("user@example.test\0user\0pencil", 2, NULL),
        PLAIN_CASE("\0user\0pencil", 0, "not-authorized"),
        PLAIN_CASE("\0user\0wrong", 2, "not-authorized"),
        PLAIN_CASE("\0user\0\x07", 2, "not-authorized"),
        PLAIN_CASE("\0us er\0pencil", 2, "not-authorized"),
        PLAIN_CASE("other@example.test\0user\0pencil", 2, "invalid-authzid"),
        PLAIN_CASE("", 2, "malformed-request"),
        PLAIN_CASE("user", 2, "malformed-request"),
        PLAIN_CASE("\0user", 2, "malformed-request"),
        PLAIN_CASE("\0user\0", 2, "malformed-request"),
        PLAIN_CASE("\0\0pencil", 2, "malformed-request"),
        PLAIN_CASE("\0user\0pen\0cil", 2, "malformed-request"),
        PLAIN_CASE("\0us\xff\0pencil", 2, "malformed-request"),
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct sasl_server *server = sasl_server_new(&config);
        enum sasl_verdict verdict =
            run_plain(server, cases[i].message, cases[i].len, cases[i].key_count);

        assert_int_equal(verdict, cases[i].condition == NULL ? SASL_SUCCESS : SASL_FAILURE);
        if (cases[i].condition != NULL) {
            assert_string_equal(sasl_server_condition(server), cases[i].condition);
        }
        assert_string_equal(sasl_server_output(server), "");
        sasl_server_free(&server);
    }
}

/* ---- around the mechanisms ---- */

static void test_offer(void **state)
{
    const char *names[SASL_MECHANISM_COUNT_MAX];
    struct sasl_config with = config;
    (void)state;

    assert_int_equal(sasl_mechanisms(&with, names), 5);
    assert_string_equal(names[0], "SCRAM-SHA-256-PLUS");
    assert_string_equal(names[4], "PLAIN");
    with.allow_plain = false;
    assert_int_equal(sasl_mechanisms(&with, names), 4);
    with.bindings = (struct sasl_bindings){0};
    assert_int_equal(sasl_mechanisms(&with, names), 2);
    assert_string_equal(names[0], "SCRAM-SHA-256");
    with.allow_plain = true;
    with.tls = false;
    assert_int_equal(sasl_mechanisms(&with, names), 2);
}

static void expect_start(const struct sasl_config *with, const char *mechanism, const char *initial,
                         const char *condition)
{
    struct sasl_server *server = sasl_server_new(with);

    assert_int_equal(sasl_server_start(server, mechanism, initial), SASL_FAILURE);
    assert_string_equal(sasl_server_condition(server), condition);
    assert_int_equal(sasl_server_respond(server, ""), SASL_FAILURE); /* and stays refused */
    assert_int_equal(sasl_server_credentials(server, NULL, 0), SASL_FAILURE);
    sasl_server_free(&server);
}

static void test_refused_starts(void **state)
{
    struct sasl_config with = config;
    struct buf huge = BUF_EMPTY;
    struct buf text = BUF_EMPTY;
    (void)state;

    expect_start(&config, "ANONYMOUS", NULL, "invalid-mechanism");
    expect_start(&config, "", NULL, "invalid-mechanism");
    expect_start(&config, "scram-sha-1", NULL, "invalid-mechanism");
    expect_start(&config, "SCRAM-SHA-1", "not base64", "incorrect-encoding");
    expect_start(&config, "SCRAM-SHA-1", "biws===", "incorrect-encoding");
    expect_start(&config, "SCRAM-SHA-1", "=", "malformed-request");
    expect_start(&config, "SCRAM-SHA-1", "", "malformed-request");
    buf_append_str(&huge, "n,,n=user,r=nonce,x=");
    memset(buf_reserve(&huge, 6200), 'y', 6200); /* well-formed, but over 8 KiB in base64 */
    buf_commit(&huge, 6200);
    expect_start(&config, "SCRAM-SHA-1", encode(buf_text(&huge), buf_len(&huge), &text),
                 "malformed-request");
    buf_deinit(&text);
    buf_deinit(&huge);
    with.tls = false;
    expect_start(&with, "PLAIN", NULL, "encryption-required");
    with.allow_plain = false;
    expect_start(&with, "PLAIN", NULL, "mechanism-too-weak");
}

/* Goal: without an initial response the client is asked for it (RFC 6120 §6.4.2). */
static void test_empty_challenge(void **state)
{
    struct sasl_server *server = sasl_server_new(&config);
    (void)state;

    assert_int_equal(sasl_server_start(server, "PLAIN", NULL), SASL_CHALLENGE);
    assert_string_equal(sasl_server_output(server), "");
    assert_int_equal(sasl_server_respond(server, "AHVzZXIAcGVuY2ls"), SASL_NEED_CREDENTIALS);
    assert_int_equal(sasl_server_respond(server, "AHVzZXIAcGVuY2ls"), SASL_FAILURE); /* too early */
    sasl_server_free(&server);

    server = sasl_server_new(&config);
    assert_int_equal(sasl_server_start(server, "PLAIN", NULL), SASL_CHALLENGE);
    assert_int_equal(sasl_server_fail(server, "aborted"), SASL_FAILURE);
    assert_string_equal(sasl_server_condition(server), "aborted");
    sasl_server_free(&server);
}

/* Goal: keys that cannot be right (an import gone wrong) are as good as none, and so are keys that
 * cost a worker too long. */
static void test_unusable_keys(void **state)
{
    (void)state;

    for (int wrong = 0; wrong < 4; wrong++) {
        struct sasl_server *server = sasl_server_new(&config);
        struct account account;

        account_init(&account);
        for (size_t i = 0; i < 2; i++) {
            struct sasl_key *key = &account.keys[i];

            key->iterations = wrong == 0 ? 0 : ITERATIONS;
            key->salt.len = wrong == 1 ? 0 : key->salt.len;
            key->stored_key.len -= wrong == 2;
            if (wrong == 3) { /* the right key, but for its cost */
                key->iterations = SASL_ITERATIONS_MAX + 1;
                assert_int_equal(scram_derive(key->kind, slice_str("pencil"), key->salt,
                                              key->iterations, account.bytes[2 * i],
                                              account.bytes[2 * i + 1]),
                                 0);
            }
        }
        assert_int_equal(sasl_server_start(server, "PLAIN", "AHVzZXIAcGVuY2ls"),
                         SASL_NEED_CREDENTIALS);
        assert_int_equal(sasl_server_credentials(server, account.keys, 2), SASL_DERIVE);
        assert_int_equal(derive(server), SASL_FAILURE);
        assert_string_equal(sasl_server_condition(server), "not-authorized");
        sasl_server_free(&server);
    }
}

static void fixed_source(void *ctx, uint8_t *out, size_t len)
{
    memset(out, *(const char *)ctx, len);
}

/* Goal: nonces come from the random port, so that a simulation can fix them. */
static void test_nonce_source(void **state)
{
    struct buf challenge = BUF_EMPTY;
    char byte = 0;
    (void)state;

    random_set_source(fixed_source, &byte);
    first_challenge("user", 2, &challenge);
    random_set_source(NULL, NULL);
    assert_string_equal(buf_text(&challenge),
                        "r=cnonceAAAAAAAAAAAAAAAAAAAAAAAA,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=7");
    buf_deinit(&challenge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_scram_mechanism),
        cmocka_unit_test(test_user_is_prepared),
        cmocka_unit_test(test_wrong_password),
        cmocka_unit_test(test_channel_binding),
        cmocka_unit_test(test_final_of_another_exchange),
        cmocka_unit_test(test_authzid),
        cmocka_unit_test(test_unknown_user),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_offer),
        cmocka_unit_test(test_refused_starts),
        cmocka_unit_test(test_empty_challenge),
        cmocka_unit_test(test_unusable_keys),
        cmocka_unit_test(test_nonce_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
