#include "raft/log/lease.h"

#include "node/base/assert.h"

static struct lease_node *find(struct lease_book *book, uint32_t node_id)
{
    for (size_t i = 0; i < book->count; i++) {
        if (book->nodes[i].node_id == node_id) {
            return &book->nodes[i];
        }
    }
    return NULL;
}

/* Room for one more: best where a node was that left nothing, else where one was that is no member.
 */
static struct lease_node *find_room(struct lease_book *book)
{
    struct lease_node *room = NULL;

    if (book->count < LEASE_NODES_MAX) {
        return &book->nodes[book->count++];
    }
    for (size_t i = 0; i < book->count; i++) {
        struct lease_node *node = &book->nodes[i];

        if (!node->member && (room == NULL || node->incarnation == 0)) {
            room = node;
        }
    }
    return room;
}

static struct lease_node *find_or_add(struct lease_book *book, uint32_t node_id)
{
    struct lease_node *node = find(book, node_id);

    if (node != NULL) {
        return node;
    }
    node = find_room(book);
    if (node != NULL) {
        *node = (struct lease_node){.node_id = node_id};
    }
    return node;
}

void lease_elected(struct lease_book *book, uint64_t now_ms)
{
    for (size_t i = 0; i < book->count; i++) {
        book->nodes[i].answered_ms = 0;
        book->nodes[i].heard_ms = now_ms;
        book->nodes[i].fenced = 0; /* an earlier term's verdict: what became of it is applied */
        book->nodes[i].silent_told_ms = 0;
    }
}

void lease_clear_members(struct lease_book *book, bool own_voter)
{
    book->own_voter = own_voter;
    book->is_incomplete = false;
    for (size_t i = 0; i < book->count; i++) {
        book->nodes[i].member = false;
    }
}

void lease_add_member(struct lease_book *book, uint32_t node_id, bool voter, uint64_t now_ms)
{
    struct lease_node *node = find_or_add(book, node_id);

    if (node == NULL) {
        book->is_incomplete |= voter;
        return;
    }
    if (node->heard_ms == 0) {
        node->heard_ms = now_ms;
    }
    node->member = true;
    node->voter = voter;
}

void lease_set_incarnation(struct lease_book *book, uint32_t node_id, uint64_t incarnation)
{
    struct lease_node *node = find_or_add(book, node_id);

    if (node == NULL) {
        return;
    }
    if (incarnation != 0 && incarnation != node->incarnation) {
        node->heard_ms = 0; /* the silence before it was not its own */
    }
    node->incarnation = incarnation;
}

uint64_t lease_incarnation(const struct lease_book *book, uint32_t node_id)
{
    const struct lease_node *node = find((struct lease_book *)book, node_id);

    return node == NULL ? 0 : node->incarnation;
}

void lease_heard(struct lease_book *book, uint32_t node_id, uint64_t probe_ms, uint64_t now_ms)
{
    struct lease_node *node = find(book, node_id);

    if (node == NULL) {
        return;
    }
    node->heard_ms = now_ms;
    if (probe_ms > node->answered_ms && probe_ms <= now_ms) {
        node->answered_ms = probe_ms;
    }
}

void lease_set_full(struct lease_book *book, uint32_t node_id, bool is_full)
{
    struct lease_node *node = find(book, node_id);

    if (node != NULL) {
        node->is_full = is_full;
    }
}

void lease_left(struct lease_book *book, uint32_t node_id, uint64_t incarnation)
{
    struct lease_node *node = find(book, node_id);

    if (node != NULL && incarnation != 0 && node->incarnation == incarnation) {
        node->fenced = incarnation;
    }
}

bool lease_answers(const struct lease_book *book, uint32_t node_id, uint64_t now_ms)
{
    const struct lease_node *node = find((struct lease_book *)book, node_id);

    return node != NULL && node->member && node->answered_ms != 0 &&
           now_ms < node->answered_ms + book->lease_ms;
}

uint64_t lease_silent_ms(const struct lease_book *book, uint32_t node_id, uint64_t now_ms)
{
    const struct lease_node *node = find((struct lease_book *)book, node_id);

    return node == NULL || node->heard_ms == 0 || node->heard_ms > now_ms ? 0
                                                                          : now_ms - node->heard_ms;
}

bool lease_may_lead(const struct lease_book *book, uint32_t node_id, uint64_t now_ms)
{
    const struct lease_node *node = find((struct lease_book *)book, node_id);

    return lease_answers(book, node_id, now_ms) && node->voter && !node->is_full;
}

void lease_lapsed(struct lease_book *book, uint64_t now_ms)
{
    for (size_t i = 0; i < book->count; i++) {
        book->nodes[i].heard_ms = now_ms;
    }
}

/* The answer time that a majority of the voters reached, this node's own being now. */
uint64_t lease_own_end(const struct lease_book *book, uint64_t now_ms)
{
    uint64_t times[LEASE_NODES_MAX + 1];
    size_t voters = 0;

    if (book->own_voter) {
        times[voters++] = now_ms;
    }
    for (size_t i = 0; i < book->count; i++) {
        uint64_t time = book->nodes[i].answered_ms;
        size_t at = voters;

        if (!book->nodes[i].member || !book->nodes[i].voter) {
            continue;
        }
        while (at > 0 && times[at - 1] < time) { /* newest first */
            times[at] = times[at - 1];
            at--;
        }
        times[at] = time;
        voters++;
    }
    if (book->is_incomplete || voters == 0 || times[voters / 2] == 0) {
        return 0;
    }
    return times[voters / 2] + book->lease_ms;
}

bool lease_may_grant(const struct lease_book *book, uint32_t node_id, uint64_t incarnation)
{
    const struct lease_node *node = find((struct lease_book *)book, node_id);

    return node != NULL && node->member && incarnation != 0 && node->incarnation == incarnation &&
           node->fenced != incarnation;
}

bool lease_take_silent(struct lease_book *book, uint64_t now_ms, uint32_t *node_out,
                       uint64_t *incarnation_out)
{
    for (size_t i = 0; i < book->count; i++) {
        struct lease_node *node = &book->nodes[i];
        bool fenced = node->fenced != 0 && node->fenced == node->incarnation;
        bool silent;

        if (node->heard_ms == 0) {
            node->heard_ms = now_ms; /* its life is known since a moment ago */
        }
        silent = node->heard_ms + book->lease_ms + book->drift_ms < now_ms;
        if (node->incarnation != 0 && (silent || fenced) &&
            node->silent_told_ms + book->lease_ms <= now_ms) {
            node->silent_told_ms = now_ms;
            node->fenced = node->incarnation;
            *node_out = node->node_id;
            *incarnation_out = node->incarnation;
            return true;
        }
    }
    return false;
}
