/* send - libraft's messages out through the transport. Messages are copied there, so a request is
 * done at once; its callback runs at the next turn. */
#include "raft/shim/internal.h"

#include "node/base/mem.h"

/* libraft sends everything the peer lacks in one message (defects 21, 26): keep what fits. */
static unsigned entries_that_fit(const struct raft_append_entries *append)
{
    size_t bytes = 0;
    unsigned count = 0;

    while (count < append->n_entries && count < WIRE_ENTRIES_MAX) {
        bytes += append->entries[count].buf.len;
        if (count > 0 && bytes > SHIM_APPEND_BYTES_MAX) {
            break;
        }
        count++;
    }
    return count;
}

static int encode_and_send(struct shim *shim, const struct raft_message *message)
{
    wire_encode(message, shim->config.id, &shim->frame);
    return shim->config.transport.send(shim->config.transport.ctx, message->server_id,
                                       shim->frame.parts, shim->frame.part_count);
}

void shim_send_unasked(struct shim *shim, const struct raft_message *message)
{
    /* A lost one is as good as a late one: heartbeats say the same again. */
    (void)encode_and_send(shim, message);
}

static void remember(struct shim *shim, const struct sent *sent)
{
    struct sent *copy = mem_alloc(sizeof(*copy));

    *copy = *sent;
    copy->next = NULL;
    if (shim->sent_first == NULL) {
        shim->sent_first = copy;
    } else {
        shim->sent_last->next = copy;
    }
    shim->sent_last = copy;
}

static struct answered answer_in(const struct raft_message *message)
{
    const struct raft_append_entries_result *result = &message->append_entries_result;

    if (message->type != RAFT_IO_APPEND_ENTRIES_RESULT || result->rejected != 0) {
        return (struct answered){.to = 0};
    }
    return (struct answered){
        .to = message->server_id, .term = result->term, .index = result->last_log_index};
}

/* Whoever is told of a commit would acknowledge again what it acknowledged to have it committed: a
 * message a commit, that tells the leader nothing. What moves no commit is answered: a heartbeat
 * asks whether we are there. */
static bool says_it_again(const struct shim *shim, const struct answered *answer)
{
    return shim->told_no_entries && shim->raft->commit_index > shim->commit_before &&
           answer->to != 0 && answer->to == shim->answered.to &&
           answer->term == shim->answered.term && answer->index == shim->answered.index;
}

int shim_send(struct raft_io *io, struct raft_io_send *request, const struct raft_message *original,
              raft_io_send_cb callback)
{
    struct shim *shim = io->impl;
    struct raft_message message = *original;
    struct sent sent = {.request = request, .callback = callback, .to = message.server_id};
    struct answered answer = {.to = 0};

    if (message.server_id == 0) {
        return RAFT_NOCONNECTION; /* the answer to a leader that was forgotten meanwhile */
    }
    if (message.type == RAFT_IO_APPEND_ENTRIES_RESULT) {
        shim_bound_acknowledgement(shim, &message.append_entries_result);
        answer = answer_in(&message);
        if (says_it_again(shim, &answer)) {
            remember(shim, &sent);
            return 0;
        }
    }
    if (message.type == RAFT_IO_APPEND_ENTRIES && shim_guards(shim, SHIM_GUARD_APPEND_SIZE)) {
        struct raft_append_entries *append = &message.append_entries;
        unsigned count = entries_that_fit(append);

        if (count < append->n_entries) {
            append->n_entries = count;
            sent.next_index = append->prev_log_index + 1 + count;
            sent.term = append->term;
            if (append->leader_commit >= sent.next_index) {
                append->leader_commit = sent.next_index - 1;
            }
        }
    }
    if (encode_and_send(shim, &message) != 0) {
        return RAFT_NOCONNECTION; /* libraft tries again at its next occasion */
    }
    if (message.type == RAFT_IO_APPEND_ENTRIES_RESULT) {
        shim->answered = answer;
    }
    remember(shim, &sent);
    return 0;
}

/* libraft believes that everything went out; go on where the message was cut. */
static void resume_after_cut(struct shim *shim, const struct sent *sent)
{
    struct raft *raft = shim->raft;
    int i = shim_member_index(raft, sent->to);

    if (sent->next_index != 0 && i >= 0 && raft->state == RAFT_LEADER &&
        raft->current_term == sent->term &&
        raft->leader_state.progress[i].next_index > sent->next_index) {
        raft->leader_state.progress[i].next_index = sent->next_index;
    }
}

void shim_complete_sends(struct shim *shim)
{
    while (shim->sent_first != NULL) {
        struct sent *sent = shim->sent_first;

        shim->sent_first = sent->next;
        resume_after_cut(shim, sent);
        if (sent->callback != NULL) { /* a leadership transfer has none */
            sent->callback(sent->request, 0);
        }
        mem_free(&sent);
    }
}
