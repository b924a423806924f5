/* Snapshots as manifests, and catch-up of a node that the log alone cannot help any more. */
#include "tests/unit/raft/cluster.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/wait.h>

#define ENTRIES    32 /* a snapshot every so many entries */
#define KEPT_BYTES (64 * ENTRIES)
#define COPIES_MAX 10

static size_t snapshot_files(const struct cluster *cluster, size_t i)
{
    char pattern[96];
    glob_t found;
    size_t count;

    (void)snprintf(pattern, sizeof(pattern), "%s/snapshot-*.meta", cluster->dirs[i]);
    count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

/* Commands one at a time (so each is an entry), and a mark of the leader after every few. */
static void submit_with_marks(struct cluster *cluster, size_t at, int count)
{
    struct replica *replica = &cluster->replicas[at];

    for (int k = 0; k < count; k++) {
        size_t before = done_count(replica);
        int leader;

        submit_text(replica, "x");
        UNTIL(done_count(replica) > before);
        leader = cluster_leader(cluster);
        if (k % 8 == 7 && leader >= 0) {
            struct replica *leading = &cluster->replicas[leader];

            rlog_decide_mark(leading->rlog, peek(leading, &leading->term), ENTRY_MARK);
        }
    }
}

/* What raft/snapshot does with LMDB: the whole store of one node becomes that of another. */
static void copy_store(struct replica *to, struct replica *from)
{
    (void)pthread_mutex_lock(&from->mutex);
    (void)pthread_mutex_lock(&to->mutex);
    to->applied_index = from->applied_index;
    to->time_ms = from->time_ms;
    to->incarnation_count = from->incarnation_count;
    memcpy(to->owner, from->owner, sizeof(to->owner));
    memcpy(to->nonces, from->nonces, sizeof(to->nonces));
    memcpy(to->up, from->up, sizeof(to->up));
    memcpy(to->last_seq, from->last_seq, sizeof(to->last_seq));
    memcpy(to->done, from->done, APPLIED_MAX * sizeof(*to->done));
    to->done_count = from->done_count;
    (void)pthread_mutex_unlock(&to->mutex);
    (void)pthread_mutex_unlock(&from->mutex);
}

static void start_with_kept_log(struct cluster *cluster, uint64_t copy_log_bytes)
{
    cluster_init(cluster, 3);
    cluster->snapshot_entries = ENTRIES;
    cluster->copy_log_bytes = copy_log_bytes;
    for (size_t i = 0; i < 3; i++) {
        cluster->replicas[i].answers_manifests = true;
        cluster_start(cluster, i, true);
    }
    UNTIL(cluster_leader(cluster) >= 0);
}

static void start_three(struct cluster *cluster)
{
    start_with_kept_log(cluster, 0);
}

/* Goal: a snapshot is taken at a mark, the log restarts from it, and refuses a store that is
 * behind. Method: enough entries; restart a node with its store, then with an empty one. */
static void test_manifest_and_restart(void **state)
{
    static struct cluster cluster;
    struct rlog_config config;
    struct rlog *rlog = NULL;
    const struct rlog_events none = {0};
    (void)state;

    start_three(&cluster);
    submit_with_marks(&cluster, 0, 3 * ENTRIES);
    for (size_t i = 0; i < 3; i++) {
        UNTIL(snapshot_files(&cluster, i) > 0);
    }
    cluster_stop(&cluster, 2);
    cluster_start(&cluster, 2, true);
    submit_with_marks(&cluster, 0, 10);
    UNTIL(done_count(&cluster.replicas[2]) == 3 * ENTRIES + 10);
    cluster_stop(&cluster, 2);
    config = (struct rlog_config){.node_id = 3,
                                  .raft_id = cluster.members[2].raft_id,
                                  .dir = cluster.dirs[2],
                                  .address = cluster.members[2].address,
                                  .bind = cluster.members[2].address,
                                  .ca_file = cluster.files[2].ca,
                                  .cert_file = cluster.files[2].cert,
                                  .key_file = cluster.files[2].key};
    assert_int_equal(rlog_start(&config, &none, &rlog), ERR_CORRUPT);
    assert_null(rlog);
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[0], &cluster.replicas[2]);
    cluster_deinit(&cluster);
}

/* Goal: a node too far behind for the log is asked to replace its store first, and goes on from
 * there. Method: stop a node until the others have cut their logs; install a copy when asked. */
