#include "storage/state/visitor.h"

#include "storage/state/group.h"
#include "storage/state/node.h"

/* The node that serves a user, unless it is this one, or takes no sessions now. One with the same
 * address, behind a balancer, may be this one. */
static const Pb__NodeRow *in_charge_elsewhere(struct state *state, struct arena *arena,
                                              const char *user, uint32_t node)
{
    const Pb__NodeRow *here = state_node(state, arena, node);
    const Pb__AccountRow *account = state_account(state, arena, user);
    const Pb__NodeRow *in_charge =
        account == NULL ? NULL : group_in_charge(state, arena, account->home);

    return in_charge != NULL && state_takes_sessions(state, arena, in_charge) &&
                   strcmp(in_charge->client_address, here->client_address) != 0
               ? in_charge
               : NULL;
}

const char *state_address_for(struct state *state, struct arena *arena, const char *user,
                              uint32_t node)
{
    const Pb__NodeRow *in_charge = in_charge_elsewhere(state, arena, user, node);

    return in_charge == NULL ? node_backup_address(state, arena, node) : in_charge->client_address;
}

/* Where the client is to go, "": nowhere. A node that is drained sends away whatever the policy. */
static const char *elsewhere(struct apply *a, const char *user, const Pb__NodeRow *here)
{
    const Pb__NodeRow *in_charge;

    if (here->drained) {
        return state_address_for(a->state, a->out->arena, user, here->node);
    }
    if (state_assignment(a->state, a->arena)->policy != PB__VISITOR_POLICY__REDIRECT) {
        return "";
    }
    in_charge = in_charge_elsewhere(a->state, a->out->arena, user, here->node);
    return in_charge == NULL ? "" : in_charge->client_address;
}

const char *visitor_send_away(struct apply *a, const char *user, uint64_t incarnation)
{
    const Pb__IncarnationRow *life = state_incarnation(a->state, a->arena, incarnation);
    const Pb__NodeRow *here = state_node(a->state, a->arena, life->node);
    const char *address = elsewhere(a, user, here);
    Pb__AccountRow *account = state_account(a->state, a->arena, user);

    /* Nodes behind a balancer have one address: it would lead back to here. */
    if (address[0] == '\0' || strcmp(address, here->client_address) == 0 ||
        (account->sent_away_by == here->node &&
         a->now_ms - account->sent_away_ms < STATE_SENT_AWAY_MS)) {
        return "";
    }
    account->sent_away_by = here->node;
    account->sent_away_ms = a->now_ms;
    row_put(a->state, TABLE_ACCOUNT, key_user(user), account);
    return address;
}
