/* cluster - three rlogs in one process for tests: own directories, 127.0.0.1 ports, certificates,
 * and a small replica each that applies entries as storage/state does (START, next seq only). */
#ifndef TESTS_UNIT_RAFT_CLUSTER_H
#define TESTS_UNIT_RAFT_CLUSTER_H

#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "node/base/mem.h"
#include "raft/log/rlog.h"
#include "tests/lib/loopback.h"
#include "tests/lib/pki/pki.h"
#include "tests/lib/scratch.h"

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES_MAX    4
#define APPLIED_MAX  20000
#define INC_MAX      64
#define COMMAND_DATA 16

/* One command that took effect. */
struct done_command {
    uint64_t incarnation;
    uint64_t seq;
    char data[COMMAND_DATA];
};

/* What a node holds durably in this test: survives stop and start of its rlog. */
struct replica {
    pthread_mutex_t mutex;
    struct rlog *rlog;
    uint32_t node_id;
    uint64_t nonce;
    uint64_t applied_index;
    uint64_t time_ms;
    uint64_t incarnation_count;
    uint64_t incarnation; /* own */
    uint32_t owner[INC_MAX];
    uint64_t nonces[INC_MAX];
    bool up[INC_MAX];
    uint64_t last_seq[INC_MAX];
    struct done_command *done;
    size_t done_count;
    uint64_t marks;
    uint64_t manifest_wanted;
    uint64_t copy_wanted;
    uint64_t copy_count;
    uint64_t silent_count;
    uint64_t silent_node;
    bool is_leader;
    uint32_t leader_node;
    uint64_t term;
    uint64_t hash_index, hash;
    bool order_broken;
    bool answers_manifests;
};

struct cluster {
    struct pki *pki;
    struct pki_files files[NODES_MAX];
    struct rlog_member members[NODES_MAX];
    char dirs[NODES_MAX][SCRATCH_BYTES];
    struct replica replicas[NODES_MAX];
    size_t count;
    uint32_t snapshot_entries;
    uint64_t copy_log_bytes;
    uint32_t lease_ms[NODES_MAX]; /* 0: the default */
};

static inline uint64_t nonce_of(struct slice bytes)
{
    return get_u64(bytes.data + 5);
}

static inline void replica_start(struct replica *replica, struct slice bytes)
{
    uint32_t node = get_u32(bytes.data + 1);
    uint64_t i;

    for (i = 1; i <= replica->incarnation_count; i++) {
        if (replica->nonces[i] == nonce_of(bytes)) {
            return;
        }
        if (replica->owner[i] == node) {
            replica->up[i] = false;
        }
    }
    replica->incarnation_count = i;
    assert_true(i < INC_MAX);
    replica->owner[i] = node;
    replica->nonces[i] = nonce_of(bytes);
    replica->up[i] = true;
    rlog_node_incarnation(replica->rlog, node, i);
    if (node == replica->node_id && nonce_of(bytes) == replica->nonce) {
        replica->incarnation = i;
        rlog_set_incarnation(replica->rlog, i);
    }
}

static inline void replica_end(struct replica *replica, uint64_t incarnation)
{
    if (incarnation < INC_MAX && replica->up[incarnation]) {
        replica->up[incarnation] = false;
        rlog_node_incarnation(replica->rlog, replica->owner[incarnation], 0);
    }
}

static inline void replica_command(struct replica *replica, const struct entry_command *command)
{
    uint64_t incarnation = command->incarnation;
    struct done_command *done;

    if (incarnation == 0) {
        if (command->bytes.data[0] == 'S') {
            replica_start(replica, command->bytes);
        } else {
            replica_end(replica, get_u64(command->bytes.data + 1));
        }
        return;
    }
    if (!replica->up[incarnation] || command->seq <= replica->last_seq[incarnation]) {
        return;
    }
    if (command->seq > replica->last_seq[incarnation] + 1) {
        if (incarnation == replica->incarnation) {
            rlog_resend(replica->rlog, replica->last_seq[incarnation] + 1);
        }
        return;
    }
    replica->last_seq[incarnation] = command->seq;
    assert_true(replica->done_count < APPLIED_MAX);
    done = &replica->done[replica->done_count++];
    done->incarnation = incarnation;
    done->seq = command->seq;
    (void)snprintf(done->data, sizeof(done->data), "%.*s", (int)command->bytes.len - 1,
                   (const char *)command->bytes.data + 1);
}

static inline void replica_entry(struct replica *replica, struct slice bytes)
{
    struct entry_reader reader;
    struct entry_command command;

    assert_int_equal(entry_open(bytes, &reader), 0);
    replica->order_broken |= reader.stamp.time_ms < replica->time_ms;
    replica->time_ms = reader.stamp.time_ms;
    replica->marks += reader.kind == ENTRY_MARK ? 1 : 0;
    while (entry_next(&reader, &command) == 1) {
        replica_command(replica, &command);
    }
}