static void test_far_behind_node_wants_a_copy(void **state)
{
    static struct cluster cluster;
    struct replica *late;
    size_t leader;
    size_t at;
    (void)state;

    start_three(&cluster);
    leader = (size_t)cluster_leader(&cluster);
    late = &cluster.replicas[(leader + 1) % 3];
    at = (leader + 2) % 3;
    submit_with_marks(&cluster, at, 10);
    UNTIL(done_count(late) == 10);
    cluster_stop(&cluster, (leader + 1) % 3);
    submit_with_marks(&cluster, at, 8 * ENTRIES);
    cluster_start(&cluster, (leader + 1) % 3, true);
    UNTIL(peek(late, &late->copy_wanted) != 0);
    cluster_stop(&cluster, (leader + 1) % 3); /* a crash during the copy: it is offered again */
    late->copy_wanted = 0;
    cluster_start(&cluster, (leader + 1) % 3, true);
    UNTIL(peek(late, &late->copy_wanted) != 0);
    rlog_copy_installed(late->rlog, 0, ERR_IO); /* a failed copy is asked for again, too */
    UNTIL(peek(late, &late->copy_count) == 3);
    submit_with_marks(&cluster, at, 10);
    copy_store(late, &cluster.replicas[at]);
    assert_true(late->applied_index >= late->copy_wanted);
    rlog_copy_installed(late->rlog, late->applied_index, 0);
    submit_with_marks(&cluster, at, 10);
    UNTIL(done_count(late) == 8 * ENTRIES + 30);
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[at], late);
    cluster_deinit(&cluster);
}

/* Answers a node that wants a copy; has it done so much? */
static bool catches_up(struct replica *late, struct replica *source, size_t count)
{
    if (peek(late, &late->copy_wanted) != 0) {
        late->copy_wanted = 0;
        copy_store(late, source);
        rlog_copy_installed(late->rlog, late->applied_index, 0);
    }
    return done_count(late) == count;
}

/* Goal: a node that stops when it has a snapshot, before the leader knows, goes on where it was:
 * the leader offers the same snapshot again, and waits minutes for what became of it. Method: stop
 * as soon as the copy is there, while the log takes the snapshot; more than once. */
static void test_an_offer_of_what_is_there_is_answered(void **state)
{
    static struct cluster cluster;
    struct replica *late;
    size_t leader;
    size_t at;
    size_t sent = 0;
    (void)state;

    start_three(&cluster);
    leader = (size_t)cluster_leader(&cluster);
    late = &cluster.replicas[(leader + 1) % 3];
    at = (leader + 2) % 3;
    cluster_stop(&cluster, (leader + 1) % 3);
    for (int round = 0; round < 5; round++) {
        submit_with_marks(&cluster, at, 8 * ENTRIES);
        sent += 8 * ENTRIES;
        cluster_start(&cluster, (leader + 1) % 3, true);
        UNTIL(peek(late, &late->copy_wanted) != 0);
        late->copy_wanted = 0;
        copy_store(late, &cluster.replicas[at]);
        rlog_copy_installed(late->rlog, late->applied_index, 0);
        cluster_stop(&cluster, (leader + 1) % 3);
        cluster_start(&cluster, (leader + 1) % 3, true);
        submit_with_marks(&cluster, at, 10);
        sent += 10;
        UNTIL(catches_up(late, &cluster.replicas[at], sent));
        cluster_stop(&cluster, (leader + 1) % 3);
    }
    cluster_stop(&cluster, leader);
    cluster_stop(&cluster, at);
    assert_same_order(&cluster.replicas[at], late);
    cluster_deinit(&cluster);
}

/* Goal: a node whose store is slow, so that its own snapshot waits and it falls behind, is caught
 * up by a copy. Method: no manifest for its snapshot, back-pressure, and more than the log holds.
 */
static void test_a_copy_comes_during_an_own_snapshot(void **state)
{
    static struct cluster cluster;
    struct replica *late;
    size_t leader;
    size_t at;
    (void)state;

    start_three(&cluster);
    leader = (size_t)cluster_leader(&cluster);
    late = &cluster.replicas[(leader + 1) % 3];
    at = (leader + 2) % 3;
    (void)pthread_mutex_lock(&late->mutex);
    late->answers_manifests = false;
    late->manifest_wanted = 0;
    (void)pthread_mutex_unlock(&late->mutex);
    submit_with_marks(&cluster, at, 2 * ENTRIES);
    UNTIL(peek(late, &late->manifest_wanted) != 0);
    rlog_set_store_full(late->rlog, true);
    submit_with_marks(&cluster, at, 8 * ENTRIES);
    rlog_set_store_full(late->rlog, false);
    UNTIL(peek(late, &late->copy_wanted) != 0);
    UNTIL(catches_up(late, &cluster.replicas[at], 10 * ENTRIES));
    submit_with_marks(&cluster, at, 10); /* what no copy brings */
    UNTIL(catches_up(late, &cluster.replicas[at], 10 * ENTRIES + 10));
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[at], late);
    cluster_deinit(&cluster);
}

