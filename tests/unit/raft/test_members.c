/* Changes of the membership on a running cluster. */
#include "raft/shim/wire.h"
#include "tests/unit/raft/cluster.h"

#include <sys/stat.h>

/* More than one AppendEntries takes, so that what is known between two of them is acted on. */
#define MESSAGE_ENTRIES (WIRE_ENTRIES_MAX + 10)
#define NEWEST_MARK     200

/* The answer to a change; lives until it came. */
struct answer {
    pthread_mutex_t mutex;
    bool given;
    int status;
};

static void on_answer(void *ctx, int status)
{
    struct answer *answer = ctx;

    (void)pthread_mutex_lock(&answer->mutex);
    answer->given = true;
    answer->status = status;
    (void)pthread_mutex_unlock(&answer->mutex);
}

static bool is_given(struct answer *answer)
{
    bool given;

    (void)pthread_mutex_lock(&answer->mutex);
    given = answer->given;
    (void)pthread_mutex_unlock(&answer->mutex);
    return given;
}

static int wait_for(struct answer *answer)
{
    UNTIL(is_given(answer));
    answer->given = false;
    return answer->status;
}

static struct answer answer = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int add(struct cluster *cluster, size_t at, size_t i)
{
    rlog_member_add(cluster->replicas[at].rlog, &cluster->members[i], on_answer, &answer);
    return wait_for(&answer);
}

static int assign(struct cluster *cluster, size_t at, size_t i, enum rlog_role role)
{
    rlog_member_assign(cluster->replicas[at].rlog, cluster->members[i].raft_id, role, on_answer,
                       &answer);
    return wait_for(&answer);
}

static int remove_member(struct cluster *cluster, size_t at, size_t i)
{
    rlog_member_remove(cluster->replicas[at].rlog, cluster->members[i].raft_id, on_answer, &answer);
    return wait_for(&answer);
}

static void submit_many(struct cluster *cluster, size_t at, int count)
{
    for (int k = 0; k < count; k++) {
        submit_text(&cluster->replicas[at], "x");
    }
}

/* Three voters; the one that leads. */
static int start_three(struct cluster *cluster)
{
    int leader;

    cluster_init(cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        cluster_start(cluster, i, true);
    }
    UNTIL((leader = cluster_leader(cluster)) >= 0);
    return leader;
}

/* The picture that a replica has of another node; NULL: none. Until the next call. */
static const struct rlog_peer_status *look_at(struct replica *replica, uint32_t node_id)
{
    static struct rlog_status status;

    rlog_get_status(replica->rlog, &status);
    for (size_t i = 0; i < status.peer_count; i++) {
        if (status.peers[i].node_id == node_id) {
            return &status.peers[i];
        }
    }
    return NULL;
}

static bool is_linked(struct replica *replica, uint32_t node_id)
{
    const struct rlog_peer_status *peer = look_at(replica, node_id);

    return peer != NULL && peer->connected;
}

/* Goal: a node whose membership was taken back, never committed, is added again under the same id
 * and has all its links. Method: a leader alone writes the change and loses its power; the others
 * go on, it comes back and takes the change back, and the change is asked for again. */
static void test_an_add_that_was_taken_back(void **state)
{
    static struct cluster cluster;
    struct answer lost = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct replica *old;
    size_t leader;
    size_t a;
    size_t b;
    (void)state;

    cluster_init(&cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        cluster_start(&cluster, i, true);
    }
    UNTIL(cluster_leader(&cluster) >= 0);
    leader = (size_t)cluster_leader(&cluster);
    old = &cluster.replicas[leader];
    a = (leader + 1) % 3;
    b = (leader + 2) % 3;
    UNTIL(rlog_lease_held(cluster.replicas[a].rlog) && rlog_lease_held(cluster.replicas[b].rlog));
    cluster_stop(&cluster, a);
    cluster_stop(&cluster, b);
    rlog_member_add(old->rlog, &cluster.members[3], on_answer, &lost);
    UNTIL(look_at(old, 4) != NULL);
    cluster_stop(&cluster, leader);
    cluster_start(&cluster, a, true);
    cluster_start(&cluster, b, true);
    UNTIL(cluster_leader(&cluster) >= 0);
    submit_many(&cluster, a, 5);
    UNTIL(done_count(&cluster.replicas[b]) == 5);
    cluster_start(&cluster, leader, true);
    UNTIL(done_count(old) == 5);
    UNTIL(look_at(old, 4) == NULL);
    cluster_start(&cluster, 3, false);
    assert_int_equal(add(&cluster, a, 3), 0);
    for (size_t i = 0; i < 3; i++) {
        UNTIL(is_linked(&cluster.replicas[i], 4));
    }
    for (size_t i = 0; i < 4; i++) {
        cluster_stop(&cluster, i);
    }
    cluster_deinit(&cluster);
}

