/* The two doors of the listener: who waits at which. */
#include "raft/link/internal.h"
#include "tests/unit/raft_link/link_world.h"

#include <poll.h>
#include <unistd.h>

/* More than the kernel keeps for a door. */
#define FLOOD 1200

static void fill_address(struct sockaddr_storage *out, const char *host, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof(v4));
        return;
    }
    assert_int_equal(inet_pton(AF_INET6, host, &v6.sin6_addr), 1);
    memcpy(out, &v6, sizeof(v6));
}

/* A connection is begun, from one address of this host to another. */
static int knock(const struct node *node, const char *from, const char *to)
{
    struct sockaddr_storage source;
    struct sockaddr_storage target;
    int fd;

    fill_address(&source, from, 0);
    fill_address(&target, to, link_port(node->set));
    fd = socket(source.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&source, address_len(&source)), 0);
    (void)connect(fd, (struct sockaddr *)&target, address_len(&target));
    return fd;
}

/* On a loopback address the kernel answers before connect() returns, or not at all. */
static bool is_connected(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};

    return poll(&one, 1, 0) == 1 && (one.revents & (POLLERR | POLLHUP)) == 0;
}

/* Which door opens to one who comes from there? */
static enum link_guest door_for(struct world *world, const struct node *node, const char *from,
                                const char *to)
{
    const unsigned *accepted = node->set->listener.accepted;
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;
    int fd = knock(node, from, to);

    do {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    } while (accepted[GUEST_STRANGER] + accepted[GUEST_NEIGHBOUR] == 0 && clock_mono_ms() < end_ms);
    assert_int_equal(accepted[GUEST_STRANGER] + accepted[GUEST_NEIGHBOUR], 1);
    (void)close(fd);
    return accepted[GUEST_NEIGHBOUR] == 1 ? GUEST_NEIGHBOUR : GUEST_STRANGER;
}

/* Goal: however many strangers wait, a peer does not wait behind them. Method: a loop that does not
 * turn while a stranger connects until its queue is full; then one from where the peer lives. */
static void test_strangers_fill_their_own_queue(void **state)
{
    struct world *world = *state;
    struct node low;
    int flood[FLOOD];
    int late;
    int peer;

    open_node(world, &(struct options){.id = 1}, &low);
    link_set_peer(low.set, 2, "127.0.0.5:1");
    turn_for(world, 2 * LINK_RETRY_MS);
    for (size_t i = 0; i < FLOOD; i++) {
        flood[i] = knock(&low, "127.0.0.66", "127.0.0.1");
    }
    late = knock(&low, "127.0.0.66", "127.0.0.1");
    peer = knock(&low, "127.0.0.5", "127.0.0.1");
    assert_false(is_connected(late));
    assert_true(is_connected(peer));
    for (size_t i = 0; i < FLOOD; i++) {
        (void)close(flood[i]);
    }
    (void)close(late);
    (void)close(peer);
    close_node(world, &low);
}

/* Goal: the second door is for the peers that dial us, by IPv4 and IPv6, wherever they live by now,
 * and for nobody else. */
static void test_doors(void **state)
{
    struct world *world = *state;
    struct node node;

    open_node(world, &(struct options){.id = 2, .bind = "[::]:0"}, &node);
    assert_int_equal(door_for(world, &node, "127.0.0.5", "127.0.0.1"), GUEST_STRANGER);
    assert_int_equal(door_for(world, &node, "::1", "::1"), GUEST_STRANGER);
    link_set_peer(node.set, 1, "127.0.0.4:1"); /* whom we dial */
    link_set_peer(node.set, 3, "127.0.0.5:1");
    link_set_peer(node.set, 4, "[::2]:1");
    link_set_peer(node.set, 5, "127.0.0.6:1");
    turn_for(world, 2 * LINK_RETRY_MS);
    assert_int_equal(door_for(world, &node, "127.0.0.4", "127.0.0.1"), GUEST_STRANGER);
    assert_int_equal(door_for(world, &node, "127.0.0.5", "127.0.0.1"), GUEST_NEIGHBOUR);
    assert_int_equal(door_for(world, &node, "127.0.0.6", "127.0.0.1"), GUEST_NEIGHBOUR);
    assert_int_equal(door_for(world, &node, "127.0.0.7", "127.0.0.1"), GUEST_STRANGER);
    assert_int_equal(door_for(world, &node, "::1", "::1"), GUEST_STRANGER);
    link_set_peer(node.set, 4, "[::1]:1");
    link_set_peer(node.set, 5, "127.0.0.7:1");
    turn_for(world, 2 * LINK_RETRY_MS);
    assert_int_equal(door_for(world, &node, "127.0.0.6", "127.0.0.1"), GUEST_STRANGER);
    assert_int_equal(door_for(world, &node, "127.0.0.7", "127.0.0.1"), GUEST_NEIGHBOUR);
    assert_int_equal(door_for(world, &node, "::1", "::1"), GUEST_NEIGHBOUR);
    link_drop_peer(node.set, 3);
    turn_for(world, 2 * LINK_RETRY_MS);
    assert_int_equal(door_for(world, &node, "127.0.0.5", "127.0.0.1"), GUEST_STRANGER);
    close_node(world, &node);
}

/* Goal: a node that listens at one address dials from there, so that it is shown to the door for
 * peers; the system would have chosen another address of the host. */
static void test_dials_from_where_it_listens(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1}, &low);
    open_node(world, &(struct options){.id = 2, .bind = "127.0.0.5:0"}, &high);
    introduce(&low, &high, "127.0.0.5");
    turn_for(world, 2 * LINK_RETRY_MS);
    introduce(&high, &low, "127.0.0.1");
    assert_true(turn_until(world, &low.ups, 1));
    assert_int_equal(low.set->conns->guest, GUEST_NEIGHBOUR);
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);
}

/* Goal: a port shared between two doors is not shared with another node that was given the same. */
static void test_port_of_another(void **state)
{
    struct world *world = *state;
    struct node node;
    struct node taken;
    char bind[64];

    open_node(world, &(struct options){.id = 1}, &taken);
    (void)snprintf(bind, sizeof(bind), "127.0.0.1:%u", link_port(taken.set));
    assert_int_equal(try_open(world, &(struct options){.id = 2, .bind = bind}, &node), ERR_IO);
    (void)snprintf(bind, sizeof(bind), "0.0.0.0:%u", link_port(taken.set));
    assert_int_equal(try_open(world, &(struct options){.id = 2, .bind = bind}, &node), ERR_IO);
    close_node(world, &taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_strangers_fill_their_own_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dials_from_where_it_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_port_of_another, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
