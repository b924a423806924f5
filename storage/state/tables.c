#include "storage/state/tables.h"

#include "node/base/crypto.h"
#include "node/base/jid.h"
#include "storage/kv/kv.h"
#include "storage/state/state.h"

const char *const state_tables[TABLE_COUNT] = {
    [TABLE_META] = "meta",
    [TABLE_NODE] = "node",
    [TABLE_INCARNATION] = "incarnation",
    [TABLE_DOMAIN] = "domain",
    [TABLE_ACCOUNT] = "account",
    [TABLE_ROSTER] = "roster",
    [TABLE_SESSION] = "session",
    [TABLE_SESSION_OF] = "session_of",
    [TABLE_OWNED] = "owned",
    [TABLE_DEADLINE] = "deadline",
    [TABLE_RESUME] = "resume",
    [TABLE_ENDED] = "ended",
    [TABLE_PENDING] = "pending",
    [TABLE_STANZA] = "stanza",
    [TABLE_STANZA_REFS] = "stanza_refs",
    [TABLE_PRESENCE] = "presence",
    [TABLE_TOMBSTONE] = "tombstone",
    [TABLE_DIRECTED] = "directed",
    [TABLE_OFFLINE] = "offline",
    [TABLE_OFFLINE_TOTAL] = "offline_total",
    [TABLE_ERASURE] = "erasure",
    [TABLE_SECRETS] = "secrets",
    [TABLE_ENDED_OF] = "ended_of",
    [TABLE_ROSTER_ITEM] = "roster_item",
    [TABLE_SHOWN] = "shown",
    [TABLE_GROUP] = "group",
    [TABLE_ASSIGNMENT] = "assignment",
    [TABLE_HOME] = "home",
    [TABLE_ALARM] = "alarm",
    [TABLE_CLUSTER] = "cluster",
    [TABLE_KEPT] = "kept",
    [TABLE_KEPT_TOTAL] = "kept_total",
};
const size_t state_table_count = TABLE_COUNT;

size_t state_tables_of(uint32_t schema)
{
    return schema < state_schema_of(STATE_LOG_VERSION_KEPT) ? TABLE_KEPT : TABLE_COUNT;
}

void state_describe(struct kv_config *config)
{
    config->tables = state_tables;
    config->table_count = state_table_count;
    config->tables_of = state_tables_of;
    config->schema = STATE_SCHEMA_VERSION;
    config->schema_oldest = STATE_SCHEMA_OLDEST;
}

/* Not an initializer: that would clear all the room on every access to the store. */
static void key_begin(struct key *key)
{
    key->len = 0;
    key->invalid = false;
}

void key_add_bytes(struct key *key, struct slice bytes)
{
    if (bytes.len > sizeof(key->bytes) - key->len) {
        key->invalid = true;
        return;
    }
    if (bytes.len > 0) {
        memcpy(key->bytes + key->len, bytes.data, bytes.len);
    }
    key->len += bytes.len;
}

void key_add_u32(struct key *key, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};

    key_add_bytes(key, slice_make(bytes, sizeof(bytes)));
}

void key_add_u64(struct key *key, uint64_t value)
{
    key_add_u32(key, (uint32_t)(value >> 32));
    key_add_u32(key, (uint32_t)value);
}

void key_add_user(struct key *key, const char *user)
{
    const struct slice end = slice_make("", 1); /* one NUL */
    struct slice text = slice_str(user);
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.data, '@', text.len);
    size_t local_len = at == NULL ? 0 : (size_t)(at - text.data);

    if (local_len == 0 || local_len + 1 == text.len || text.len > STATE_USER_BYTES_MAX) {
        key->invalid = true;
        return;
    }
    key_add_bytes(key, slice_sub(text, local_len + 1, text.len));
    key_add_bytes(key, end);
    key_add_bytes(key, slice_sub(text, 0, local_len));
    key_add_bytes(key, end);
}

void key_add_digest(struct key *key, const char *text)
{
    uint8_t digest[HASH_SIZE_MAX];

    hash_digest(HASH_SHA256, slice_str(text), digest);
    key_add_bytes(key, slice_make(digest, KEY_DIGEST_BYTES));
}

struct key key_u32(uint32_t value)
{
    struct key key;

    key_begin(&key);
    key_add_u32(&key, value);
    return key;
}

struct key key_u64(uint64_t value)
{
    struct key key;

    key_begin(&key);
    key_add_u64(&key, value);
    return key;
}

struct key key_bytes(struct slice bytes)
{
    struct key key;

    key_begin(&key);
    key_add_bytes(&key, bytes);
    key.invalid = key.invalid || bytes.len == 0;
    return key;
}

struct key key_user(const char *user)
{
    struct key key;

    key_begin(&key);
    key_add_user(&key, user);
    return key;
}

struct key key_user_u64(const char *user, uint64_t number)
{
    struct key key = key_user(user);

    key_add_u64(&key, number);
    return key;
}

struct key key_ended_of(const char *user, uint64_t until_ms, uint64_t session)
{
    struct key key = key_user_u64(user, until_ms);

    key_add_u64(&key, session);
    return key;
}

struct key key_user_digest(const char *user, const char *text)
{
    struct key key = key_user(user);

    key_add_digest(&key, text);
    return key;
}

struct key key_kept(const char *user, const Pb__Kept *kept)
{
    struct buf text = BUF_EMPTY;
    struct key key;

    buf_printf(&text, "%d %s %s", (int)kept->kind, kept->name, kept->ns); /* names have no blanks */
    key = key_user_digest(user, buf_text(&text));
    buf_deinit(&text);
    return key;
}

struct key key_u64_u64(uint64_t first, uint64_t second)
{
    struct key key = key_u64(first);

    key_add_u64(&key, second);
    return key;
}

struct key key_u64_digest(uint64_t first, const char *text)
{
    struct key key = key_u64(first);

    key_add_digest(&key, text);
    return key;
}

struct key key_owned(uint64_t incarnation, uint32_t window_ms, uint64_t session)
{
    struct key key = key_u64(incarnation);

    key_add_u32(&key, window_ms);
    key_add_u64(&key, session);
    return key;
}

struct key key_deadline(uint64_t deadline_ms, unsigned kind, uint64_t session)
{
    struct key key = key_u64(deadline_ms);

    key_add_u32(&key, kind);
    key_add_u64(&key, session);
    return key;
}

uint64_t key_last_u64(struct slice key)
{
    ASSERT(key.len >= 8);
    return get_u64(key.data + key.len - 8);
}
