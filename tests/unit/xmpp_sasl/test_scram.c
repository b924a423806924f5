/* Messages and arithmetic of SCRAM against the examples that the RFCs print. */
#include "xmpp/sasl/scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* One printed exchange: RFC 5802 §5 and RFC 7677 §3, both user "user", password "pencil". */
struct vector {
    enum hash_kind kind;
    const char *salt;
    const char *client_first;
    const char *server_first;
    const char *client_final;
    const char *server_signature;
};

static const struct vector vectors[] = {
    {HASH_SHA1, "QSXCR+Q6sek8bf92", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
     "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    {HASH_SHA256, "W22ZaJ0SNY7soEsUEjb6gQ==", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

static struct slice decode(const char *text, struct buf *out)
{
    assert_int_equal(base64_decode(slice_str(text), out), 0);
    return buf_slice(out);
}

/* Goal: keys, proof and signature are those of the RFCs.
 * Method: derive the keys from the password, check the printed proof, sign the printed messages. */
static void test_rfc_vectors(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        const struct vector *vector = &vectors[i];
        size_t size = hash_size(vector->kind);
        uint8_t stored_key[HASH_SIZE_MAX];
        uint8_t server_key[HASH_SIZE_MAX];
        uint8_t signature[HASH_SIZE_MAX];
        struct scram_client_first first;
        struct scram_client_final final;
        struct buf salt = BUF_EMPTY;
        struct buf proof = BUF_EMPTY;
        struct buf auth_message = BUF_EMPTY;
        struct buf text = BUF_EMPTY;

        assert_int_equal(scram_derive(vector->kind, slice_str("pencil"),
                                      decode(vector->salt, &salt), 4096, stored_key, server_key),
                         0);
        assert_int_equal(scram_parse_client_first(slice_str(vector->client_first), &first), 0);
        assert_int_equal(scram_parse_client_final(slice_str(vector->client_final), &final), 0);
        buf_append(&auth_message, first.bare);
        buf_printf(&auth_message, ",%s,", vector->server_first);
        buf_append(&auth_message, final.without_proof);
        (void)buf_reserve(&proof, 64);
        assert_int_equal(base64_decode(final.proof, &proof), 0);

        assert_true(scram_proof_valid(vector->kind, slice_make(stored_key, size),
                                      buf_slice(&auth_message), buf_slice(&proof)));
        hash_hmac(vector->kind, slice_make(server_key, size), buf_slice(&auth_message), signature);
        base64_encode(slice_make(signature, size), &text);
        assert_string_equal(buf_text(&text), vector->server_signature);

        for (size_t bit = 0; bit < 8 * size; bit++) { /* no other proof will do */
            proof.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(scram_proof_valid(vector->kind, slice_make(stored_key, size),
                                           buf_slice(&auth_message), buf_slice(&proof)));
            proof.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        buf_deinit(&text);
        buf_deinit(&auth_message);
        buf_deinit(&proof);
        buf_deinit(&salt);
    }
}

static void test_parse_client_first(void **state)
{
    struct scram_client_first first;
    (void)state;

    assert_int_equal(scram_parse_client_first(
                         slice_str("p=tls-exporter,a=a=2Cb@c,n=u=3Dv,r=n0,x=1,y=2"), &first),
                     0);
    assert_int_equal(first.binding_flag, 'p');
    assert_true(slice_eq_str(first.binding_type, "tls-exporter"));
    assert_true(slice_eq_str(first.authzid, "a=2Cb@c"));
    assert_true(slice_eq_str(first.gs2_header, "p=tls-exporter,a=a=2Cb@c,"));
    assert_true(slice_eq_str(first.bare, "n=u=3Dv,r=n0,x=1,y=2"));
    assert_true(slice_eq_str(first.user, "u=3Dv"));
    assert_true(slice_eq_str(first.nonce, "n0"));
}

/* Goal: what the grammar of RFC 5802 §7 does not allow is refused. */
static void test_bad_client_first(void **state)
{
    static const char *const texts[] = {
        "",
        ",",
        "n",
        "n,",
        "n,,",
        "n,n=u,r=n",
        "x,,n=u,r=n",
        "nn,,n=u,r=n",
        "y=1,,n=u,r=n",
        "p,,n=u,r=n",
        "p=,,n=u,r=n",
        "n,a=,n=u,r=n",
        "n,u,n=u,r=n",
        "n,,n=,r=n",
        "n,,n=u",
        "n,,n=u,",
        "n,,n=u,r=",
        "n,,r=n,n=u",
        "n,,m=x,n=u,r=n",
        "n,,n=u,r=n\x7f",
        "n,,n=u,r=a b",
        "n,,n=u,r=\xc3\xa9",
        "n,,n=u,r=n,",
        "n,,n=u,r=n,x",
        "n,,n=u,r=n,x=",
        "n,,n=u,r=n,1=2",
        "n,,n=\xff,r=n",
    };
    struct scram_client_first first;
    struct buf longest = BUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(scram_parse_client_first(slice_str(texts[i]), &first), ERR_MALFORMED);
    }
    assert_int_equal(scram_parse_client_first(slice_make("n,,n=a\0b,r=n", 12), &first),
                     ERR_MALFORMED);
    buf_append_str(&longest, "n,,n=u,r=");
    for (size_t i = 0; i < SCRAM_NONCE_BYTES_MAX; i++) {
        buf_append_u8(&longest, 'n');
    }
    assert_int_equal(scram_parse_client_first(buf_slice(&longest), &first), 0);
    buf_append_u8(&longest, 'n');
    assert_int_equal(scram_parse_client_first(buf_slice(&longest), &first), ERR_MALFORMED);
    buf_deinit(&longest);
}

static void test_bad_client_final(void **state)
{
    static const char *const texts[] = {
        "",
        "c=biws",
        "c=biws,r=n",
        "c=biws,r=n,",
        "c=biws,r=n,p=",
        "r=n,p=cA==",
        "c=,r=n,p=cA==",
        "c=biws,p=cA==",
        "c=biws,r=n,x,p=cA==",
        "c=biws,r=n,x=1",
        "c=biws,r=n,p=cA==,x=1",
    };
    struct scram_client_final final;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(scram_parse_client_final(slice_str(texts[i]), &final), ERR_MALFORMED);
    }
    assert_int_equal(scram_parse_client_final(slice_str("c=biws,r=n,x=1,p=cA=="), &final), 0);
    assert_true(slice_eq_str(final.without_proof, "c=biws,r=n,x=1"));
}

