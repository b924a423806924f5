/* What a user had on another server, part by part. Nothing that is here is changed, and nothing
 * comes twice: of messages the account remembers the time of the newest one that was loaded, since
 * they come oldest first, and which ones of that time there were. So older ones of yet another
 * server do not come; they are counted. */
#include "node/base/crypto.h"
#include "storage/state/account.h"
#include "storage/state/kept.h"
#include "storage/state/offline.h"
#include "storage/state/roster.h"
#include "storage/state/stanza.h"

/* ---- contacts */

static bool is_contact(const char *user, const Pb__RosterItem *item)
{
    return item->contact[0] != '\0' && strcmp(item->contact, user) != 0;
}

/* What the client sees of it. */
static void take_contact(Pb__RosterItem *own, const Pb__RosterItem *item)
{
    own->listed = true;
    own->name = item->name;
    own->n_groups = item->n_groups;
    own->groups = item->groups;
    own->subscription = (Pb__RosterItem__Subscription)((unsigned)item->subscription & 3u);
    own->ask = item->ask && !roster_item_has(own, ROSTER_TO);
}

static bool take_request(struct apply *a, const char *user, Pb__RosterItem *own,
                         const Pb__RosterItem *item)
{
    if (own->pending_in || roster_item_has(own, ROSTER_FROM) ||
        roster_load(a, user)->requests >= STATE_REQUESTS_MAX) {
        return false;
    }
    own->pending_in = true;
    own->request = stanza_kept_request(a, item->request, item->contact, user);
    return true;
}

/* A contact that is listed here is the user's own already. What does not fit is left out, as a
 * roster set would be refused. */
static void load_item(struct apply *a, const char *user, const Pb__RosterItem *item)
{
    Pb__RosterItem *own =
        is_contact(user, item) ? roster_find_or_add(a, user, item->contact) : NULL;
    bool is_new = own != NULL && item->listed && !own->listed;
    bool is_asked = false;

    if (own == NULL) {
        a->outcome.count++;
        return;
    }
    if (is_new) {
        take_contact(own, item);
    }
    if (roster_item_has(own, ROSTER_FROM) && own->pending_in) {
        own->pending_in = false; /* what it asked for here it had there */
        own->request = NULL;
    }
    if (item->pending_in && item->request != NULL) {
        is_asked = take_request(a, user, own, item);
    }
    if ((is_new || is_asked) && roster_put_grown(a, user, own, is_new) != 0) {
        a->outcome.count++;
    }
}

/* ---- what it keeps */

static void load_kept(struct apply *a, const char *user, Pb__Kept *kept)
{
    if (state_kept(a->state, a->arena, user, kept) == NULL && kept_put(a, user, &kept, 1) != 0) {
        a->outcome.count++;
    }
}

/* ---- messages */

static uint64_t digest_of(const Pb__Stanza *stanza)
{
    uint8_t digest[HASH_SIZE_MAX];
    struct buf bytes = BUF_EMPTY;

    buf_append_str(&bytes, stanza->from);
    buf_append_u8(&bytes, 0);
    buf_append_str(&bytes, stanza->id);
    buf_append_u8(&bytes, 0);
    buf_append(&bytes, slice_make(stanza->inner.data, stanza->inner.len));
    hash_digest(HASH_SHA256, buf_slice(&bytes), digest);
    buf_deinit(&bytes);
    return get_u64(digest);
}

static bool is_loaded(const Pb__AccountRow *row, uint64_t wall_ms, uint64_t digest)
{
    for (size_t i = 0; row->loaded_ms == wall_ms && i < row->n_loaded; i++) {
        if (row->loaded[i] == digest) {
            return true;
        }
    }
    return row->loaded_ms > wall_ms;
}

static void remember(struct apply *a, Pb__AccountRow *row, uint64_t wall_ms, uint64_t digest)
{
    size_t kept = row->loaded_ms == wall_ms ? row->n_loaded : 0;
    uint64_t *loaded = arena_alloc(a->arena, (kept + 1) * sizeof(*loaded));

    if (kept > 0) {
        memcpy(loaded, row->loaded, kept * sizeof(*loaded));
    }
    loaded[kept] = digest;
    row->loaded_ms = wall_ms;
    row->loaded = loaded;
    row->n_loaded = kept + 1;
}

/* True when the row has changed. */
static bool load_message(struct apply *a, const char *user, Pb__AccountRow *row, Pb__Stanza *stanza)
{
    uint64_t digest = digest_of(stanza);

    if (is_loaded(row, stanza->wall_ms, digest)) {
        a->outcome.known++;
        return false;
    }
    if (stanza->kind != PB__STANZA__KIND__MESSAGE || !stanza_may_wait(stanza)) {
        a->outcome.count++;
        return false;
    }
    if (!offline_add_new(a, user, stanza)) {
        a->outcome.full = true;
        return false;
    }
    remember(a, row, stanza->wall_ms, digest);
    return true;
}

/* Behind what finds no room nothing is taken, though it be smaller: what is older than a message
 * that was loaded never comes again. */
static void load_messages(struct apply *a, const char *user, const Pb__UserLoad *command)
{
    Pb__AccountRow *row = state_account(a->state, a->arena, user);
    bool has_changed = false;
    size_t i = 0;

    for (; i < command->n_messages && !a->outcome.full; i++) {
        has_changed = load_message(a, user, row, command->messages[i]) || has_changed;
    }
    if (a->outcome.full) {
        a->outcome.count += (uint32_t)(command->n_messages - i + 1);
    }
    if (has_changed) {
        row_put(a->state, TABLE_ACCOUNT, key_user(user), row);
    }
}

/* ---- the command */

static int make_account(struct apply *a, const Pb__UserSet *account)
{
    Pb__UserSet set = *account;
    int rc;

    if (set.n_keys == 0) {
        return ERR_NOT_FOUND;
    }
    set.create = true;
    rc = user_set(a, &set);
    a->outcome.row = rc == 0 ? 1 : 0;
    return rc;
}

int user_load(struct apply *a, const Pb__UserLoad *command)
{
    const char *user = command->account == NULL ? "" : command->account->user;
    int rc = 0;

    if (user[0] == '\0') {
        return ERR_INVALID;
    }
    if (command->n_items + command->n_messages + command->n_kept > STATE_LOAD_MAX) {
        return ERR_LIMIT;
    }
    if (key_user(user).invalid || !account_exists(a->state, user)) {
        rc = make_account(a, command->account);
    }
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < command->n_items; i++) {
        load_item(a, user, command->items[i]);
    }
    for (size_t i = 0; i < command->n_kept; i++) {
        load_kept(a, user, command->kept[i]);
    }
    load_messages(a, user, command);
    return 0;
}
