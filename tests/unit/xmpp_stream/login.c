/* The way to a bound stream, for scripts that begin there; and SCRAM as a client does it. */
#include "tests/unit/xmpp_stream/dialogue.h"
#include "xmpp/sasl/sasl.h"

#include <stdio.h>

#define ITERATIONS         64 /* few: tests log in often */
#define CREDENTIAL_VERSION 9
#define RESUME_ID          "\x01\x23\x45\x67\x89\xab\xcd\xef"
#define RESUME_ID_LEN      8

void reach_tls(struct dialogue *dialogue)
{
    const struct stream_tls tls = {.tls13 = true};

    dialogue_start(dialogue);
    client_says(dialogue, OPEN);
    expect_header_and(dialogue, NULL,
                      "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
                      "<required/></starttls></stream:features>");
    client_says(dialogue, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    expect_server(dialogue, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    expect_action(dialogue, STREAM_START_TLS);
    assert_true(stream_wants_read(dialogue->stream)); /* the handshake */
    stream_on_tls(dialogue->stream, &tls);
    client_says(dialogue, OPEN);
    expect_header_and(dialogue, NULL,
                      "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
                      "<mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism>"
                      "<mechanism>PLAIN</mechanism></mechanisms></stream:features>");
}

static void make_key(enum hash_kind kind, const char *mechanism, Pb__ScramKey *key,
                     uint8_t bytes[2 * HASH_SIZE_MAX])
{
    static uint8_t salt[] = "0123456789abcdef";

    pb__scram_key__init(key);
    assert_int_equal(scram_derive(kind, slice_str(PASSWORD), slice_make(salt, 16), ITERATIONS,
                                  bytes, bytes + HASH_SIZE_MAX),
                     0);
    key->mechanism = (char *)(uintptr_t)mechanism;
    key->iterations = ITERATIONS;
    key->salt = (ProtobufCBinaryData){.data = salt, .len = 16};
    key->stored_key = (ProtobufCBinaryData){.data = bytes, .len = hash_size(kind)};
    key->server_key = (ProtobufCBinaryData){.data = bytes + HASH_SIZE_MAX, .len = hash_size(kind)};
}

void offer_credentials(struct stream *stream, uint64_t version)
{
    uint8_t sha1[2 * HASH_SIZE_MAX];
    uint8_t sha256[2 * HASH_SIZE_MAX];
    Pb__AccountRow account = PB__ACCOUNT_ROW__INIT;
    Pb__ScramKey keys[2];
    Pb__ScramKey *key_list[2] = {&keys[0], &keys[1]};

    make_key(HASH_SHA256, "SCRAM-SHA-256", &keys[0], sha256);
    make_key(HASH_SHA1, "SCRAM-SHA-1", &keys[1], sha1);
    account.version = version;
    account.n_keys = 2;
    account.keys = key_list;
    stream_on_credentials(stream, &account);
}

void give_credentials(struct dialogue *dialogue)
{
    expect_action(dialogue, STREAM_WANT_CREDENTIALS);
    assert_string_equal(dialogue->wanted_user, USER);
    offer_credentials(dialogue->stream, CREDENTIAL_VERSION);
    client_says(dialogue, ""); /* the end of a turn */
}

void derive(struct dialogue *dialogue)
{
    struct sasl_derivation *derivation = dialogue->derivation;

    assert_non_null(derivation);
    dialogue->derivation = NULL;
    sasl_derivation_run(derivation);
    stream_on_derived_take(dialogue->stream, derivation);
    client_says(dialogue, ""); /* the end of a turn */
}

void reach_login(struct dialogue *dialogue)
{
    client_says(dialogue, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                          "AGFsaWNlAHNlY3JldA==</auth>");
    give_credentials(dialogue);
    derive(dialogue);
    expect_server(dialogue, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>");
    client_says(dialogue, OPEN);
    expect_header_and(dialogue, NULL,
                      "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
                      "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"
                      "<sm xmlns='urn:xmpp:sm:3'/><ver xmlns='urn:xmpp:features:rosterver'/>"
                      "<sub xmlns='urn:xmpp:features:pre-approval'/>" CAPS "</stream:features>");
}

void reach_bound(struct dialogue *dialogue)
{
    const struct outcome bound = {
        .kind = OUTCOME_BOUND, .session = SESSION, .epoch = 1, .address = ADDRESS};

    reach_tls(dialogue);
    reach_login(dialogue);
    client_says(dialogue, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                          "<resource>home</resource></bind></iq>");
    expect_log(dialogue, "bind " USER "/home version=9 owner=3.1.2.4");
    expect_server(dialogue, "");
    log_says(dialogue, &bound);
    expect_server(dialogue,
                  "<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                  "<jid>" ADDRESS "</jid></bind></iq>");
    dialogue->epoch = 1;
}

void reach_listening(struct dialogue *dialogue)
{
    reach_bound(dialogue);
    time_passes(dialogue, STREAM_DECIDE_MS);
}

void reach_enabled(struct dialogue *dialogue)
{
    const struct outcome enabled = {.kind = OUTCOME_ENABLED,
                                    .resume_id = slice_make(RESUME_ID, RESUME_ID_LEN),
                                    .window_s = MAX_RESUME_S,
                                    .location = "node2.test:5222"};

    reach_bound(dialogue);
    client_says(dialogue, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    expect_log(dialogue, "enable epoch=1 resume=1 window=600");
    expect_server(dialogue, "");
    log_says(dialogue, &enabled);
    expect_server(dialogue, "<enabled xmlns='urn:xmpp:sm:3' id='0123456789abcdef' max='600' "
                            "resume='true' location='node2.test:5222'/>");
}

void reach_resumed(struct dialogue *dialogue, uint32_t count)
{
    struct outcome resumed = {.kind = OUTCOME_RESUMED,
                              .session = SESSION,
                              .address = ADDRESS,
                              .count = count,
                              .window_s = MAX_RESUME_S};
    char expected[128];

    dialogue->config.owner.generation++;
    stream_free(&dialogue->stream);
    reach_tls(dialogue);
    reach_login(dialogue);
    client_says(dialogue, "<resume xmlns='urn:xmpp:sm:3' h='0' previd='0123456789abcdef'/>");
    expect_log(dialogue, "resume " USER " id=0123456789abcdef version=9");
    expect_server(dialogue, "");
    dialogue->epoch++;
    resumed.epoch = dialogue->epoch;
    log_says(dialogue, &resumed);
    (void)snprintf(expected, sizeof(expected),
                   "<resumed xmlns='urn:xmpp:sm:3' h='%u' previd='0123456789abcdef'/>" ASK, count);
    expect_server(dialogue, expected);
}

void reach_confirmed(struct dialogue *dialogue, uint32_t count, const char *h)
{
    char text[128];

    reach_resumed(dialogue, count);
    (void)snprintf(text, sizeof(text), "<a xmlns='urn:xmpp:sm:3' h='%s'/>", h);
    client_says(dialogue, text);
    (void)snprintf(text, sizeof(text), "confirm epoch=%u h=%s", dialogue->epoch, h);
    expect_log(dialogue, text);
    log_done(dialogue, 0);
    log_confirmed(dialogue);
    expect_pull(dialogue, 0, 0);
    log_pulled(dialogue, true);
    expect_server(dialogue, "");
}

/* ---- SCRAM (RFC 5802 §3) */

static void say_base64(struct dialogue *dialogue, const char *before, const char *text,
                       const char *after)
{
    struct buf xml = BUF_EMPTY;

    buf_append_str(&xml, before);
    base64_encode(slice_str(text), &xml);
    buf_append_str(&xml, after);
    client_says(dialogue, buf_text(&xml));
    buf_deinit(&xml);
}

/* The decoded text of the <challenge/> in the output. */
static void read_challenge(struct dialogue *dialogue, struct buf *out)
{
    char *text = take_output(dialogue);
    const char *start = strchr(text, '>');
    const char *end = strstr(text, "</challenge>");

    assert_non_null(start);
    assert_non_null(end);
    start++;
    assert_int_equal(base64_decode(slice_make(start, (size_t)(end - start)), out), 0);
    mem_free(&text);
}

/* ClientProof = ClientKey XOR HMAC(StoredKey, AuthMessage). */
static void append_proof(enum hash_kind kind, const char *password, struct slice salt,
                         const char *auth_message, struct buf *out)
{
    size_t size = hash_size(kind);
    uint8_t salted[HASH_SIZE_MAX];
    uint8_t client_key[HASH_SIZE_MAX];
    uint8_t stored_key[HASH_SIZE_MAX];
    uint8_t signature[HASH_SIZE_MAX];

    hash_pbkdf2(kind, slice_str(password), salt, ITERATIONS, salted);
    hash_hmac(kind, slice_make(salted, size), slice_str("Client Key"), client_key);
    hash_digest(kind, slice_make(client_key, size), stored_key);
    hash_hmac(kind, slice_make(stored_key, size), slice_str(auth_message), signature);
    for (size_t i = 0; i < size; i++) {
        client_key[i] ^= signature[i];
    }
    base64_encode(slice_make(client_key, size), out);
}

/* "c=...,r=NONCE", from the challenge "r=NONCE,s=...,i=...". */
static void write_final_bare(const char *challenge, const char *binding, const char *data,
                             struct buf *out)
{
    struct buf bound = BUF_EMPTY;

    buf_append_str(&bound, binding);
    buf_append_str(&bound, data);
    buf_append_str(out, "c=");
    base64_encode(buf_slice(&bound), out);
    buf_append_str(out, ",");
    buf_append(out, slice_make(challenge, strcspn(challenge, ",")));
    buf_deinit(&bound);
}

static void answer_challenge(struct dialogue *dialogue, enum hash_kind kind, const char *password,
                             const char *binding, const char *data)
{
    struct buf challenge = BUF_EMPTY;
    struct buf final = BUF_EMPTY;
    struct buf message = BUF_EMPTY;
    struct buf salt = BUF_EMPTY;
    const char *s;

    read_challenge(dialogue, &challenge);
    s = strstr(buf_text(&challenge), ",s=");
    assert_non_null(s);
    assert_int_equal(base64_decode(slice_make(s + 3, strcspn(s + 3, ",")), &salt), 0);
    write_final_bare(buf_text(&challenge), binding, data, &final);
    buf_printf(&message, "n=alice,r=abcdefgh,%s,%s", buf_text(&challenge), buf_text(&final));
    buf_append_str(&final, ",p=");
    append_proof(kind, password, buf_slice(&salt), buf_text(&message), &final);
    say_base64(dialogue, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>", buf_text(&final),
               "</response>");
    buf_deinit(&challenge);
    buf_deinit(&final);
    buf_deinit(&message);
    buf_deinit(&salt);
}

void client_does_scram(struct dialogue *dialogue, const char *mechanism, const char *password,
                       const char *binding, const char *data)
{
    enum hash_kind kind = strstr(mechanism, "256") != NULL ? HASH_SHA256 : HASH_SHA1;
    char auth[128];
    char first[128];

    (void)snprintf(auth, sizeof(auth),
                   "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='%s'>", mechanism);
    (void)snprintf(first, sizeof(first), "%sn=alice,r=abcdefgh", binding);
    say_base64(dialogue, auth, first, "</auth>");
    give_credentials(dialogue);
    answer_challenge(dialogue, kind, password, binding, data);
}