/* Goal: a node joins an existing cluster, serves as voter, and another leaves; asked at any node.
 * Method: three nodes with commands, a fourth joins as spare, standby, voter; the first leaves; the
 * commands must be everywhere, and an ask repeated changes nothing. */
static void test_join_and_leave(void **state)
{
    static struct cluster cluster;
    struct rlog_status status;
    int leader;
    size_t follower;
    (void)state;

    leader = start_three(&cluster);
    follower = (size_t)(leader + 1) % 3;
    submit_many(&cluster, follower, 100);
    cluster_start(&cluster, 3, false);

    assert_int_equal(assign(&cluster, follower, 3, RLOG_VOTER), ERR_NOT_FOUND);
    assert_int_equal(add(&cluster, follower, 3), 0);
    assert_int_equal(add(&cluster, (size_t)leader, 3), 0);
    assert_int_equal(assign(&cluster, follower, 3, RLOG_STANDBY), 0);
    assert_int_equal(assign(&cluster, follower, 3, RLOG_VOTER), 0);
    UNTIL(done_count(&cluster.replicas[3]) == 100);
    submit_many(&cluster, 3, 50);
    for (size_t i = 0; i < 4; i++) {
        UNTIL(done_count(&cluster.replicas[i]) == 150);
        UNTIL(rlog_lease_held(cluster.replicas[i].rlog));
    }

    assert_int_equal(remove_member(&cluster, 3, (size_t)leader), 0);
    UNTIL(cluster_leader(&cluster) >= 0 && cluster_leader(&cluster) != leader);
    assert_int_equal(remove_member(&cluster, 3, (size_t)leader), 0);
    UNTIL(!rlog_lease_held(cluster.replicas[leader].rlog));
    submit_many(&cluster, 3, 10);
    UNTIL(done_count(&cluster.replicas[follower]) == 160);
    UNTIL((rlog_get_status(cluster.replicas[3].rlog, &status), status.peer_count == 3));
    for (size_t i = 0; i < 4; i++) {
        cluster_stop(&cluster, i);
    }
    UNTIL(done_count(&cluster.replicas[3]) == 160);
    assert_same_order(&cluster.replicas[3], &cluster.replicas[follower]);
    cluster_deinit(&cluster);
}

/* The followers of a leader among three. */
static void pick_followers(int leader, size_t *one_out, size_t *other_out)
{
    *one_out = (size_t)(leader + 1) % 3;
    *other_out = (size_t)(leader + 2) % 3;
}

/* Goal: no change leaves the cluster without a majority that answers: it could never commit again.
 * Method: of three voters one is dead, so neither the other follower nor the leader may go; the
 * dead one may, the last voter may not, in both ways. A dead standby that lacks nothing may not
 * become a voter beside the only one. */
static void test_unsafe_changes(void **state)
{
    static struct cluster cluster;
    struct rlog_status status;
    int leader;
    size_t alive;
    size_t dead;
    (void)state;

    leader = start_three(&cluster);
    pick_followers(leader, &alive, &dead);
    UNTIL(rlog_lease_held(cluster.replicas[alive].rlog));
    cluster_stop(&cluster, dead);
    (void)usleep(1500 * 1000); /* until what it answered last does not count any more */
    assert_int_equal(remove_member(&cluster, alive, alive), ERR_NO_MAJORITY);
    assert_int_equal(remove_member(&cluster, alive, (size_t)leader), ERR_NO_MAJORITY);
    assert_int_equal(assign(&cluster, alive, alive, RLOG_STANDBY), ERR_NO_MAJORITY);
    assert_int_equal(assign(&cluster, alive, (size_t)leader, RLOG_STANDBY), ERR_NO_MAJORITY);
    submit_many(&cluster, alive, 10);
    UNTIL(done_count(&cluster.replicas[alive]) == 10);

    assert_int_equal(remove_member(&cluster, alive, dead), 0);
    assert_int_equal(assign(&cluster, alive, alive, RLOG_STANDBY), 0);
    assert_int_equal(assign(&cluster, alive, (size_t)leader, RLOG_STANDBY), ERR_NOT_ALLOWED);
    assert_int_equal(remove_member(&cluster, alive, (size_t)leader), ERR_NOT_ALLOWED);
    UNTIL((rlog_get_status(cluster.replicas[alive].rlog, &status),
           status.applied_index == status.last_index));
    cluster_stop(&cluster, alive);
    (void)usleep(1500 * 1000);
    assert_int_equal(assign(&cluster, (size_t)leader, alive, RLOG_VOTER), ERR_NO_MAJORITY);
    cluster_deinit(&cluster);
}