static uint64_t term_of(struct replica *replica)
{
    struct rlog_status status;

    rlog_get_status(replica->rlog, &status);
    return status.term;
}

/* Goal: a copy that takes longer than the leader needs to fill its log is followed by the log, not
 * by another copy; but for one of another leader, who does not know of the first.
 * Method: copy the store when asked, install it after several snapshots' worth. */
static void test_log_is_kept_while_a_copy_is_made(void **state)
{
    static struct cluster cluster;
    struct replica *late;
    size_t leader;
    size_t at;
    uint64_t term;
    (void)state;

    start_three(&cluster);
    leader = (size_t)cluster_leader(&cluster);
    late = &cluster.replicas[(leader + 1) % 3];
    at = (leader + 2) % 3;
    term = term_of(&cluster.replicas[at]);
    cluster_stop(&cluster, (leader + 1) % 3);
    submit_with_marks(&cluster, at, 8 * ENTRIES);
    cluster_start(&cluster, (leader + 1) % 3, true);
    UNTIL(peek(late, &late->copy_wanted) != 0);
    late->copy_wanted = 0;
    copy_store(late, &cluster.replicas[at]);
    submit_with_marks(&cluster, at, 8 * ENTRIES);
    rlog_copy_installed(late->rlog, late->applied_index, 0);
    UNTIL(catches_up(late, &cluster.replicas[at], 16 * ENTRIES));
    assert_true(peek(late, &late->copy_count) == 1 || term_of(&cluster.replicas[at]) != term);
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[at], late);
    cluster_deinit(&cluster);
}

/* Goal: a node is caught up at last, though the log outruns its first copies under steady load.
 * Method: a small bound of the log; while each copy is made, as much comes as several snapshots
 * take. */
static void test_copies_in_vain_come_to_an_end(void **state)
{
    static struct cluster cluster;
    struct replica *late;
    size_t leader;
    size_t at;
    uint64_t copies = 0;
    size_t sent = 8 * ENTRIES;
    (void)state;

    start_with_kept_log(&cluster, KEPT_BYTES);
    leader = (size_t)cluster_leader(&cluster);
    late = &cluster.replicas[(leader + 1) % 3];
    at = (leader + 2) % 3;
    cluster_stop(&cluster, (leader + 1) % 3);
    submit_with_marks(&cluster, at, 8 * ENTRIES);
    cluster_start(&cluster, (leader + 1) % 3, true);
    do {
        UNTIL(peek(late, &late->copy_count) > copies || done_count(late) == sent);
        if (peek(late, &late->copy_count) > copies) {
            assert_int_equal(peek(late, &late->copy_count), ++copies);
            assert_true(copies <= COPIES_MAX);
            copy_store(late, &cluster.replicas[at]);
            submit_with_marks(&cluster, at, 8 * ENTRIES);
            sent += 8 * ENTRIES;
            rlog_copy_installed(late->rlog, late->applied_index, 0);
        }
    } while (done_count(late) < sent);
    assert_true(copies > 1); /* or nothing was in vain */
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[at], late);
    cluster_deinit(&cluster);
}

