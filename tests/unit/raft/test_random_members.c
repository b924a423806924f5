/* The lab moved by dice while the leader changes the membership and hands leadership on: what one
 * node applied at an index every other must apply, too, and each node goes by the newest change in
 * its log. */
#define LAB_NODES 4
#include "raft/shim/change.h"
#include "tests/unit/raft/dice.h"

#define SEEDS   800
#define STEPS   3000
#define CHANGES STEPS

struct lab_append lab_unfinished[LAB_UNFINISHED_MAX];

struct game {
    struct lab *lab;
    struct dice dice;
    struct raft_apply requests[DICE_PROPOSALS];
    struct raft_change changes[CHANGES]; /* libraft keeps pointers to those under way */
    int change_count;
    struct raft_transfer transfers[CHANGES]; /* the same, and longer (defect 10) */
    int transfer_count;
    int promotions_left; /* transfers begun while a member caught up */
};

/* Hand leadership on, whatever else is under way. */
static void transfer(struct game *game, int leader)
{
    struct raft *raft = &game->lab->nodes[leader].raft;
    raft_id heir = lab_id(roll_node(&game->dice));
    int at = shim_member_index(raft, heir);

    if (!shim_leads(game->lab->nodes[leader].shim) || at < 0 ||
        raft->configuration.servers[at].role != RAFT_VOTER) {
        return;
    }
    if (raft_transfer(raft, &game->transfers[game->transfer_count], heir, NULL) == 0) {
        game->transfer_count++;
        game->promotions_left += raft->leader_state.promotee_id != 0 ? 1 : 0;
    }
}

/* Take a node in, let it vote, or take it out; libraft refuses what can not be now. */
static void change_members(struct game *game, int leader)
{
    struct raft *raft = &game->lab->nodes[leader].raft;
    struct raft_change *change = &game->changes[game->change_count];
    int other = roll_node(&game->dice);

    if (!shim_leads(game->lab->nodes[leader].shim)) {
        return;
    }
    game->change_count++;
    if (shim_member_index(raft, lab_id(other)) < 0) {
        (void)raft_add(raft, change, lab_id(other), game->lab->nodes[other].address, NULL);
    } else if (roll(&game->dice, 2) == 0) {
        (void)raft_assign(raft, change, lab_id(other), RAFT_VOTER, NULL);
    } else if (raft->configuration.n > 2) {
        (void)raft_remove(raft, change, lab_id(other), NULL);
    }
    if (raft->leader_state.promotee_id != 0) {
        transfer(game, leader);
    }
}

static bool same_members(const struct raft_configuration *a, const struct raft_configuration *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (unsigned i = 0; i < a->n; i++) {
        if (a->servers[i].id != b->servers[i].id || a->servers[i].role != b->servers[i].role) {
            return false;
        }
    }
    return true;
}

/* Index of the newest change up to end. */
static raft_index newest_change(const struct lab_node *node, raft_index end)
{
    raft_index newest = 0;

    for (raft_index i = 1; i <= (raft_index)node->log_count && i <= end; i++) {
        newest = node->log[i - 1].type == RAFT_CHANGE ? i : newest;
    }
    return newest;
}

/* Does a node go by a change that is in its log, and by no older one than the newest on disk? */
static bool goes_by_its_log(const struct lab_node *node)
{
    const struct raft *raft = &node->raft;
    raft_index index = raft->configuration_uncommitted_index != 0
                           ? raft->configuration_uncommitted_index
                           : raft->configuration_index;
    const struct lab_entry *entry = &node->log[index - 1];
    struct raft_configuration members;
    bool same;

    if (index == 0 || index > newest_change(node, (raft_index)node->log_count) ||
        index < newest_change(node, raft->last_stored)) {
        return false;
    }
    raft_configuration_init(&members);
    same = entry->type == RAFT_CHANGE &&
           change_decode(slice_make(entry->bytes, entry->len), &members) == 0 &&
           same_members(&members, &raft->configuration);
    raft_configuration_close(&members);
    return same;
}