static enum rlog_role role_of(struct cluster *cluster, size_t at, size_t i)
{
    struct rlog_status status;

    rlog_get_status(cluster->replicas[at].rlog, &status);
    for (size_t k = 0; k < status.peer_count; k++) {
        if (status.peers[k].raft_id == cluster->members[i].raft_id) {
            return status.peers[k].role;
        }
    }
    return RLOG_SPARE;
}

/* Stop a node, take all it has, start it as one that waits to be added. */
static void wipe(struct cluster *cluster, size_t i)
{
    struct replica *replica = &cluster->replicas[i];

    cluster_stop(cluster, i);
    remove_dir(cluster->dirs[i]);
    assert_int_equal(mkdir(cluster->dirs[i], 0700), 0);
    replica->applied_index = 0;
    replica->time_ms = 0;
    replica->incarnation_count = 0;
    (void)memset(replica->last_seq, 0, sizeof(replica->last_seq));
    cluster_start(cluster, i, false);
}

/* Three founders, and a fourth member that joined and became a voter. */
static void start_four(struct cluster *cluster)
{
    cluster_init(cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        cluster_start(cluster, i, true);
    }
    UNTIL(cluster_leader(cluster) >= 0);
    cluster_start(cluster, 3, false);
    assert_int_equal(add(cluster, 0, 3), 0);
    assert_int_equal(assign(cluster, 0, 3, RLOG_VOTER), 0);
    for (size_t i = 0; i < 3; i++) {
        UNTIL(role_of(cluster, i, 3) == RLOG_VOTER);
    }
}

/* For a second nobody takes it for a member: it gets no entry and no lease. */
static void expect_shut_out(struct replica *wiped)
{
    const uint64_t end_ms = clock_mono_ms() + 1000;
    struct rlog_status status;

    while (clock_mono_ms() < end_ms) {
        rlog_get_status(wiped->rlog, &status);
        assert_int_equal(status.last_index, 0);
        assert_false(rlog_lease_held(wiped->rlog));
        (void)usleep(10 * 1000);
    }
}

/* Goal: a voter whose disk is lost is not taken back under its raft id: it would vote a second
 * time. Under a new one it is welcome. Method: a node that joined and became a voter is wiped and
 * started with the identity that it had. */
static void test_wiped_voter_is_refused(void **state)
{
    static struct cluster cluster;
    struct replica *wiped = &cluster.replicas[3];
    (void)state;

    start_four(&cluster);
    wipe(&cluster, 3);
    expect_shut_out(wiped);

    assert_int_equal(remove_member(&cluster, 0, 3), 0);
    cluster.members[3].raft_id++;
    wipe(&cluster, 3);
    assert_int_equal(add(&cluster, 0, 3), 0);
    assert_int_equal(assign(&cluster, 0, 3, RLOG_VOTER), 0);
    UNTIL(rlog_lease_held(wiped->rlog));
    cluster_deinit(&cluster);
}

/* Goal: a voter that was made a standby while it was away, and lost its disk meanwhile, is not
 * taken back under its raft id either: it could be a voter again. Method: as above, but that it is
 * demoted first; the state's word says that it has had a vote. */
static void test_wiped_former_voter_is_refused(void **state)
{
    static struct cluster cluster;
    struct replica *wiped = &cluster.replicas[3];
    (void)state;

    start_four(&cluster);
    for (size_t i = 0; i < 3; i++) {
        rlog_node_voted(cluster.replicas[i].rlog, cluster.members[3].node_id,
                        cluster.members[3].raft_id);
    }
    cluster_stop(&cluster, 3);
    assert_int_equal(assign(&cluster, 0, 3, RLOG_STANDBY), 0);
    for (size_t i = 0; i < 3; i++) {
        UNTIL(role_of(&cluster, i, 3) == RLOG_STANDBY);
    }
    cluster_start(&cluster, 3, false);
    UNTIL(rlog_lease_held(wiped->rlog)); /* it kept its log */
    wipe(&cluster, 3);
    expect_shut_out(wiped);
    cluster_deinit(&cluster);
}

