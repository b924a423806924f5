/* hand - rlogs made by hand, without thread, loop, disk or link: who leads in which term is what
 * the test says, frames wait until it moves them, clocks stand until it moves them. For tests whose
 * clock and links the linker wraps (tests/CMakeLists.txt). */
#ifndef TESTS_UNIT_RAFT_HAND_H
#define TESTS_UNIT_RAFT_HAND_H

#include "node/base/clock.h"
#include "node/base/mem.h"
#include "raft/log/internal.h"
#include "raft/shim/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HAND_NODES    5
#define HAND_LEASE_MS 1000
#define HAND_DRIFT_MS 100
#define HAND_BEAT_MS  333
#define HAND_MAIL_MAX 4096

/* What an rlog sends by: who sends. */
struct link_set {
    uint32_t node_id;
};

struct hand_node {
    uint32_t node_id;
    struct rlog rlog;
    struct shim shim;
    struct link_set links;
    uint64_t clock_ahead_ms;
    uint64_t presumed_dead[HAND_NODES + 1]; /* incarnations, by node, as this leader was told */
    unsigned told_count;
};

struct hand_mail {
    uint32_t from, to;
    enum frame_type type;
    uint64_t sent_ms;
    uint8_t *bytes;
    size_t len;
};

struct hand {
    uint64_t now_ms;
    const struct hand_node *at_work;        /* by whose clock; NULL: by no node's */
    struct hand_node nodes[HAND_NODES + 1]; /* by number */
    struct hand_mail mail[HAND_MAIL_MAX];
    size_t mail_count;
    size_t delivered_count;         /* of them, the oldest */
    struct link_events link_events; /* of whoever opened its links last */
};

static struct hand *hand;

uint64_t __wrap_clock_boot_ms(void); /* of the linker's --wrap */
uint64_t __wrap_clock_mono_ms(void);
uint16_t __wrap_link_version(const struct link_set *set, uint32_t node_id);
int __wrap_link_send(struct link_set *set, uint32_t node_id, enum link_class class, uint8_t type,
                     const struct slice *parts, size_t part_count);
int __wrap_link_set_open(const struct link_config *config, const struct link_events *events,
                         struct link_set **out);
void __wrap_link_set_log_is_empty(struct link_set *set, bool is_empty);

uint64_t __wrap_clock_boot_ms(void)
{
    return hand->now_ms + (hand->at_work == NULL ? 0 : hand->at_work->clock_ahead_ms);
}

uint64_t __wrap_clock_mono_ms(void)
{
    return __wrap_clock_boot_ms();
}

uint16_t __wrap_link_version(const struct link_set *set, uint32_t node_id)
{
    (void)set;
    (void)node_id;
    return LINK_VERSION;
}

int __wrap_link_send(struct link_set *set, uint32_t node_id, enum link_class class, uint8_t type,
                     const struct slice *parts, size_t part_count)
{
    struct hand_mail *mail = &hand->mail[hand->mail_count++];
    struct buf bytes = BUF_EMPTY;

    (void)class;
    assert_true(hand->mail_count < HAND_MAIL_MAX);
    for (size_t i = 0; i < part_count; i++) {
        buf_append(&bytes, parts[i]);
    }
    *mail = (struct hand_mail){.from = set->node_id,
                               .to = node_id,
                               .type = (enum frame_type)type,
                               .sent_ms = hand->now_ms,
                               .bytes = bytes.data,
                               .len = buf_len(&bytes)};
    return 0;
}

int __wrap_link_set_open(const struct link_config *config, const struct link_events *events,
                         struct link_set **out)
{
    *out = &hand->nodes[config->node_id].links;
    hand->link_events = *events;
    return 0;
}

void __wrap_link_set_log_is_empty(struct link_set *set, bool is_empty)
{
    (void)set;
    (void)is_empty;
}

static inline void hand_on_wake(void *ctx)
{
    (void)ctx; /* the test executes the orders itself */
}

static inline void hand_on_entry_take(void *ctx, uint64_t index, uint64_t term, struct blob *entry)
{
    (void)ctx;
    (void)index;
    (void)term;
    (void)entry; /* no-ops alone: NULL */
}

static inline void hand_on_role(void *ctx, bool is_leader, uint32_t leader_node, uint64_t term)
{
    (void)ctx;
    (void)is_leader;
    (void)leader_node;
    (void)term;
}

static inline void hand_on_silent(void *ctx, uint32_t node_id, uint64_t incarnation)
{
    struct hand_node *node = ctx;

    node->presumed_dead[node_id] = incarnation;
    node->told_count++;
}

static inline uint64_t hand_incarnation(uint32_t node_id)
{
    return node_id * 10 + 1;
}

static inline struct rlog *hand_rlog(uint32_t node_id)
{
    return &hand->nodes[node_id].rlog;
}

