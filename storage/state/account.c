#include "storage/state/account.h"

#include "node/base/jid.h"
#include "storage/state/deadline.h"
#include "storage/state/home.h"
#include "storage/state/kept.h"
#include "storage/state/offline.h"
#include "storage/state/presence.h"
#include "storage/state/roster.h"
#include "storage/state/session.h"

/* ---- domains */

static Pb__DomainRow *domain_load(struct apply *a, const char *name)
{
    return row_get(a->state, a->arena, TABLE_DOMAIN, key_bytes(slice_str(name)));
}

static void domain_count(struct apply *a, const char *user, bool more)
{
    const char *name = arena_strndup(a->arena, jid_text_domain(slice_str(user)));
    Pb__DomainRow *row = domain_load(a, name);

    ASSERT(row != NULL); /* no account without its domain: user_set(), domain_remove() */
    row->accounts = more ? row->accounts + 1 : row->accounts - 1;
    row_put(a->state, TABLE_DOMAIN, key_bytes(slice_str(name)), row);
}

int domain_set(struct apply *a, const Pb__DomainSet *command)
{
    Pb__DomainRow row = PB__DOMAIN_ROW__INIT;
    size_t len = strlen(command->name);

    if (len == 0) {
        return ERR_INVALID;
    }
    if (len > STATE_USER_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (domain_load(a, command->name) == NULL) {
        row_put(a->state, TABLE_DOMAIN, key_bytes(slice_str(command->name)), &row);
        effects_push(a->out, EFFECT_DOMAINS);
    }
    return 0;
}

int domain_remove(struct apply *a, const Pb__DomainRemove *command)
{
    const Pb__DomainRow *row = domain_load(a, command->name);

    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    if (row->accounts > 0) {
        return ERR_BUSY;
    }
    row_delete(a->state, TABLE_DOMAIN, key_bytes(slice_str(command->name)));
    effects_push(a->out, EFFECT_DOMAINS);
    return 0;
}

/* ---- accounts */

bool account_exists(struct state *state, const char *user)
{
    return row_exists(state, TABLE_ACCOUNT, key_user(user));
}

uint64_t account_created(struct apply *a, const char *user)
{
    const Pb__AccountRow *row = state_account(a->state, a->arena, user);

    return row == NULL ? 0 : row->created;
}

int account_check_login(struct apply *a, const char *user, uint64_t credential_version)
{
    const Pb__AccountRow *row = state_account(a->state, a->arena, user);

    return row != NULL && row->version == credential_version ? 0 : ERR_AUTH;
}

static int check_user(struct apply *a, const Pb__UserSet *command)
{
    if (key_user(command->user).invalid) {
        return strlen(command->user) > STATE_USER_BYTES_MAX ? ERR_LIMIT : ERR_INVALID;
    }
    if (row_exists(a->state, TABLE_ERASURE, key_user(command->user))) {
        return ERR_BUSY; /* what the former owner of the name left is still being erased */
    }
    if (domain_load(a, arena_strndup(a->arena, jid_text_domain(slice_str(command->user)))) ==
        NULL) {
        return ERR_NOT_FOUND;
    }
    return 0;
}

static void user_put(struct apply *a, struct homes *homes, const Pb__UserSet *command)
{
    Pb__AccountRow row = PB__ACCOUNT_ROW__INIT;
    const Pb__AccountRow *old = state_account(a->state, a->arena, command->user);

    /* Positions are never used twice, so neither is a version, not even for a name used again. */
    row.version = apply_position(a);
    row.forgotten_position = old == NULL ? 0 : old->forgotten_position;
    row.created = old == NULL ? row.version : old->created;
    row.n_keys = command->n_keys;
    row.keys = command->keys;
    if (old == NULL) {
        home_begin(homes, command->user, &row);
    } else {
        row.home = old->home;
        row.by_hand = old->by_hand;
        row.loaded_ms = old->loaded_ms;
        row.n_loaded = old->n_loaded;
        row.loaded = old->loaded;
    }
    row_put(a->state, TABLE_ACCOUNT, key_user(command->user), &row);
    if (old == NULL) {
        domain_count(a, command->user, true);
    }
}

int user_set(struct apply *a, const Pb__UserSet *command)
{
    struct homes homes;
    int rc = check_user(a, command);

    if (rc != 0) {
        return rc;
    }
    if (command->create == account_exists(a->state, command->user)) {
        return command->create ? ERR_EXISTS : ERR_NOT_FOUND;
    }
    homes_open(&homes, a->state, a->arena);
    user_put(a, &homes, command);
    homes_close(&homes);
    return 0;
}

int user_import(struct apply *a, const Pb__UserImport *command)
{
    struct homes homes;

    if (command->n_users > STATE_IMPORT_MAX) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < command->n_users; i++) {
        int rc = check_user(a, command->users[i]);

        if (rc != 0) {
            a->outcome.row = (uint32_t)i + 1;
            return rc;
        }
    }
    homes_open(&homes, a->state, a->arena);
    for (size_t i = 0; i < command->n_users; i++) {
        user_put(a, &homes, command->users[i]);
    }
    homes_close(&homes);
    return 0;
}

