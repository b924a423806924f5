/* forward - the way of this node's commands to whoever leads, and of other nodes' commands into our
 * intake when we lead. */
#include "raft/log/internal.h"

#include "node/base/clock.h"
#include "node/base/log.h"
#include "storage/state/room.h"

#define START_AGAIN_MS 1000
/* A command neither applied nor refused for so long was lost between here and the leader. */
#define SEND_AGAIN_MS 5000

void rlog_forget_counts(struct rlog *rlog, size_t count_before, size_t bytes_before)
{
    atomic_fetch_sub(&rlog->outstanding_count, count_before - rlog->origin.count);
    atomic_fetch_sub(&rlog->outstanding_bytes, bytes_before - rlog->origin.bytes);
}

/* Into the intake, or what stands for it when there is no room (DESIGN 3). What already waits there
 * when room gets low is small beside the reserve that the store keeps. */
static void admit(struct rlog *rlog, const struct entry_command *command)
{
    struct entry_command admitted = *command;
    struct buf refusal = BUF_EMPTY;

    if (atomic_load(&rlog->store_is_low) && room_refuse(command->bytes, ERR_NO_SPACE, &refusal)) {
        log_warn("raft.refused_no_room", LOG_UINT("incarnation", command->incarnation),
                 LOG_UINT("seq", command->seq));
        admitted.bytes = buf_slice(&refusal);
    }
    intake_add_command(&rlog->intake, &admitted);
    buf_deinit(&refusal);
}

static void take_own(struct rlog *rlog)
{
    const struct own_command *next;

    while ((next = origin_next(&rlog->origin)) != NULL) {
        const struct entry_command command = {
            .incarnation = origin_next_incarnation(&rlog->origin),
            .seq = next->seq,
            .bytes = own_command_slice(next),
        };

        admit(rlog, &command);
        origin_sent(&rlog->origin);
    }
}

/* One frame of what fits; marks it as sent only when the link took it. */
static bool forward_frame(struct rlog *rlog)
{
    struct origin probe = rlog->origin; /* walks ahead; owns nothing */
    const struct own_command *next;
    struct buf *frame = &rlog->scratch;

    buf_clear(frame);
    forward_begin(rlog->role.term, frame);
    while ((next = origin_next(&probe)) != NULL && buf_len(frame) < FORWARD_FRAME_BYTES) {
        const struct forward_command command = {
            .incarnation = origin_next_incarnation(&probe),
            .seq = next->seq,
            .bytes = own_command_slice(next),
        };

        forward_add(&command, frame);
        origin_sent(&probe);
    }
    if (!rlog_send(rlog, rlog->role.leader_node, LINK_BULK, FRAME_FORWARD, buf_slice(frame))) {
        return false;
    }
    rlog->origin.unsent = probe.unsent;
    rlog->origin.start_sent = probe.start_sent;
    return true;
}

static void send_lost_again(struct rlog *rlog, uint64_t now_ms)
{
    uint64_t oldest = rlog->origin.first == NULL ? 0 : rlog->origin.first->seq;

    if (oldest != rlog->oldest_seq || oldest == 0) {
        rlog->oldest_seq = oldest;
        rlog->oldest_ms = now_ms;
    } else if (now_ms - rlog->oldest_ms >= SEND_AGAIN_MS && rlog->role.leader_node != 0) {
        rlog->oldest_ms = now_ms;
        origin_rewind(&rlog->origin);
    }
    if (rlog->origin.start != NULL && now_ms - rlog->start_sent_ms >= START_AGAIN_MS) {
        rlog->start_sent_ms = now_ms;
        rlog->origin.start_sent = false;
    }
}

void rlog_send_commands(struct rlog *rlog)
{
    send_lost_again(rlog, clock_mono_ms());
    if (rlog->raft.state == RAFT_LEADER) {
        take_own(rlog);
        return;
    }
    while (rlog->role.leader_node != 0 && origin_next(&rlog->origin) != NULL) {
        if (!forward_frame(rlog)) {
            return; /* the next turn, or the link's return, tries again */
        }
    }
}

/* What another node has put into the log: its own doing only, and nothing that would stop whoever
 * applies it. A seq that is passed over is sent again by its origin; one that is refused for good
 * has its place taken, or the origin's later commands would never be next. */
static void take_forwarded(struct rlog *rlog, uint32_t node_id, struct forward_command *forwarded)
{
    struct entry_command command = {
        .incarnation = forwarded->incarnation, .seq = forwarded->seq, .bytes = forwarded->bytes};
    struct buf substitute = BUF_EMPTY;
    int rc = 0;

    if (command.incarnation != lease_incarnation(&rlog->leases, node_id) &&
        command.incarnation != 0) {
        return; /* ended, not known here yet (see on_grant()), or another's */
    }
    if (rlog->config.vet != NULL) {
        rc = rlog->config.vet(node_id, command.incarnation, command.bytes, &substitute);
    }
    if (rc != 0) {
        log_warn("raft.command_refused", LOG_UINT("node", node_id),
                 LOG_UINT("incarnation", command.incarnation), LOG_UINT("seq", command.seq),
                 LOG_STR("cause", err_text(rc)));
        command.bytes = buf_slice(&substitute);
    }
    if (rc == 0 || command.bytes.len > 0) {
        admit(rlog, &command);
    }
    buf_deinit(&substitute);
}

int rlog_on_forward(struct rlog *rlog, uint32_t node_id, struct slice bytes)
{
    struct forward_command forwarded;
    uint64_t term;
    int rc = forward_open(&bytes, &term);

    rlog_follow_role(rlog); /* or the intake of a new leader would be emptied behind us */
    /* Meant for another term: its origin sends again when it learns of ours. */
    if (rc == 0 && (rlog->raft.state != RAFT_LEADER || term != rlog->raft.current_term)) {
        return 0;
    }
    while (rc == 0 && rlog->intake.bytes <= INTAKE_BYTES_MAX) {
        rc = forward_next(&bytes, &forwarded);
        if (rc != 1) {
            break;
        }
        rc = 0;
        take_forwarded(rlog, node_id, &forwarded);
    }
    return rc;
}