static inline void on_entry_take(void *ctx, uint64_t index, uint64_t term, struct blob *entry)
{
    struct replica *replica = ctx;

    (void)term;
    (void)pthread_mutex_lock(&replica->mutex);
    replica->order_broken |= index != replica->applied_index + 1;
    replica->applied_index = index;
    if (entry != NULL) {
        replica_entry(replica, blob_slice(entry));
    }
    rlog_applied(replica->rlog, index,
                 replica->incarnation == 0 ? 0 : replica->last_seq[replica->incarnation]);
    (void)pthread_mutex_unlock(&replica->mutex);
    blob_unref(&entry);
}

static inline void on_role(void *ctx, bool is_leader, uint32_t leader_node, uint64_t term)
{
    struct replica *replica = ctx;

    (void)pthread_mutex_lock(&replica->mutex);
    replica->is_leader = is_leader;
    replica->leader_node = leader_node;
    replica->term = term;
    (void)pthread_mutex_unlock(&replica->mutex);
}

/* As ha would: end the incarnation of a silent node. */
static inline void on_silent(void *ctx, uint32_t node_id, uint64_t incarnation)
{
    struct replica *replica = ctx;
    uint8_t command[9] = {'E'};

    (void)pthread_mutex_lock(&replica->mutex);
    replica->silent_count++;
    replica->silent_node = node_id;
    for (int i = 0; i < 8; i++) {
        command[1 + i] = (uint8_t)(incarnation >> (56 - 8 * i));
    }
    rlog_decide(replica->rlog, replica->term, slice_make(command, sizeof(command)));
    (void)pthread_mutex_unlock(&replica->mutex);
}

static inline void on_hash(void *ctx, uint32_t node_id, uint64_t mark_index, uint64_t hash)
{
    struct replica *replica = ctx;

    (void)node_id;
    (void)pthread_mutex_lock(&replica->mutex);
    replica->hash_index = mark_index;
    replica->hash = hash;
    (void)pthread_mutex_unlock(&replica->mutex);
}

static inline void on_manifest_wanted(void *ctx, uint64_t index)
{
    struct replica *replica = ctx;

    (void)pthread_mutex_lock(&replica->mutex);
    replica->manifest_wanted = index;
    if (replica->answers_manifests) {
        rlog_manifest_ready(replica->rlog, index, 7, 0);
    }
    (void)pthread_mutex_unlock(&replica->mutex);
}

static inline void on_copy_wanted(void *ctx, uint32_t from_node, uint64_t index_min)
{
    struct replica *replica = ctx;

    (void)from_node;
    (void)pthread_mutex_lock(&replica->mutex);
    replica->copy_wanted = index_min;
    replica->copy_count++;
    (void)pthread_mutex_unlock(&replica->mutex);
}