/* Goal: a leader that is demoted hands leadership on first, and comes to be a standby.
 * Method: ask at the leader itself; the others go on without it. */
static void test_demote_leader(void **state)
{
    static struct cluster cluster;
    int leader;
    size_t one;
    size_t other;
    (void)state;

    leader = start_three(&cluster);
    pick_followers(leader, &one, &other);
    assert_int_equal(assign(&cluster, (size_t)leader, (size_t)leader, RLOG_STANDBY), 0);
    UNTIL(cluster_leader(&cluster) == (int)one || cluster_leader(&cluster) == (int)other);
    UNTIL(role_of(&cluster, one, (size_t)leader) == RLOG_STANDBY);
    submit_many(&cluster, one, 10);
    for (size_t i = 0; i < 3; i++) {
        UNTIL(done_count(&cluster.replicas[i]) == 10);
    }
    cluster_deinit(&cluster);
}

/* Goal: leadership moves on request, to a given node, more than once (defect 10), and loses
 * nothing. Method: ask at a follower for each node in turn while commands flow. */
static void test_transfer(void **state)
{
    static struct cluster cluster;
    (void)state;

    cluster_init(&cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        cluster_start(&cluster, i, true);
    }
    UNTIL(cluster_leader(&cluster) >= 0);
    for (uint32_t round = 0; round < 6; round++) {
        uint32_t target = round % 3 + 1;

        submit_many(&cluster, 0, 40);
        rlog_transfer(cluster.replicas[1].rlog, target, on_answer, &answer);
        assert_int_equal(wait_for(&answer), 0);
        UNTIL(cluster_leader(&cluster) == (int)target - 1);
    }
    rlog_transfer(cluster.replicas[1].rlog, 9, on_answer, &answer);
    assert_int_equal(wait_for(&answer), ERR_NOT_FOUND);
    for (size_t i = 0; i < 3; i++) {
        UNTIL(done_count(&cluster.replicas[i]) == 240);
    }
    cluster_deinit(&cluster);
}

/* Member i, on an empty disk, joins under a new raft id and comes to lead. */
static void join_and_lead(struct cluster *cluster, size_t at, size_t i)
{
    cluster->members[i].raft_id++;
    wipe(cluster, i);
    assert_int_equal(add(cluster, at, i), 0);
    assert_int_equal(assign(cluster, at, i, RLOG_VOTER), 0);
    UNTIL(rlog_lease_held(cluster->replicas[i].rlog));
    rlog_transfer(cluster->replicas[at].rlog, cluster->members[i].node_id, on_answer, &answer);
    assert_int_equal(wait_for(&answer), 0);
    UNTIL(cluster_leader(cluster) == (int)i);
}

/* Goal: a node that was away while another one joined and came to lead finds the way to it, whoever
 * of the two dials (P8). Method: a node sees another one leave, and is stopped; that one joins anew
 * and leads, so that nothing in the log of the first names the leader. One with a lower number, and
 * one with a higher one. */
static void test_away_while_the_leader_joined(void **state)
{
    static struct cluster cluster;
    const size_t leavers[] = {0, 3};
    struct replica *away = &cluster.replicas[2];
    (void)state;

    start_four(&cluster);
    for (size_t i = 0; i < ARRAY_COUNT(leavers); i++) {
        assert_int_equal(remove_member(&cluster, 1, leavers[i]), 0);
        UNTIL(look_at(away, cluster.members[leavers[i]].node_id) == NULL);
        cluster_stop(&cluster, 2);
        join_and_lead(&cluster, 1, leavers[i]);
        submit_many(&cluster, 1, 10);
        cluster_start(&cluster, 2, true);
        UNTIL(done_count(away) == 10 * (i + 1));
        UNTIL(rlog_lease_held(away->rlog));
    }
    cluster_deinit(&cluster);
}

/* Goal: a node that reads the log from its begin, where another one has the membership before,
 * keeps its way to that one (P8). Method: after more entries than one message holds a node leaves,
 * and joins again under a new raft id; then a fourth one joins, which is told of the members before
 * it has the entries that say so. */
