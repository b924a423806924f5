/* Questions about the state, and that all of it lives in the store. */
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/world.h"

#include <stdio.h>

static struct world world;
static struct buf names; /* what a walk saw, blank after each */
static unsigned names_max;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    buf_clear(&names);
    names_max = 100;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    buf_deinit(&names);
    return 0;
}

static bool note_name(void *ctx, const char *name)
{
    (void)ctx;
    buf_printf(&names, "%s ", name);
    return --names_max > 0;
}

static const char *accounts(const char *domain, const char *after)
{
    buf_clear(&names);
    state_each_account(world.state, &world.arena, domain, after, note_name, NULL);
    return buf_text(&names);
}

/* Goal: accounts are listed by domain and page by page, in key order, none twice.
 * Method: two domains, one the beginning of the other's name. */
static void test_accounts(void **state)
{
    (void)state;
    world_run(&world, "1 domain_set name=xy");
    world_run(&world, "1 user_set user=alice@xy create=1");
    world_run(&world, "1 user_set user=al@x create=1");
    assert_string_equal(accounts("", ""), "al@x alice@x bob@x carol@x alice@xy ");
    assert_string_equal(accounts("x", ""), "al@x alice@x bob@x carol@x ");
    assert_string_equal(accounts("xy", ""), "alice@xy ");
    assert_string_equal(accounts("x", "alice@x"), "bob@x carol@x ");
    assert_string_equal(accounts("", "carol@x"), "alice@xy ");
    assert_string_equal(accounts("none", ""), "");
    names_max = 2;
    assert_string_equal(accounts("", ""), "al@x alice@x ");
}

static void test_domains(void **state)
{
    (void)state;
    world_run(&world, "1 domain_set name=a.example");
    state_each_domain(world.state, &world.arena, note_name, NULL);
    assert_string_equal(buf_text(&names), "a.example x ");
    assert_true(state_has_domain(world.state, "x"));
    assert_false(state_has_domain(world.state, ""));
}

static bool note_session(void *ctx, uint64_t session, const Pb__SessionRow *row)
{
    (void)ctx;
    buf_printf(&names, "%u=%s/%s ", (unsigned)session, row->user, row->resource);
    return --names_max > 0;
}

static void test_sessions(void **state)
{
    (void)state;
    world_bind(&world, "alice", "a");
    world_bind(&world, "bob", "b");
    world_bind(&world, "alice", "c");
    state_each_session_of(world.state, &world.arena, "alice@x", note_session, NULL);
    assert_string_equal(buf_text(&names), "1=alice@x/a 3=alice@x/c ");
    buf_clear(&names);
    state_each_session(world.state, &world.arena, 2, note_session, NULL);
    assert_string_equal(buf_text(&names), "2=bob@x/b 3=alice@x/c ");
}

static bool note_node(void *ctx, const Pb__NodeRow *row)
{
    (void)ctx;
    buf_printf(&names, "%u=%s ", row->node, row->client_address);
    return true;
}

static void test_nodes(void **state)
{
    (void)state;
    world_run(&world, "1 node_set node=3 client_address=three.x:5222");
    state_each_node(world.state, &world.arena, note_node, NULL);
    assert_string_equal(buf_text(&names), "1=one.x:5222 3=three.x:5222 ");
    assert_null(state_node(world.state, &world.arena, 2));
}

/* Goal: the state knows under which membership a node has had a vote, and forgets none for an older
 * one. Method: note one, the same, an older one, a newer one, and what is another node's. */