/* ---- removal */

/* Nobody comes to take them over; a successor in name must not. */
static void end_standing_presences(struct apply *a, const char *user)
{
    struct row_list list = presence_list(a, user);

    for (size_t i = 0; i < list.count; i++) {
        presence_end_standing(a, key_last_u64(list.items[i].key), user);
    }
}

int user_remove(struct apply *a, const Pb__UserRemove *command)
{
    struct row_list sessions;
    Pb__ErasureRow erasure = PB__ERASURE_ROW__INIT;
    Pb__DeadlineRow deadline = PB__DEADLINE_ROW__INIT;
    Pb__AccountRow *account = state_account(a->state, a->arena, command->user);
    struct homes homes;

    if (account == NULL) {
        return ERR_NOT_FOUND;
    }
    homes_open(&homes, a->state, a->arena);
    home_end(&homes, command->user, account);
    homes_close(&homes);
    row_delete(a->state, TABLE_ACCOUNT, key_user(command->user)); /* nothing goes offline now */
    sessions = rows_all(a->state, a->arena, TABLE_SESSION_OF, key_user(command->user));
    for (size_t i = 0; i < sessions.count; i++) {
        session_end(a, key_last_u64(sessions.items[i].key), DROP_REMOVED);
    }

    end_standing_presences(a, command->user);
    erasure.number = a->state->meta.next_erasure++;
    row_put(a->state, TABLE_ERASURE, key_user(command->user), &erasure);
    deadline.user = command->user;
    deadline_put(a, DEADLINE_AT_ONCE, PB__DEADLINE_KIND__ERASURE, erasure.number, &deadline);
    return 0;
}

/* A contact may lose two subscriptions: each changes its roster, and its sessions hear of it by a
 * stanza and a push. They may also have missed the end of presences, which have all ended by now.
 */
static size_t rows_of_contact(struct state *state, struct arena *arena, const char *user)
{
    size_t ended = rows_all(state, arena, TABLE_TOMBSTONE, key_user(user)).count;

    return 2 * (2 + 2 * STATE_SESSIONS_MAX) + ended * STATE_SESSIONS_MAX;
}

size_t account_erasure_rows(struct state *state, struct arena *arena, const char *user)
{
    const Pb__RosterRow *roster = state_roster(state, arena, user);
    const Pb__OfflineTotalRow *offline = row_get(state, arena, TABLE_OFFLINE_TOTAL, key_user(user));
    size_t contacts = roster == NULL ? 0 : roster->count;
    size_t messages = offline == NULL ? 0 : offline->count;

    contacts = contacts < ROSTER_ERASED_MAX ? contacts : ROSTER_ERASED_MAX;
    messages = messages < OFFLINE_ERASED_MAX ? messages : OFFLINE_ERASED_MAX;
    return contacts * rows_of_contact(state, arena, user) + messages +
           kept_erasure_rows(state, arena, user);
}

bool account_erase_step(struct apply *a, const char *user)
{
    if (!roster_erase_step(a, user) || !offline_erase_step(a, user) || !kept_erase_step(a, user)) {
        return false;
    }
    row_delete(a->state, TABLE_ERASURE, key_user(user));
    domain_count(a, user, false);
    return true;
}