/* Voters all of them, each up under its first incarnation. */
static inline void hand_make(uint32_t node_id)
{
    struct hand_node *node = &hand->nodes[node_id];
    struct rlog *rlog = &node->rlog;

    node->node_id = node_id;
    node->links.node_id = node_id;
    node->shim.raft = &rlog->raft;
    node->clock_ahead_ms = node_id * 100000; /* no clock says anything to another node */
    rlog->shim = &node->shim;
    rlog->links = &node->links;
    rlog->config.node_id = node_id;
    rlog->config.lease_ms = HAND_LEASE_MS;
    rlog->events = (struct rlog_events){.ctx = node,
                                        .on_entry_take = hand_on_entry_take,
                                        .on_role = hand_on_role,
                                        .on_silent = hand_on_silent};
    mailbox_init(&rlog->inbox, hand_on_wake, NULL);
    (void)pthread_mutex_init(&rlog->progress_mutex, NULL);
    rlog->raft.id = (raft_id)node_id << 32 | 1;
    rlog->leases.lease_ms = HAND_LEASE_MS;
    rlog->leases.drift_ms = HAND_DRIFT_MS;
    origin_begin(&rlog->origin, hand_incarnation(node_id));
    hand->at_work = node;
    lease_clear_members(&rlog->leases, true);
    for (uint32_t other = 1; other <= HAND_NODES; other++) {
        if (other != node_id) {
            rlog->peers[rlog->peer_count++] = (struct peer){.node_id = other};
            lease_add_member(&rlog->leases, other, true, clock_boot_ms());
            lease_set_incarnation(&rlog->leases, other, hand_incarnation(other));
        }
    }
    hand->at_work = NULL;
}

static inline void hand_init(void)
{
    hand = mem_zalloc(sizeof(*hand));
    hand->now_ms = 1000000;
    for (uint32_t i = 1; i <= HAND_NODES; i++) {
        hand_make(i);
    }
}

static inline void hand_deinit(void)
{
    for (uint32_t i = 1; i <= HAND_NODES; i++) {
        struct rlog *rlog = hand_rlog(i);

        mailbox_deinit(&rlog->inbox);
        (void)pthread_mutex_destroy(&rlog->progress_mutex);
        intake_clear(&rlog->intake);
        origin_deinit(&rlog->origin);
        buf_deinit(&rlog->scratch);
    }
    for (size_t i = 0; i < hand->mail_count; i++) {
        mem_free(&hand->mail[i].bytes);
    }
    mem_free(&hand);
}

/* A node comes to know that `leader` leads in this term: itself, with its no-op committed; another
 * one; or nobody (0), as after it voted. */
static inline void hand_follow(uint32_t node_id, uint32_t leader, raft_term term)
{
    struct hand_node *node = &hand->nodes[node_id];
    struct raft *raft = &node->rlog.raft;

    raft->current_term = term;
    raft->state = leader == node_id ? RAFT_LEADER : RAFT_FOLLOWER;
    if (leader == node_id) {
        node->shim.ready_term = term;
    } else {
        raft->follower_state.current_leader.id = leader == 0 ? 0 : (raft_id)leader << 32 | 1;
    }
    hand->at_work = node;
    rlog_follow_role(&node->rlog);
    hand->at_work = NULL;
}

static inline void hand_beat(uint32_t node_id)
{
    hand->at_work = &hand->nodes[node_id];
    rlog_lease_beat(hand_rlog(node_id));
    hand->at_work = NULL;
}

static inline void hand_execute_orders(uint32_t node_id)
{
    hand->at_work = &hand->nodes[node_id];
    rlog_execute_orders(hand_rlog(node_id));
    hand->at_work = NULL;
}

static inline bool hand_holds(uint32_t node_id)
{
    bool held;

    hand->at_work = &hand->nodes[node_id];
    held = rlog_lease_held(hand_rlog(node_id));
    hand->at_work = NULL;
    return held;
}

static inline void hand_receive(uint32_t from, uint32_t to, enum frame_type type,
                                struct slice bytes)
{
    struct rlog *rlog = hand_rlog(to);
    int rc;

    hand->at_work = &hand->nodes[to];
    rc = type == FRAME_FORWARD ? rlog_on_forward(rlog, from, bytes)
                               : rlog_on_lease_frame(rlog, from, type, bytes);
    hand->at_work = NULL;
    assert_int_equal(rc, 0);
}

/* A frame that the test made arrives at once. */
static inline void hand_give_take(uint32_t from, uint32_t to, enum frame_type type,
                                  struct buf *bytes)
{
    hand_receive(from, to, type, buf_slice(bytes));
    buf_deinit(bytes);
}

/* The oldest frame that is under way arrives. */
static inline void hand_deliver_next(void)
{
    const struct hand_mail *mail = &hand->mail[hand->delivered_count++];

    hand_receive(mail->from, mail->to, mail->type, slice_make(mail->bytes, mail->len));
}

/* All arrive that have been under way for so long, and what is sent in answer. */
static inline void hand_deliver(uint64_t delay_ms)
{
    while (hand->delivered_count < hand->mail_count &&
           hand->mail[hand->delivered_count].sent_ms + delay_ms <= hand->now_ms) {
        hand_deliver_next();
    }
}

/* How many frames of a type were ever sent from one node to another. */
static inline unsigned hand_count(uint32_t from, uint32_t to, enum frame_type type)
{
    unsigned count = 0;

    for (size_t i = 0; i < hand->mail_count; i++) {
        const struct hand_mail *mail = &hand->mail[i];

        count += mail->from == from && mail->to == to && mail->type == type ? 1 : 0;
    }
    return count;
}

#endif
