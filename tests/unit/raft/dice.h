/* dice - the lab moved by dice: messages in any order between links, links cut, crashes that lose
 * unwritten entries, proposals. */
#ifndef TESTS_UNIT_RAFT_DICE_H
#define TESTS_UNIT_RAFT_DICE_H

#include "tests/unit/raft/lab.h"

#define DICE_PROPOSALS 64

struct dice {
    uint64_t state;
};

/* splitmix64 */
static inline uint64_t roll(struct dice *dice, uint64_t sides)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % sides;
}

static inline int roll_node(struct dice *dice)
{
    return (int)roll(dice, LAB_NODES) + 1;
}

/* Links keep their order: deliver the oldest message of one pair. */
static inline void deliver_one(struct lab *lab, int from, int to)
{
    for (int i = 0; i < lab->mail_count; i++) {
        struct lab_mail *mail = &lab->mail[i];

        if (mail->to == to && mail->from == from) {
            mail->to = 0;
            (void)!shim_receive(lab->nodes[to].shim, (uint32_t)from,
                                slice_make(mail->bytes, mail->len));
            return;
        }
    }
}

static inline void break_link(struct lab *lab, int a, int b)
{
    for (int i = 0; i < lab->mail_count; i++) {
        struct lab_mail *mail = &lab->mail[i];

        if ((mail->to == a && mail->from == b) || (mail->to == b && mail->from == a)) {
            mail->to = 0;
        }
    }
    shim_peer_lost(lab->nodes[a].shim, lab_id(b));
    shim_peer_lost(lab->nodes[b].shim, lab_id(a));
}

static inline void forget_delivered(struct lab *lab)
{
    int kept = 0;

    for (int i = 0; i < lab->mail_count; i++) {
        if (lab->mail[i].to != 0) {
            lab->mail[kept++] = lab->mail[i];
        } else {
            mem_free(&lab->mail[i].bytes);
        }
    }
    lab->mail_count = kept;
}

/* The process ends: of what was not written to the end, some is on disk and some is not. */
static inline void crash(struct lab *lab, struct dice *dice, int number)
{
    struct lab_node *node = &lab->nodes[number];
    int written = node->written_count;

    for (int i = 1; i <= LAB_NODES; i++) {
        if (i != number) {
            break_link(lab, number, i);
        }
    }
    lab_stop_node(lab, number);
    if (node->log_count > written) {
        int kept = written + (int)roll(dice, (uint64_t)(node->log_count - written) + 1);

        (void)lab_disk_truncate(&node->disk, (raft_index)kept + 1);
    }
    node->stopped = NULL;
    lab_start_node(lab, number);
}

static inline void on_proposed(struct raft_apply *request, int status, void *result)
{
    (void)status;
    (void)result;
    request->data = NULL;
}

static inline void propose(struct lab *lab, struct raft_apply *requests, int number)
{
    static uint64_t value;
    struct raft *raft = &lab->nodes[number].raft;
    struct raft_buffer bytes = {.len = 8};

    if (raft->state != RAFT_LEADER || raft_last_index(raft) > LAB_LOG_MAX - 100) {
        return;
    }
    for (int i = 0; i < DICE_PROPOSALS; i++) {
        if (requests[i].data == NULL) {
            bytes.base = raft_calloc(1, 8);
            value++;
            memcpy(bytes.base, &value, sizeof(value));
            requests[i].data = lab;
            if (raft_apply(raft, &requests[i], &bytes, 1, on_proposed) != 0) {
                requests[i].data = NULL;
                raft_free(bytes.base);
            }
            return;
        }
    }
}

#endif