static void test_unescape(void **state)
{
    struct buf out = BUF_EMPTY;
    (void)state;

    assert_int_equal(scram_unescape(slice_str("a=2Cb=3D=3D2C"), &out), 0);
    assert_string_equal(buf_text(&out), "a,b==2C");
    assert_int_equal(scram_unescape(slice_str("a=2c"), &out), ERR_MALFORMED);
    assert_int_equal(scram_unescape(slice_str("a=2"), &out), ERR_MALFORMED);
    assert_int_equal(scram_unescape(slice_str("a="), &out), ERR_MALFORMED);
    assert_int_equal(scram_unescape(slice_str("a=41"), &out), ERR_MALFORMED);
    buf_deinit(&out);
}

/* Goal: passwords go through SASLprep before they are hashed; bad ones are refused. */
static void test_derive_prepares(void **state)
{
    uint8_t keys[4][HASH_SIZE_MAX];
    const struct slice salt = slice_str("salt");
    (void)state;

    assert_int_equal(scram_derive(HASH_SHA256, slice_str("IX"), salt, 2, keys[0], keys[1]), 0);
    assert_int_equal(
        scram_derive(HASH_SHA256, slice_str("\xe2\x85\xa8"), salt, 2, keys[2], keys[3]), 0);
    assert_memory_equal(keys[0], keys[2], HASH_SIZE_MAX);
    assert_memory_equal(keys[1], keys[3], HASH_SIZE_MAX);
    assert_int_equal(scram_derive(HASH_SHA1, slice_str(""), salt, 2, keys[0], keys[1]),
                     ERR_MALFORMED);
    assert_int_equal(scram_derive(HASH_SHA1, slice_str("\xc2\xad"), salt, 2, keys[0], keys[1]),
                     ERR_MALFORMED); /* a soft hyphen maps to nothing */
    assert_int_equal(scram_derive(HASH_SHA1, slice_str("a\x07"), salt, 2, keys[0], keys[1]),
                     ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_vectors),      cmocka_unit_test(test_parse_client_first),
        cmocka_unit_test(test_bad_client_first), cmocka_unit_test(test_bad_client_final),
        cmocka_unit_test(test_unescape),         cmocka_unit_test(test_derive_prepares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