static void test_old_entries_after_word_of_members(void **state)
{
    static struct cluster cluster;
    int leader;
    size_t at;
    size_t again;
    (void)state;

    leader = start_three(&cluster);
    pick_followers(leader, &at, &again);
    for (size_t i = 1; i <= MESSAGE_ENTRIES; i++) {
        submit_many(&cluster, at, 1);
        UNTIL(done_count(&cluster.replicas[at]) == i);
    }
    assert_int_equal(remove_member(&cluster, at, again), 0);
    cluster.members[again].raft_id++;
    wipe(&cluster, again);
    assert_int_equal(add(&cluster, at, again), 0);
    assert_int_equal(assign(&cluster, at, again, RLOG_VOTER), 0);
    cluster_start(&cluster, 3, false);
    assert_int_equal(add(&cluster, at, 3), 0);
    assert_int_equal(assign(&cluster, at, 3, RLOG_VOTER), 0);
    UNTIL(done_count(&cluster.replicas[3]) == MESSAGE_ENTRIES);
    cluster_stop(&cluster, again);
    UNTIL(!is_linked(&cluster.replicas[3], cluster.members[again].node_id));
    cluster_start(&cluster, again, false);
    UNTIL(is_linked(&cluster.replicas[3], cluster.members[again].node_id));
    cluster_deinit(&cluster);
}

/* Goal: a promotion that gets nowhere, for a minute at most, keeps nobody from handing leadership
 * on, and is not forgotten over it. Method: a spare that is not there is to get a vote; leadership
 * goes from node to node; then the spare is started. */
static void test_transfer_during_a_promotion(void **state)
{
    static struct cluster cluster;
    static struct answer promoted = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    int leader;
    size_t one;
    size_t other;
    (void)state;

    leader = start_three(&cluster);
    pick_followers(leader, &one, &other);
    assert_int_equal(add(&cluster, (size_t)leader, 3), 0);
    rlog_member_assign(cluster.replicas[leader].rlog, cluster.members[3].raft_id, RLOG_VOTER,
                       on_answer, &promoted);
    for (size_t round = 0; round < 4; round++) {
        size_t heir = round % 2 == 0 ? one : other;

        rlog_transfer(cluster.replicas[leader].rlog, cluster.members[heir].node_id, on_answer,
                      &answer);
        assert_int_equal(wait_for(&answer), 0);
        UNTIL(cluster_leader(&cluster) == (int)heir);
        submit_many(&cluster, heir, 10);
        assert_false(is_given(&promoted));
    }
    cluster_start(&cluster, 3, false);
    assert_int_equal(wait_for(&promoted), 0);
    for (size_t i = 0; i < 4; i++) {
        UNTIL(done_count(&cluster.replicas[i]) == 40);
    }
    for (size_t i = 0; i < 3; i++) {
        UNTIL(role_of(&cluster, i, 3) == RLOG_VOTER);
    }
    cluster_deinit(&cluster);
}

/* Goal: state hashes reach the other nodes (P7), and of more than they take at once the newest
 * does. Method: publish one at a node, then as many as one that catches up has. */
static void test_hash_is_told(void **state)
{
    static struct cluster cluster;
    (void)state;

    cluster_init(&cluster, 3);
    for (size_t i = 0; i < 3; i++) {
        cluster_start(&cluster, i, true);
    }
    for (size_t i = 0; i < 3; i++) {
        UNTIL(rlog_lease_held(cluster.replicas[i].rlog));
    }
    rlog_publish_hash(cluster.replicas[0].rlog, 17, 4711);
    for (size_t i = 1; i < 3; i++) {
        UNTIL(peek(&cluster.replicas[i], &cluster.replicas[i].hash) == 4711);
        assert_int_equal(peek(&cluster.replicas[i], &cluster.replicas[i].hash_index), 17);
    }
    for (uint64_t mark = 18; mark <= NEWEST_MARK; mark++) {
        rlog_publish_hash(cluster.replicas[0].rlog, mark, mark);
    }
    for (size_t i = 1; i < 3; i++) {
        UNTIL(peek(&cluster.replicas[i], &cluster.replicas[i].hash_index) == NEWEST_MARK);
    }
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_add_that_was_taken_back),
        cmocka_unit_test(test_join_and_leave),
        cmocka_unit_test(test_unsafe_changes),
        cmocka_unit_test(test_demote_leader),
        cmocka_unit_test(test_wiped_voter_is_refused),
        cmocka_unit_test(test_wiped_former_voter_is_refused),
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_away_while_the_leader_joined),
        cmocka_unit_test(test_old_entries_after_word_of_members),
        cmocka_unit_test(test_transfer_during_a_promotion),
        cmocka_unit_test(test_hash_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
