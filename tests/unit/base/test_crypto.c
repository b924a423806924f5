/* Digests, random bytes and encodings against published vectors. */
#include "node/base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    struct buf out = BUF_EMPTY;

    hex_encode(slice_make(bytes, len), &out);
    assert_string_equal(buf_text(&out), hex);
    buf_deinit(&out);
}

/* FIPS 180-4 examples; RFC 2202 and RFC 4231, case 2; an empty key too. */
static void test_hash(void **state)
{
    uint8_t out[HASH_SIZE_MAX];
    (void)state;

    hash_digest(HASH_SHA1, slice_str("abc"), out);
    assert_hex(out, hash_size(HASH_SHA1), "a9993e364706816aba3e25717850c26c9cd0d89d");
    hash_digest(HASH_SHA256, slice_str(NULL), out);
    assert_hex(out, hash_size(HASH_SHA256),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_hmac(HASH_SHA1, slice_str("Jefe"), slice_str("what do ya want for nothing?"), out);
    assert_hex(out, 20, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    hash_hmac(HASH_SHA256, slice_str("Jefe"), slice_str("what do ya want for nothing?"), out);
    assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hash_hmac(HASH_SHA256, slice_str(NULL), slice_str(NULL), out);
    assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 6070, and its well-known counterpart for SHA-256. */
static void test_pbkdf2(void **state)
{
    uint8_t out[HASH_SIZE_MAX];
    (void)state;

    hash_pbkdf2(HASH_SHA1, slice_str("password"), slice_str("salt"), 1, out);
    assert_hex(out, 20, "0c60c80f961f0e71f3a9b524af6012062fe037a6");
    hash_pbkdf2(HASH_SHA1, slice_str("password"), slice_str("salt"), 4096, out);
    assert_hex(out, 20, "4b007901b765489abead49d926f721d065a429c1");
    hash_pbkdf2(HASH_SHA256, slice_str("password"), slice_str("salt"), 4096, out);
    assert_hex(out, 32, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a");
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(crypto_equal(slice_str("abc"), slice_str("abc")));
    assert_false(crypto_equal(slice_str("abc"), slice_str("abd")));
    assert_false(crypto_equal(slice_str("abc"), slice_str("ab")));
    assert_true(crypto_equal(slice_str(NULL), slice_str("")));
}

/* The vectors of the SipHash paper: key 00..0f, message 00, 00 01, ...; the one of its appendix. */
static void test_siphash(void **state)
{
    static const uint64_t expected[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
                                        0x85676696d7fb7e2d};
    uint8_t key[16];
    uint8_t message[15];
    (void)state;

    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (uint8_t)i;
    }
    for (size_t len = 0; len < ARRAY_COUNT(expected); len++) {
        assert_true(siphash(key, slice_make(message, len)) == expected[len]);
    }
    assert_true(siphash(key, slice_make(message, 8)) == 0x93f5f5799a932462);
    assert_true(siphash(key, slice_make(message, 15)) == 0xa129ca6149be45e5);
}

/* RFC 4648 §10, every length of random bytes, and what is not canonical. */
static void test_base64(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"Z",     "Zg",   "Zg=",  "=",        "====",
                                      "Z===",  "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\n",
                                      " Zm9v", "Zm-_", "Zm=v", "Zm\xc3v",  "Zg==="};
    struct buf text = BUF_EMPTY;
    struct buf bytes = BUF_EMPTY;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        buf_clear(&text);
        buf_clear(&bytes);
        base64_encode(slice_str(pairs[i][0]), &text);
        assert_string_equal(buf_text(&text), pairs[i][1]);
        assert_int_equal(base64_decode(slice_str(pairs[i][1]), &bytes), 0);
        assert_string_equal(buf_text(&bytes), pairs[i][0]);
    }
    buf_clear(&bytes);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(base64_decode(slice_str(bad[i]), &bytes), ERR_MALFORMED);
        assert_int_equal(buf_len(&bytes), 0);
    }
    for (size_t len = 0; len < 100; len++) {
        uint8_t random[100];

        random_fill(random, len);
        buf_clear(&text);
        buf_clear(&bytes);
        base64_encode(slice_make(random, len), &text);
        assert_int_equal(base64_decode(buf_slice(&text), &bytes), 0);
        assert_true(slice_eq(buf_slice(&bytes), slice_make(random, len)));
    }
    buf_deinit(&bytes);
    buf_deinit(&text);
}

static void counting_source(void *ctx, uint8_t *out, size_t len)
{
    uint8_t *next = ctx;

    for (size_t i = 0; i < len; i++) {
        out[i] = (*next)++;
    }
}

/* Goal: a simulation can replace the source, and the system's one comes back. */
static void test_random_source(void **state)
{
    uint8_t next = 1;
    uint8_t a[1000] = {0};
    uint8_t b[1000] = {0};
    (void)state;

    random_set_source(counting_source, &next);
    assert_true(random_u64() == 0x0102030405060708);
    random_set_source(NULL, NULL);
    random_fill(a, sizeof(a));
    random_fill(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 900, b + 900, 100); /* longer than one draw from the kernel */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),   cmocka_unit_test(test_pbkdf2),
        cmocka_unit_test(test_equal),  cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_base64), cmocka_unit_test(test_random_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
