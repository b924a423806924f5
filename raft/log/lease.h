/* lease - who may serve (DESIGN 7, P6). The leader's book: which members answered it and when, how
 * long its own lease runs, who may be granted one, who is silent. Pure: times are arguments, all of
 * one CLOCK_BOOTTIME. */
#ifndef RAFT_LOG_LEASE_H
#define RAFT_LOG_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_NODES_MAX 32

struct lease_node {
    uint32_t node_id;
    bool member;
    bool voter;
    bool is_full;            /* takes no entries, as it said last */
    uint64_t answered_ms;    /* when the newest probe that it answered was sent; 0: none */
    uint64_t heard_ms;       /* when it was last heard, or our election; 0: its life is new to us */
    uint64_t incarnation;    /* the one that is up, 0 when none */
    uint64_t fenced;         /* presumed dead: this incarnation gets no lease any more */
    uint64_t silent_told_ms; /* when its silence was last reported */
};

struct lease_book {
    uint64_t lease_ms;
    uint64_t drift_ms; /* how far clocks of two nodes may diverge in one lease */
    bool own_voter;
    bool is_incomplete; /* a voter found no room: then no majority can be counted */
    /* The other members, and nodes that are none any more, while there is room for them. */
    struct lease_node nodes[LEASE_NODES_MAX];
    size_t count;
};

/** This node was elected: what was answered, or decided, in earlier terms does not count. */
void lease_elected(struct lease_book *book, uint64_t now_ms);
/** The members other than this node, as the configuration has them: clear, then add each. */
void lease_clear_members(struct lease_book *book, bool own_voter);
void lease_add_member(struct lease_book *book, uint32_t node_id, bool voter, uint64_t now_ms);
/** The incarnation of a node that is up; 0: none. The silence of a new one counts from here on. */
void lease_set_incarnation(struct lease_book *book, uint32_t node_id, uint64_t incarnation);
/** As last set; 0 too for a node that is not known. */
uint64_t lease_incarnation(const struct lease_book *book, uint32_t node_id);
/** A member answered; probe_ms is when we sent the probe, 0 when it answers none. */
void lease_heard(struct lease_book *book, uint32_t node_id, uint64_t probe_ms, uint64_t now_ms);
/** What a member said with that: does it take no entries (DESIGN 3, back-pressure)? */
void lease_set_full(struct lease_book *book, uint32_t node_id, bool is_full);
/** A member says itself that this incarnation is over: it is reported like a silent one, at once.
 */
void lease_left(struct lease_book *book, uint32_t node_id, uint64_t incarnation);
/** Is it a member that answered a probe within the lease? */
bool lease_answers(const struct lease_book *book, uint32_t node_id, uint64_t now_ms);
/** How long nothing was heard of it: since our election at most; 0 for a node that is not known. */
uint64_t lease_silent_ms(const struct lease_book *book, uint32_t node_id, uint64_t now_ms);
/** Is it a voter that answered a probe within the lease, and takes entries? */
bool lease_may_lead(const struct lease_book *book, uint32_t node_id, uint64_t now_ms);
/** The leader's own lease had lapsed (it hung, or was cut off): it saw nobody meanwhile, so
 * nobody's silence counts from before now. */
void lease_lapsed(struct lease_book *book, uint64_t now_ms);
/** Until when the leader itself holds the lease: a majority answered probes within lease_ms. */
uint64_t lease_own_end(const struct lease_book *book, uint64_t now_ms);
/** May this incarnation of node_id be granted a lease? */
bool lease_may_grant(const struct lease_book *book, uint32_t node_id, uint64_t incarnation);
/** A node to report as silent now, and its incarnation, which is fenced from here on; false when
 * there is none (any more). A node that is no member any more counts too: nobody else would end
 * what its incarnation left. */
bool lease_take_silent(struct lease_book *book, uint64_t now_ms, uint32_t *node_out,
                       uint64_t *incarnation_out);

#endif