static void test_votes(void **state)
{
    static const struct {
        const char *line;
        const char *expected;
        uint64_t raft_id;
    } cases[] = {
        {"0 node_votes node=3 raft_id=12884901890", "votes node=3\noutcome done\n", 12884901890u},
        {"0 node_votes node=3 raft_id=12884901890", "outcome done: exists already\n", 12884901890u},
        {"0 node_votes node=3 raft_id=12884901889", "outcome done: exists already\n", 12884901890u},
        {"0 node_votes node=2 raft_id=12884901891", "outcome done: invalid argument\n",
         12884901890u},
        {"0 node_votes node=3 raft_id=12884901891", "votes node=3\noutcome done\n", 12884901891u},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        world_expect(&world, cases[i].line, cases[i].expected);
        assert_true(state_node(world.state, &world.arena, 3)->voter_raft_id == cases[i].raft_id);
    }
}

/* Goal: a resumable client is told of another node that is up and no witness: the peer in its
 * group, else the next in a ring. Method: nodes 1 to 3, one the peer and one a witness for a while,
 * one after the other dead, asked at node 2. */
static void test_location_is_a_node_that_is_up(void **state)
{
    static const struct {
        const char *before;
        const char *expected;
    } cases[] = {
        {"1 domain_set name=y", " location=three.x:5222 "},
        {"1 group_node name=g node=1", " location=three.x:5222 "},
        {"1 group_set name=g ha_enabled=1", " location=one.x:5222 "},
        {"0 node_down incarnation=1", " location=three.x:5222 "},
        {"0 start node=1 nonce=again", " location=one.x:5222 "},
        {"2 group_set name=g", " location=three.x:5222 "},
        {"2 node_set node=3 client_address=three.x:5222 witness=1", " location=one.x:5222 "},
        {"2 node_set node=3 client_address=three.x:5222", " location=three.x:5222 "},
        {"0 node_down incarnation=3", " location=one.x:5222 "},
        {"0 node_down incarnation=4", " location= "},
    };
    (void)state;

    world_run(&world, "1 node_set node=2 client_address=two.x:5222");
    world_run(&world, "1 node_set node=3 client_address=three.x:5222");
    world_run(&world, "0 start node=2 nonce=n2");
    world_run(&world, "0 start node=3 nonce=n3");
    world_run(&world, "2 group_set name=g create=1\n2 group_node name=g node=2");
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        world_run(&world, cases[i].before);
        world_runf(&world,
                   "2 bind owner=2:0:1:1 user=alice@x resource=r%u credential_version=$\n"
                   "2 enable from=%u:1 resume=1 window_s=60",
                   i, i + 1);
        assert_non_null(strstr(buf_text(&world.text), cases[i].expected));
    }
}

static void on_durable(void *ctx, uint64_t mark_index, uint64_t hash, int status)
{
    (void)ctx;
    (void)mark_index;
    (void)hash;
    ASSERT(status == 0);
}

/* Goal: nothing that apply needs is kept outside the store, and what was marked is durable.
 * Method: mark, close the store, open it again: same hash, and the next commands go on from there.
 */
static void test_a_reopened_store_goes_on(void **state)
{
    struct kv_config config = {
        .dir = world.dir, .map_bytes = (uint64_t)64 << 20, .on_durable = on_durable};
    uint64_t hash;
    (void)state;

    world_login(&world, "alice", "a");
    world_run(&world, "1 message from=1:1 store=1 stanza.to=bob@x");
    world_mark(&world);
    hash = check_hash(world.state);
    state_free(&world.state);
    kv_close(&world.kv);

    state_describe(&config);
    assert_int_equal(kv_open(&config, &world.kv), 0);
    world.state = state_new(world.kv);
    assert_true(check_hash(world.state) == hash);
    assert_int_equal(state_applied_index(world.state), world.index);
    assert_int_equal(state_time_ms(world.state), world.now_ms);
    assert_int_equal(state_last_seq(world.state, 1), world.seq[1]);
    assert_int_equal(world_login(&world, "bob", "b"), 2);
    assert_int_equal(world_session(&world, 2)->pending_count, 1);
    check_invariants(world.state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accounts),
        TEST(test_domains),
        TEST(test_sessions),
        TEST(test_nodes),
        TEST(test_votes),
        TEST(test_location_is_a_node_that_is_up),
        TEST(test_a_reopened_store_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
