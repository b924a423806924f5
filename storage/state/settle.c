#include "storage/state/settle.h"

#include "storage/state/account.h"
#include "storage/state/message.h"
#include "storage/state/offline.h"
#include "storage/state/pending.h"
#include "storage/state/session.h"
#include "storage/state/stanza.h"

/* The sender, if it is still there, hears that it failed. */
static void tell_sender(struct apply *a, const Pb__Stanza *stanza, enum stanza_error error)
{
    uint64_t sender = session_by_address(a, stanza->from);
    const Pb__Stanza *reply = stanza_error(a, stanza, error);

    if (sender != 0 && reply != NULL) {
        pending_add_self(a, sender, reply);
    }
}

static bool move_to_heir(struct apply *a, uint64_t heir, uint64_t shared, uint32_t bytes)
{
    if (!pending_may_inherit(a, heir, bytes)) {
        return false;
    }
    pending_add_shared(a, heir, apply_position(a), shared, bytes);
    return true;
}

static uint32_t move_to_sessions(struct apply *a, const char *user, uint64_t shared, uint32_t bytes)
{
    struct targets targets = message_targets(a, user);
    uint32_t count = 0;

    for (size_t i = 0; i < targets.count; i++) {
        if (pending_has_room(a, targets.sessions[i], bytes)) {
            pending_add_shared(a, targets.sessions[i], apply_position(a), shared, bytes);
            count++;
        }
    }
    return count;
}

/* Accepted and not kept: as one that came now (RFC 6121 §8.5.2.2.1, XEP-0160 §3), not in silence.
 */
static void forget_and_tell(struct apply *a, uint64_t shared, const Pb__Stanza *stanza)
{
    pending_forget(a, shared);
    tell_sender(a, stanza, STANZA_SERVICE_UNAVAILABLE);
}

/* A message that no session had and no other list names. */
static void move_message(struct apply *a, const char *user, uint64_t heir, uint64_t shared)
{
    Pb__StanzaRow *row = row_get(a->state, a->arena, TABLE_STANZA, key_u64(shared));
    uint32_t bytes, count;

    ASSERT(row != NULL);
    if (!stanza_may_wait(row->stanza)) {
        pending_forget(a, shared);
        return;
    }
    if (!account_exists(a->state, user)) {
        forget_and_tell(a, shared, row->stanza);
        return;
    }
    row->stanza->delayed = true;
    bytes = stanza_bytes(row->stanza);
    row_put(a->state, TABLE_STANZA, key_u64(shared), row);
    count =
        heir != 0 ? move_to_heir(a, heir, shared, bytes) : move_to_sessions(a, user, shared, bytes);
    if (count > 0) {
        pending_set_refs(a, shared, count);
    } else if (!row->store || !offline_add_shared(a, user, shared, bytes)) {
        forget_and_tell(a, shared, row->stanza);
    }
}

static void settle_entry(struct apply *a, const char *user, uint64_t heir,
                         const Pb__PendingRow *entry)
{
    if (entry->what_case == PB__PENDING_ROW__WHAT_SHARED) {
        if (pending_release(a, entry->shared, false) == PENDING_WAS_LAST) {
            move_message(a, user, heir, entry->shared);
        }
    } else if (entry->what_case == PB__PENDING_ROW__WHAT_OWN &&
               entry->own->kind == PB__STANZA__KIND__IQ) {
        tell_sender(a, entry->own, STANZA_RECIPIENT_UNAVAILABLE);
    }
}

void settle_list(struct apply *a, uint64_t session, const char *user, uint64_t heir)
{
    struct row_list list = rows_all(a->state, a->arena, TABLE_PENDING, key_u64(session));

    for (size_t i = 0; i < list.count; i++) {
        kv_delete(a->state->kv, TABLE_PENDING, list.items[i].key);
        settle_entry(a, user, heir, list.items[i].row);
    }
}
