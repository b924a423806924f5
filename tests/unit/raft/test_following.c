/* Whom a node has links with (raft/log/peers), by its log and by what others tell it of members. */
#include "raft/log/internal.h"
#include "raft/shim/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define OWN     UINT32_C(1)
#define IDS_MAX 8

int __wrap_link_send(struct link_set *set, uint32_t node_id, enum link_class class, uint8_t type,
                     const struct slice *parts, size_t part_count);
uint16_t __wrap_link_version(const struct link_set *set, uint32_t node_id);
void __wrap_link_set_peer(struct link_set *set, uint32_t node_id, const char *address);
void __wrap_link_drop_peer(struct link_set *set, uint32_t node_id);
void __wrap_link_retire(struct link_set *set, uint64_t raft_id);

static struct {
    struct rlog rlog;
    struct shim shim;
    uint64_t retired[IDS_MAX];
    size_t retired_count;
} node;

int __wrap_link_send(struct link_set *set, uint32_t node_id, enum link_class class, uint8_t type,
                     const struct slice *parts, size_t part_count)
{
    (void)set;
    (void)node_id;
    (void)class;
    (void)type;
    (void)parts;
    (void)part_count;
    return 0;
}

uint16_t __wrap_link_version(const struct link_set *set, uint32_t node_id)
{
    (void)set;
    (void)node_id;
    return LINK_VERSION;
}

void __wrap_link_set_peer(struct link_set *set, uint32_t node_id, const char *address)
{
    (void)set;
    (void)node_id;
    (void)address; /* struct peer has it, too */
}

void __wrap_link_drop_peer(struct link_set *set, uint32_t node_id)
{
    (void)set;
    (void)node_id;
}

void __wrap_link_retire(struct link_set *set, uint64_t raft_id)
{
    (void)set;
    assert_true(node.retired_count < IDS_MAX);
    node.retired[node.retired_count++] = raft_id;
}

static raft_id id_of(uint32_t node_id, uint32_t life)
{
    return (raft_id)node_id << 32 | life;
}

static bool is_retired(raft_id id)
{
    for (size_t i = 0; i < node.retired_count; i++) {
        if (node.retired[i] == id) {
            return true;
        }
    }
    return false;
}

static const struct peer *peer_of(uint32_t node_id)
{
    for (size_t i = 0; i < node.rlog.peer_count; i++) {
        if (node.rlog.peers[i].node_id == node_id) {
            return &node.rlog.peers[i];
        }
    }
    return NULL;
}

/* The log names these members, up to 0, in its entry at index. */
static void follow(raft_index index, bool is_committed, const raft_id *ids)
{
    struct raft *raft = &node.rlog.raft;

    raft_configuration_close(&raft->configuration);
    raft_configuration_init(&raft->configuration);
    for (size_t i = 0; ids[i] != 0; i++) {
        char address[32];

        (void)snprintf(address, sizeof(address), "127.0.0.1:%u",
                       1000 + (unsigned)shim_node_of(ids[i]));
        assert_int_equal(raft_configuration_add(&raft->configuration, ids[i], address, RAFT_VOTER),
                         0);
    }
    if (is_committed) {
        raft->configuration_index = index;
    }
    raft->configuration_uncommitted_index = is_committed ? 0 : index;
    rlog_follow_members(&node.rlog);
}

/* Node 2 tells of members, as of an entry at index; the nodes are at another address by then. */
static void tell(raft_index index, const raft_id *ids)
{
    struct told told = {.index = index};
    struct buf bytes = BUF_EMPTY;

    for (size_t i = 0; ids[i] != 0; i++) {
        struct rlog_member *member = &told.members[told.count++];

        member->raft_id = ids[i];
        (void)snprintf(member->address, sizeof(member->address), "127.0.0.2:%u",
                       1000 + (unsigned)shim_node_of(ids[i]));
    }
    told_encode(&told, &bytes);
    assert_int_equal(rlog_on_frame(&node.rlog, 2, FRAME_MEMBERS, buf_slice(&bytes)), 0);
    buf_deinit(&bytes);
}

static int set_up(void **state)
{
    const raft_id three[] = {id_of(OWN, 1), id_of(2, 1), id_of(3, 1), 0};
    (void)state;

    memset(&node, 0, sizeof(node));
    node.rlog.config.node_id = OWN;
    node.rlog.raft.id = id_of(OWN, 1);
    node.rlog.shim = &node.shim;
    node.shim.raft = &node.rlog.raft;
    raft_configuration_init(&node.rlog.raft.configuration);
    follow(10, true, three);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    raft_configuration_close(&node.rlog.raft.configuration);
    buf_deinit(&node.rlog.scratch);
    return 0;
}

/* Goal: a node that led a minority, with a change of the membership that never was committed, finds
 * the leader that the others took in meanwhile (P8). Method: its own change lies behind theirs. */
static void test_told_behind_an_own_change(void **state)
{
    const raft_id own[] = {id_of(OWN, 1), id_of(2, 1), id_of(3, 1), id_of(5, 1), 0};
    const raft_id theirs[] = {id_of(OWN, 1), id_of(2, 1), id_of(3, 1), id_of(4, 1), 0};
    (void)state;

    follow(50, false, own);
    tell(40, theirs);
    assert_non_null(peer_of(4));
    follow(10, true, (const raft_id[]){id_of(OWN, 1), id_of(2, 1), id_of(3, 1), 0});
    assert_null(peer_of(5));
    assert_non_null(peer_of(4));
    follow(40, true, theirs);
    assert_non_null(peer_of(4));
    assert_int_equal(node.retired_count, 0);
}

/* Goal: a member that is captured, or wrong, ends no membership of others: who is retired gets no
 * link any more, for as long as the process lives. Method: it tells of later memberships of all;
 * the log never does. Then the log replaces one. */
static void test_a_word_ends_no_membership(void **state)
{
    const raft_id lies[] = {id_of(OWN, 9), id_of(2, 9), id_of(3, 9), id_of(4, 9), 0};
    const raft_id without[] = {id_of(OWN, 1), id_of(2, 1), 0};
    const raft_id replaced[] = {id_of(OWN, 1), id_of(2, 1), id_of(3, 2), 0};
    (void)state;

    tell(UINT64_MAX, lies);
    assert_int_equal(node.retired_count, 0);
    follow(11, true, without);
    follow(12, true, replaced);
    assert_true(is_retired(id_of(3, 1)));
    assert_int_equal(node.retired_count, 1);
}

/* Goal: a membership that the log ends is retired, one that was not committed is not.
 * Method: a node joins, and is taken back; it joins, and leaves. */
static void test_the_log_ends_memberships(void **state)
{
    const raft_id three[] = {id_of(OWN, 1), id_of(2, 1), id_of(3, 1), 0};
    const raft_id four[] = {id_of(OWN, 1), id_of(2, 1), id_of(3, 1), id_of(4, 1), 0};
    (void)state;

    follow(11, false, four);
    assert_non_null(peer_of(4));
    follow(10, true, three);
    assert_null(peer_of(4));
    assert_int_equal(node.retired_count, 0);
    follow(12, true, four);
    follow(13, true, three);
    assert_true(is_retired(id_of(4, 1)));
    assert_int_equal(node.retired_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_told_behind_an_own_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_word_ends_no_membership, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_log_ends_memberships, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