/* The newest closed segment; "first-last" is its name. */
static void find_closed_segment(const char *dir, char *path, size_t size)
{
    glob_t found;

    (void)snprintf(path, size, "%s/[0-9]*-[0-9]*", dir);
    assert_int_equal(glob(path, 0, NULL, &found), 0);
    (void)snprintf(path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static void flip_byte(const char *path, long offset)
{
    FILE *file = fopen(path, "r+b");
    int byte;

    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    byte = fgetc(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 0xff, file), byte ^ 0xff);
    assert_int_equal(fclose(file), 0);
}

static int start_again(const struct cluster *cluster, uint64_t applied_index)
{
    const struct rlog_events none = {0};
    const struct rlog_config config = {.node_id = 1,
                                       .raft_id = cluster->members[0].raft_id,
                                       .dir = cluster->dirs[0],
                                       .address = cluster->members[0].address,
                                       .bind = cluster->members[0].address,
                                       .ca_file = cluster->files[0].ca,
                                       .cert_file = cluster->files[0].cert,
                                       .key_file = cluster->files[0].key,
                                       .applied_index = applied_index};
    struct rlog *rlog = NULL;

    return rlog_start(&config, &none, &rlog);
}

/* Goal: a damaged log is not shortened in silence: a voter would forget what it acknowledged
 * (defect 13). Method: change a byte of a closed segment; the node must not start, and not touch
 * it. */
static void test_a_damaged_log_is_refused(void **state)
{
    static struct cluster cluster;
    char path[SCRATCH_BYTES + 256];
    pid_t child;
    int status;
    (void)state;

    cluster_init(&cluster, 1);
    cluster_start(&cluster, 0, true);
    for (int k = 0; k < 50; k++) {
        submit_text(&cluster.replicas[0], "kept");
    }
    UNTIL(done_count(&cluster.replicas[0]) == 50);
    cluster_stop(&cluster, 0);

    find_closed_segment(cluster.dirs[0], path, sizeof(path));
    flip_byte(path, 1000);
    child = fork(); /* libraft loses memory when it cannot load; the process ends then anyway */
    assert_true(child >= 0);
    if (child == 0) {
        _exit(start_again(&cluster, 0) == ERR_CORRUPT ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(access(path, F_OK), 0);
    cluster_deinit(&cluster);
}

/* Goal: a log that lost its end is not taken for a short one: a voter would forget what it
 * acknowledged, which its own store proves. Method: remove the newest segment, as if its first
 * batch were damaged; the node must not start, unless its store holds nothing of it. */
static void test_a_lost_tail_is_refused(void **state)
{
    static struct cluster cluster;
    struct replica *replica = &cluster.replicas[0];
    char path[SCRATCH_BYTES + 256];
    uint64_t kept_index = 0;
    (void)state;

    cluster_init(&cluster, 1);
    for (size_t life = 1; life <= 2; life++) { /* a stop closes a segment */
        kept_index = replica->applied_index;
        cluster_start(&cluster, 0, true);
        submit_text(replica, "x");
        UNTIL(done_count(replica) == life);
        cluster_stop(&cluster, 0);
    }
    find_closed_segment(cluster.dirs[0], path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(start_again(&cluster, replica->applied_index), ERR_CORRUPT);
    replica->applied_index = kept_index;
    cluster_start(&cluster, 0, true);
    cluster_deinit(&cluster);
}

/* Goal: a crash between the swap of a copy and the stored snapshot loses nothing, and is not taken
 * for a lost tail, not for longer than it must. Method: stop the node there; it starts, catches up,
 * and forgets that its store was ahead of its log. */
static void test_a_copy_may_be_ahead_of_the_log(void **state)
{
    static struct cluster cluster;
    char mark[SCRATCH_BYTES + 16];
    struct replica *late;
    size_t leader;
    size_t victim;
    size_t at;
    (void)state;

    start_three(&cluster);
    leader = (size_t)cluster_leader(&cluster);
    victim = (leader + 1) % 3;
    late = &cluster.replicas[victim];
    at = (leader + 2) % 3;
    (void)snprintf(mark, sizeof(mark), "%s/copied", cluster.dirs[victim]);
    cluster_stop(&cluster, victim);
    submit_with_marks(&cluster, at, 8 * ENTRIES);
    cluster_start(&cluster, victim, true);
    UNTIL(peek(late, &late->copy_wanted) != 0);
    assert_int_equal(access(mark, F_OK), 0);
    copy_store(late, &cluster.replicas[at]);
    cluster_stop(&cluster, victim);
    late->copy_wanted = 0; /* that one is there; another is wanted if the log was cut meanwhile */
    cluster_start(&cluster, victim, true);
    submit_with_marks(&cluster, at, 10);
    UNTIL(catches_up(late, &cluster.replicas[at], 8 * ENTRIES + 10));
    UNTIL(access(mark, F_OK) != 0);
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[at], late);
    cluster_deinit(&cluster);
}

/* Goal: defect 39: a crash while the log is cut leaves no node that does not start, and loses
 * nothing. Method: what raft_uv leaves then: a segment, and its begin as one of its own. */
static void test_a_crash_during_a_cut(void **state)
{
    static struct cluster cluster;
    struct replica *replica = &cluster.replicas[0];
    char path[SCRATCH_BYTES + 256];
    char shorter[SCRATCH_BYTES + 512];
    unsigned long long first;
    unsigned long long last;
    (void)state;

    cluster_init(&cluster, 1);
    for (size_t life = 1; life <= 2; life++) {
        cluster_start(&cluster, 0, true);
        submit_text(replica, "x");
        submit_text(replica, "x");
        UNTIL(done_count(replica) == 2 * life);
        cluster_stop(&cluster, 0);
    }
    find_closed_segment(cluster.dirs[0], path, sizeof(path));
    assert_int_equal(sscanf(strrchr(path, '/'), "/%llu-%llu", &first, &last), 2);
    assert_true(last > first);
    (void)snprintf(shorter, sizeof(shorter), "%s/%016llu-%016llu", cluster.dirs[0], first,
                   last - 1);
    assert_int_equal(link(path, shorter), 0);
    cluster_start(&cluster, 0, true);
    assert_int_not_equal(access(shorter, F_OK), 0);
    submit_text(replica, "x");
    UNTIL(done_count(replica) == 5);
    cluster_deinit(&cluster);
}

/* Each file of a folder whose name matches goes into another one, or away (to NULL). */
static void move_files(const char *pattern, const char *to)
{
    char path[2 * SCRATCH_BYTES + 256];
    glob_t found;

    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            if (to == NULL) {
                assert_int_equal(unlink(found.gl_pathv[i]), 0);
            } else {
                (void)snprintf(path, sizeof(path), "%s%s", to, strrchr(found.gl_pathv[i], '/'));
                (void)unlink(path);
                assert_int_equal(link(found.gl_pathv[i], path), 0);
            }
        }
    }
    globfree(&found);
}

/* What a crash leaves between the store of the snapshot and the removal of the segments that it
 * stands for: those of before, `aside`, and open ones that are not used yet. */
static void put_back(const char *dir, const char *aside)
{
    char path[SCRATCH_BYTES + 256];
    int file;

    (void)snprintf(path, sizeof(path), "%s/[0-9]*-[0-9]*", dir);
    move_files(path, NULL);
    (void)snprintf(path, sizeof(path), "%s/*", aside);
    move_files(path, dir);
    (void)snprintf(path, sizeof(path), "%s/open-1", dir);
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, 65536), 0);
    assert_int_equal(close(file), 0);
}

