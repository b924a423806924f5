/* tables - the tables of the store and how their keys are put together. Numbers are big-endian, so
 * that key order is number order. Pure. */
#ifndef STORAGE_STATE_TABLES_H
#define STORAGE_STATE_TABLES_H

#include "node/base/slice.h"
#include "storage/kv/kv.h"
#include "storage/state/schema.pb-c.h"

/* The order is the format. Above each: its key. */
enum table {
    TABLE_META,          /* nothing: one row */
    TABLE_NODE,          /* node id */
    TABLE_INCARNATION,   /* incarnation */
    TABLE_DOMAIN,        /* name */
    TABLE_ACCOUNT,       /* user */
    TABLE_ROSTER,        /* user: what its items are together */
    TABLE_SESSION,       /* session */
    TABLE_SESSION_OF,    /* user, session */
    TABLE_OWNED,         /* incarnation, window, session */
    TABLE_DEADLINE,      /* deadline, kind, session */
    TABLE_RESUME,        /* resume_id */
    TABLE_ENDED,         /* resume_id: tombstones of sessions */
    TABLE_PENDING,       /* session, position */
    TABLE_STANZA,        /* position */
    TABLE_STANZA_REFS,   /* position */
    TABLE_PRESENCE,      /* user, session */
    TABLE_TOMBSTONE,     /* user, digest of resource: tombstones of presences */
    TABLE_DIRECTED,      /* session, digest of address */
    TABLE_OFFLINE,       /* user, position */
    TABLE_OFFLINE_TOTAL, /* user */
    TABLE_ERASURE,       /* user */
    TABLE_SECRETS,       /* nothing: one row */
    TABLE_ENDED_OF,      /* user, until, session: tombstones of sessions, oldest first */
    TABLE_ROSTER_ITEM,   /* user, digest of contact */
    TABLE_SHOWN,         /* user, session: what a presence shows */
    TABLE_GROUP,         /* name */
    TABLE_ASSIGNMENT,    /* nothing: one row */
    TABLE_HOME,          /* node, by hand, user: whose home it is */
    TABLE_ALARM,         /* node, name */
    TABLE_CLUSTER,       /* nothing: one row */
    TABLE_KEPT,          /* user, digest of kind, name and namespace */
    TABLE_KEPT_TOTAL,    /* user */
    TABLE_COUNT
};

#define KEY_DIGEST_BYTES 16

/* A key under construction. A part that is too long makes it invalid: nothing is stored there. */
struct key {
    uint8_t bytes[KV_KEY_BYTES_MAX];
    size_t len;
    bool invalid;
};

/* Parts, each appended. */
void key_add_u32(struct key *key, uint32_t value);
void key_add_u64(struct key *key, uint64_t value);
void key_add_bytes(struct key *key, struct slice bytes);
/** Domain, 0, local part, 0: users of one domain stand together, and no user is another's prefix.
 * Invalid for what is no bare address with a local part, or longer than STATE_USER_BYTES_MAX. */
void key_add_user(struct key *key, const char *user);
void key_add_digest(struct key *key, const char *text);

/* Whole keys. */
struct key key_u32(uint32_t value);
struct key key_u64(uint64_t value);
struct key key_bytes(struct slice bytes);
struct key key_user(const char *user);
struct key key_user_u64(const char *user, uint64_t number);
struct key key_ended_of(const char *user, uint64_t until_ms, uint64_t session);
struct key key_user_digest(const char *user, const char *text);
struct key key_kept(const char *user, const Pb__Kept *kept);
struct key key_u64_u64(uint64_t first, uint64_t second);
struct key key_u64_digest(uint64_t first, const char *text);
struct key key_owned(uint64_t incarnation, uint32_t window_ms, uint64_t session);
struct key key_deadline(uint64_t deadline_ms, unsigned kind, uint64_t session);

static inline struct slice key_slice(const struct key *key)
{
    return slice_make(key->bytes, key->len);
}

/** The number that ends a key. */
uint64_t key_last_u64(struct slice key);

#endif