static void step(struct game *game, int number)
{
    struct lab *lab = game->lab;
    struct dice *dice = &game->dice;
    int other = (number + (int)roll(dice, LAB_NODES - 1)) % LAB_NODES + 1;
    uint64_t what = roll(dice, 1000);

    if (lab->nodes[number].stopped != NULL) {
        crash(lab, dice, number); /* started again by its supervisor */
    } else if (what < 550) {
        deliver_one(lab, other, number);
    } else if (what < 720) {
        lab_write(lab, number, 0);
    } else if (what < 850) {
        lab->now += roll(dice, LAB_HEARTBEAT_MS);
        lab_tick(lab, number);
    } else if (what < 950) {
        propose(lab, game->requests, number);
    } else if (what < 980) {
        change_members(game, number);
    } else if (what < 985) {
        transfer(game, number);
    } else if (what < 992) {
        break_link(lab, number, other);
    } else if (what < 997) {
        crash(lab, dice, number);
    } else {
        lab->now += roll(dice, 3 * LAB_ELECTION_MS);
    }
    lab_turn_node(lab, number);
    forget_delivered(lab);
}

struct outcome {
    bool diverged;
    bool left_its_log;
    raft_index applied;
    int change_count;
    int promotions_left;
};

static struct outcome run_seed(uint64_t seed, unsigned guards_off)
{
    struct game *game = mem_zalloc(sizeof(*game));
    struct outcome outcome = {0};

    game->lab = lab_new();
    game->dice.state = seed * 1000003;
    lab_start(game->lab, guards_off);
    for (int i = 1; i <= LAB_NODES; i++) {
        raft_set_pre_vote(&game->lab->nodes[i].raft, seed % 2 == 0);
    }
    for (int k = 0; k < STEPS && !game->lab->diverged && !outcome.left_its_log; k++) {
        int number = roll_node(&game->dice);

        step(game, number);
        outcome.left_its_log = !goes_by_its_log(&game->lab->nodes[number]);
    }
    for (raft_index i = 1; i <= LAB_LOG_MAX; i++) {
        outcome.applied = game->lab->truth[i] != 0 ? i : outcome.applied;
    }
    outcome.diverged = game->lab->diverged;
    outcome.change_count = game->change_count;
    outcome.promotions_left = game->promotions_left;
    lab_free(&game->lab);
    mem_free(&game);
    return outcome;
}

/* Goal: with all guards no schedule makes two nodes apply different entries, or one go by another
 * membership than its log says, and work gets done. Method: many seeds; the failing one is printed.
 */
static void test_no_seed_leaves_its_log(void **state)
{
    raft_index applied = 0;
    int change_count = 0;
    int promotions_left = 0;
    (void)state;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct outcome outcome = run_seed(seed, 0);

        if (outcome.diverged || outcome.left_its_log) {
            fail_msg("seed %llu: %s", (unsigned long long)seed,
                     outcome.diverged ? "two nodes applied different entries"
                                      : "a node goes by another membership than its log says");
        }
        applied += outcome.applied;
        change_count += outcome.change_count;
        promotions_left += outcome.promotions_left;
    }
    print_message("%llu entries, %d changes tried in %d seeds; %d promotions left by a transfer\n",
                  applied, change_count, SEEDS, promotions_left);
    assert_true(applied > SEEDS * 10);
    assert_true(change_count > SEEDS);
    assert_true(promotions_left > 0);
}

/* Goal: the dice are able to find such a schedule at all.
 * Method: without the guard of defects 9 and 28 some seed must. */
static void test_dice_find_the_defect(void **state)
{
    int found = 0;
    (void)state;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        found += run_seed(seed, SHIM_GUARD_CONFIGURATION).left_its_log ? 1 : 0;
    }
    print_message("without the guard %d of %d seeds leave their log\n", found, SEEDS);
    assert_true(found > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_seed_leaves_its_log),
        cmocka_unit_test(test_dice_find_the_defect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