static inline int remove_entry(const char *path, const struct stat *status, int kind,
                               struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void remove_dir(const char *dir)
{
    (void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void cluster_init(struct cluster *cluster, size_t count)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as musterd does: a node that ends closes its links */
    *cluster = (struct cluster){.pki = pki_new(), .count = count};
    for (size_t i = 0; i < NODES_MAX; i++) {
        struct rlog_member *member = &cluster->members[i];
        struct replica *replica = &cluster->replicas[i];
        char name[16];

        (void)snprintf(name, sizeof(name), "node-%zu", i + 1);
        pki_issue(cluster->pki, 1, name, NULL, &cluster->files[i]);
        member->node_id = (uint32_t)i + 1;
        member->raft_id = (uint64_t)(i + 1) << 32 | 1;
        member->role = RLOG_VOTER;
        loopback_next(member->address, sizeof(member->address));
        scratch_folder(cluster->dirs[i], "raft");
        (void)pthread_mutex_init(&replica->mutex, NULL);
        replica->node_id = member->node_id;
        replica->done = mem_zalloc(APPLIED_MAX * sizeof(*replica->done));
    }
}

static inline void send_start(struct replica *replica)
{
    struct buf command = BUF_EMPTY;

    (void)pthread_mutex_lock(&replica->mutex);
    replica->nonce = random_u64();
    replica->incarnation = 0;
    buf_append_u8(&command, 'S');
    buf_append_u32(&command, replica->node_id);
    buf_append_u64(&command, replica->nonce);
    rlog_submit_start(replica->rlog, buf_slice(&command));
    (void)pthread_mutex_unlock(&replica->mutex);
    buf_deinit(&command);
}

/* Start node i (from 0): with the bootstrap members, or to be added to a cluster later. */
static inline void cluster_start(struct cluster *cluster, size_t i, bool bootstrap)
{
    struct replica *replica = &cluster->replicas[i];
    const struct rlog_config config = {
        .node_id = cluster->members[i].node_id,
        .raft_id = cluster->members[i].raft_id,
        .dir = cluster->dirs[i],
        .address = cluster->members[i].address,
        .bind = cluster->members[i].address,
        .ca_file = cluster->files[i].ca,
        .cert_file = cluster->files[i].cert,
        .key_file = cluster->files[i].key,
        .bootstrap = bootstrap ? cluster->members : NULL,
        .bootstrap_count = bootstrap ? cluster->count : 0,
        .peers = cluster->members,
        .peer_count = cluster->count,
        .applied_index = replica->applied_index,
        .applied_time_ms = replica->time_ms,
        .snapshot_entries = cluster->snapshot_entries,
        .copy_log_bytes = cluster->copy_log_bytes,
        .lease_ms = cluster->lease_ms[i],
    };
    const struct rlog_events events = {
        .ctx = replica,
        .on_entry_take = on_entry_take,
        .on_role = on_role,
        .on_silent = on_silent,
        .on_hash = on_hash,
        .on_manifest_wanted = on_manifest_wanted,
        .on_copy_wanted = on_copy_wanted,
    };

    (void)pthread_mutex_lock(&replica->mutex);
    assert_int_equal(rlog_start(&config, &events, &replica->rlog), 0);
    for (uint64_t k = 1; k <= replica->incarnation_count; k++) {
        if (replica->up[k]) {
            rlog_node_incarnation(replica->rlog, replica->owner[k], k);
        }
    }
    (void)pthread_mutex_unlock(&replica->mutex);
    send_start(replica);
}

static inline void cluster_stop(struct cluster *cluster, size_t i)
{
    if (cluster->replicas[i].rlog != NULL) {
        rlog_stop(&cluster->replicas[i].rlog);
        cluster->replicas[i].is_leader = false;
    }
}

static inline void cluster_deinit(struct cluster *cluster)
{
    for (size_t i = 0; i < NODES_MAX; i++) {
        cluster_stop(cluster, i);
        remove_dir(cluster->dirs[i]);
        mem_free(&cluster->replicas[i].done);
        (void)pthread_mutex_destroy(&cluster->replicas[i].mutex);
    }
    pki_free(&cluster->pki);
}

/* Until(condition): waits for it, at most this long. */
#define WAIT_MS 20000
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t until_ends_ms = clock_mono_ms() + WAIT_MS;                                        \
        while (!(condition)) {                                                                     \
            if (clock_mono_ms() > until_ends_ms) {                                                 \
                fail_msg("waited in vain for %s", #condition);                                     \
            }                                                                                      \
            (void)usleep(2000);                                                                    \
        }                                                                                          \
    } while (0)

/* The running node that leads, -1 when none does. */
static inline int cluster_leader(struct cluster *cluster)
{
    int leader = -1;

    for (size_t i = 0; i < NODES_MAX; i++) {
        struct replica *replica = &cluster->replicas[i];

        (void)pthread_mutex_lock(&replica->mutex);
        if (replica->rlog != NULL && replica->is_leader) {
            leader = (int)i;
        }
        (void)pthread_mutex_unlock(&replica->mutex);
    }
    return leader;
}

static inline size_t done_count(struct replica *replica)
{
    size_t count;

    (void)pthread_mutex_lock(&replica->mutex);
    count = replica->done_count;
    (void)pthread_mutex_unlock(&replica->mutex);
    return count;
}

/* A number of a running replica. */
static inline uint64_t peek(struct replica *replica, const uint64_t *number)
{
    uint64_t value;

    (void)pthread_mutex_lock(&replica->mutex);
    value = *number;
    (void)pthread_mutex_unlock(&replica->mutex);
    return value;
}

/* Submit "D<text>", waiting while the log says that it is busy. */
static inline void submit_text(struct replica *replica, const char *text)
{
    char command[COMMAND_DATA + 1];

    (void)snprintf(command, sizeof(command), "D%s", text);
    UNTIL(rlog_submit(replica->rlog, slice_str(command)) == 0);
}

static inline void assert_same_order(const struct replica *a, const struct replica *b)
{
    assert_int_equal(a->done_count, b->done_count);
    for (size_t i = 0; i < a->done_count; i++) {
        assert_int_equal(a->done[i].incarnation, b->done[i].incarnation);
        assert_int_equal(a->done[i].seq, b->done[i].seq);
        assert_string_equal(a->done[i].data, b->done[i].data);
    }
    assert_false(a->order_broken);
    assert_false(b->order_broken);
}

#endif