/* Goal: defect 38: a crash while the snapshot of a copy is stored leaves no node that does not
 * start. Method: a node gets a copy and stops; the segments of before are put back; it starts and
 * catches up. */
static void test_a_crash_before_segments_are_removed(void **state)
{
    static struct cluster cluster;
    char aside[SCRATCH_BYTES];
    char pattern[SCRATCH_BYTES + 64];
    struct replica *late;
    size_t leader;
    size_t victim;
    size_t at;
    (void)state;

    scratch_folder(aside, "aside");
    start_three(&cluster);
    leader = (size_t)cluster_leader(&cluster);
    victim = (leader + 1) % 3;
    late = &cluster.replicas[victim];
    at = (leader + 2) % 3;
    submit_with_marks(&cluster, at, 10);
    UNTIL(done_count(late) == 10);
    cluster_stop(&cluster, victim);
    (void)snprintf(pattern, sizeof(pattern), "%s/[0-9]*-[0-9]*", cluster.dirs[victim]);
    move_files(pattern, aside);
    submit_with_marks(&cluster, at, 8 * ENTRIES);
    cluster_start(&cluster, victim, true);
    UNTIL(peek(late, &late->copy_wanted) != 0);
    (void)snprintf(pattern, sizeof(pattern), "%s/copied", cluster.dirs[victim]);
    move_files(pattern, aside);
    UNTIL(catches_up(late, &cluster.replicas[at], 8 * ENTRIES + 10));
    UNTIL(snapshot_files(&cluster, victim) > 0);
    cluster_stop(&cluster, victim);
    put_back(cluster.dirs[victim], aside);
    cluster_start(&cluster, victim, true);
    submit_with_marks(&cluster, at, 10);
    UNTIL(catches_up(late, &cluster.replicas[at], 8 * ENTRIES + 20));
    for (size_t i = 0; i < 3; i++) {
        cluster_stop(&cluster, i);
    }
    assert_same_order(&cluster.replicas[at], late);
    remove_dir(aside);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest_and_restart),
        cmocka_unit_test(test_far_behind_node_wants_a_copy),
        cmocka_unit_test(test_an_offer_of_what_is_there_is_answered),
        cmocka_unit_test(test_a_copy_comes_during_an_own_snapshot),
        cmocka_unit_test(test_log_is_kept_while_a_copy_is_made),
        cmocka_unit_test(test_copies_in_vain_come_to_an_end),
        cmocka_unit_test(test_a_damaged_log_is_refused),
        cmocka_unit_test(test_a_lost_tail_is_refused),
        cmocka_unit_test(test_a_crash_during_a_cut),
        cmocka_unit_test(test_a_copy_may_be_ahead_of_the_log),
        cmocka_unit_test(test_a_crash_before_segments_are_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
