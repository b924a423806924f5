/* Links between nodes: order, bounds, names, and how they end. Members that break the protocol:
 * test_member.c. */
#include "raft/link/internal.h"
#include "tests/unit/raft_link/link_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Goal: two nodes link, frames go both ways in order, both know each other's membership, and the
 * round trip is measured. */
static void test_frames_both_ways_in_order(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_pair(world, &low, &high);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 1, "a"), 0);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 2, "b"), 0);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 3, ""), 0);
    assert_int_equal(send_text(&high, 1, LINK_BULK, 4, "c"), 0);
    assert_true(turn_until(world, &high.frames, 3));
    assert_true(turn_until(world, &low.frames, 1));
    assert_string_equal(buf_text(&high.script), "1:a 2:b 3: ");
    assert_string_equal(buf_text(&low.script), "4:c ");
    assert_true(link_is_up(low.set, 2));
    assert_false(link_is_up(low.set, 3));
    assert_int_equal(link_raft_id(low.set, 2), (uint64_t)2 << 32 | 1);
    assert_int_equal(link_raft_id(high.set, 1), (uint64_t)1 << 32 | 1);
    turn_for(world, SILENCE_MS / 2);
    assert_true(link_rtt_us(low.set, 2) > 0);
    assert_true(link_rtt_us(high.set, 1) > 0);
    assert_int_equal(low.downs, 0);
    close_pair(world, &low, &high);
}

/* Goal: an urgent frame waits for LINK_WRITE_BYTES_MAX of bulk at most, and bulk arrives whole.
 * Method: queue 40 MiB of bulk, let some of it go, then an urgent frame; it must come before the
 * first bulk frame is complete. */
static void test_urgent_overtakes_bulk(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_pair(world, &low, &high);
    for (uint8_t i = 0; i < 4; i++) {
        assert_int_equal(send_large(&low, 2, LINK_BULK, i, 10 * MIB), 0);
    }
    assert_true(link_queued_bytes(low.set, 2) >= 40 * MIB);
    while (link_queued_bytes(low.set, 2) > 39 * MIB) {
        (void)uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(high.frames, 0);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 9, "now"), 0);
    assert_true(turn_until(world, &high.frames, 5));
    assert_string_equal(buf_text(&high.script),
                        "9:now 0#10485760 1#10485760 2#10485760 3#10485760 ");
    assert_false(high.corrupt);
    assert_int_equal(link_queued_bytes(low.set, 2), 0);
    close_pair(world, &low, &high);
}

/* Goal: keys are changed before they wear out, unnoticed.
 * Method: send more than one key's worth (256 MiB) in large frames. */
static void test_keys_change_under_load(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_pair(world, &low, &high);
    for (unsigned i = 1; i <= 18; i++) {
        assert_int_equal(send_large(&low, 2, LINK_BULK, 1, LINK_FRAME_BYTES_MAX), 0);
        assert_true(turn_until(world, &high.frames, i));
    }
    assert_int_equal(high.bytes, 18 * (size_t)LINK_FRAME_BYTES_MAX);
    assert_false(high.corrupt);
    assert_int_equal(high.downs, 0);
    close_pair(world, &low, &high);
}

/* Goal: queues are bounded by class, a too large frame is refused, one frame larger than the bound
 * still goes, and a link that is down refuses. */
static void test_queue_bounds(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1, .queue_bytes = 1000}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    assert_int_equal(send_text(&low, 2, LINK_BULK, 1, "early"), ERR_CLOSED);
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));
    assert_int_equal(send_large(&low, 2, LINK_BULK, 1, LINK_FRAME_BYTES_MAX + 1), ERR_LIMIT);
    assert_int_equal(send_large(&low, 2, LINK_BULK, 1, 5000), 0);
    assert_int_equal(send_text(&low, 2, LINK_BULK, 1, "full"), ERR_BUSY);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 2, "other"), 0);
    assert_int_equal(send_text(&low, 3, LINK_URGENT, 2, "who"), ERR_CLOSED);
    assert_true(turn_until(world, &high.frames, 2));
    assert_int_equal(send_text(&low, 2, LINK_BULK, 1, "again"), 0);
    assert_true(turn_until(world, &high.frames, 3));
    close_pair(world, &low, &high);
}

/* Nobody may get a link: run a while and see that none comes up. */
static void expect_refused(struct world *world, const struct options *stranger)
{
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1}, &low);
    open_node(world, stranger, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    turn_for(world, 300);
    assert_int_equal(low.ups, 0);
    assert_int_equal(high.ups, 0);
    close_pair(world, &low, &high);
}

/* Goal: only certificates of the cluster CA that name a known node open a link. Method: another
 * CA; names of another node, of no node, of two nodes, not canonical. */
static void test_wrong_certificates_are_refused(void **state)
{
    struct world *world = *state;

    expect_refused(world, &(struct options){.id = 2, .authority = 1});
    expect_refused(world, &(struct options){.id = 2, .common_name = "node-3"});
    expect_refused(world, &(struct options){.id = 2, .common_name = "node-1"});
    expect_refused(world, &(struct options){.id = 2, .common_name = "host-2"});
    expect_refused(world, &(struct options){.id = 2, .common_name = "node-02"});
    expect_refused(world, &(struct options){.id = 2, .common_name = "node-2x"});
    expect_refused(world, &(struct options){.id = 2, .dns = "node-3"});
}

/* Goal: the dialling side checks the name too. Method: node 3 answers at the address of node 1. */
static void test_dialled_name_is_checked(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1, .common_name = "node-3"}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    turn_for(world, 300);
    assert_int_equal(low.ups + high.ups, 0);
    close_pair(world, &low, &high);
}

/* Goal: a DNS name "node-<id>" is as good as the common name. */
static void test_dns_name_is_accepted(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1, .common_name = "a.example", .dns = "node-1"}, &low);
    open_node(world, &(struct options){.id = 2, .common_name = "node-2", .dns = "b.example"},
              &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);
}

/* Goal: a node that is not (or no longer) a peer is refused, and dropping a peer closes its link.
 */
static void test_unknown_and_dropped_peers(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&high, &low, "127.0.0.1");
    turn_for(world, 200);
    assert_int_equal(low.ups + high.ups, 0);
    introduce(&low, &high, "127.0.0.1");
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));

    link_drop_peer(low.set, 2);
    assert_false(link_is_up(low.set, 2));
    assert_int_equal(low.downs, 0); /* never from inside a call */
    assert_true(turn_until(world, &low.downs, 1));
    assert_true(turn_until(world, &high.downs, 1));
    turn_for(world, 200);
    assert_int_equal(low.ups, 1);
    close_pair(world, &low, &high);
}

/* Goal: a removed raft id gets no link, whichever side knows of the removal, and a link that is up
 * under it goes down; the same node under a new raft id is welcome. */
static void test_retired_raft_id_is_refused(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    struct node again;

    open_pair(world, &low, &high);
    link_retire(low.set, link_raft_id(low.set, 2));
    assert_true(turn_until(world, &low.downs, 1));
    assert_true(turn_until(world, &high.downs, 1));
    turn_for(world, 200);
    assert_int_equal(low.ups, 1);
    assert_int_equal(high.ups, 1);
    close_node(world, &high);

    open_node(world, &(struct options){.id = 2, .raft_id = (uint64_t)2 << 32 | 2}, &again);
    link_retire(again.set, 77);
    introduce(&again, &low, "127.0.0.1");
    assert_true(turn_until(world, &again.ups, 1));
    assert_true(turn_until(world, &low.ups, 2));
    link_retire(again.set, (uint64_t)1 << 32 | 1);
    assert_true(turn_until(world, &again.downs, 1));
    close_pair(world, &low, &again);
}

/* Goal: a node that cannot read what the other one hands over gets no link, whoever dials; one that
 * can does, also while less is written than both read, and one that does not say. Method: each case
 * with the versions on either side. */
static void test_versions(void **state)
{
    static const struct {
        uint16_t newest[2], written[2];
        bool fits;
    } cases[] = {
        {{1, 1}, {1, 1}, true}, {{1, 2}, {1, 1}, true},  {{2, 1}, {1, 1}, true},
        {{2, 2}, {2, 1}, true}, {{2, 1}, {2, 1}, false}, {{1, 2}, {1, 2}, false},
        {{0, 2}, {0, 2}, true}, /* it says and asks nothing: from before this was told */
    };
    struct world *world = *state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct node low;
        struct node high;

        open_node(world, &(struct options){.id = 1, .newest = cases[i].newest[0]}, &low);
        open_node(world, &(struct options){.id = 2, .newest = cases[i].newest[1]}, &high);
        link_set_written(low.set, cases[i].written[0]);
        link_set_written(high.set, cases[i].written[1]);
        introduce(&low, &high, "127.0.0.1");
        introduce(&high, &low, "127.0.0.1");
        if (cases[i].fits) {
            assert_true(turn_until(world, &low.ups, 1));
            assert_true(turn_until(world, &high.ups, 1));
        } else {
            turn_for(world, 200);
            assert_int_equal(low.ups + high.ups, 0);
        }
        close_pair(world, &low, &high);
    }
}

/* Goal: a link that came up before it was known that an empty log is a lost one goes down when that
 * is known, and stays down while the log is empty; one to a node that has a log stays.
 * Method: the owner changes its mind, and asks again. */
static void test_asked_again(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_node(world, &(struct options){.id = 1}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    link_set_log_is_empty(high.set, true);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    assert_true(turn_until(world, &low.ups, 1));
    link_ask_again(low.set, 2);
    turn_for(world, 200);
    assert_int_equal(low.downs, 0); /* there is no reason yet */
    low.refusal = "its log is lost";
    link_ask_again(low.set, 2);
    assert_true(turn_until(world, &low.downs, 1));
    turn_for(world, 200);
    assert_int_equal(low.ups, 1);
    link_set_log_is_empty(high.set, false);
    assert_true(turn_until(world, &low.ups, 2));
    link_ask_again(low.set, 2);
    turn_for(world, 200);
    assert_int_equal(low.downs, 1);
    close_pair(world, &low, &high);
}

/* Goal: a clean close is seen at once, and the node that comes back is linked again.
 * Method: close one side, time on_down of the other, open it anew at the same port. */
static void test_close_and_reconnect(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    struct node again;
    char bind[64];
    uint64_t closed_ms;

    open_pair(world, &low, &high);
    (void)snprintf(bind, sizeof(bind), "127.0.0.1:%u", link_port(low.set));
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 1, "bye"), 0);
    closed_ms = clock_mono_ms();
    close_node(world, &low);
    assert_true(turn_until(world, &high.downs, 1));
    assert_true(high.down_ms - closed_ms < 100);
    assert_string_equal(buf_text(&high.script), "1:bye "); /* what was queued went first */

    open_node(world, &(struct options){.id = 1, .bind = bind}, &again);
    introduce(&again, &high, "127.0.0.1");
    assert_true(turn_until(world, &again.ups, 1));
    assert_true(turn_until(world, &high.ups, 2));
    close_pair(world, &again, &high);
}

static void replace_certificates(struct world *world, struct node *node, unsigned authority)
{
    struct pki_files files;
    struct link_certificates *fresh = NULL;
    char fault[LINK_FAULT_BYTES_MAX];
    char name[32];

    (void)snprintf(name, sizeof(name), "node-%u", node->id);
    pki_issue(world->pki, authority, name, NULL, &files);
    assert_int_equal(link_certificates_load(&(struct link_files){files.ca, files.cert, files.key},
                                            fault, &fresh),
                     0);
    link_set_certificates_take(node->set, fresh);
}

/* Cut the link; does it come back within a moment? */
static bool comes_back(struct world *world, struct node *low, struct node *high)
{
    unsigned ups = low->ups;

    link_drop_peer(low->set, 2);
    assert_true(turn_until(world, &low->downs, ups));
    assert_true(turn_until(world, &high->downs, ups));
    introduce(low, high, "127.0.0.1");
    turn_for(world, 500);
    return low->ups > ups;
}

/* Goal: certificates and authority are replaced while links are up: those stay, new ones use what
 * is new. Method: another authority for one node, then for both; cut the link after each. */
static void test_new_certificates(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;

    open_pair(world, &low, &high);
    replace_certificates(world, &low, 1);
    assert_int_equal(send_text(&low, 2, LINK_URGENT, 1, "stays"), 0);
    assert_true(turn_until(world, &high.frames, 1));
    assert_int_equal(low.downs, 0);
    assert_false(comes_back(world, &low, &high));
    replace_certificates(world, &high, 1);
    assert_true(turn_until(world, &low.ups, 2));
    assert_true(comes_back(world, &low, &high));
    close_pair(world, &low, &high);
}

/* Goal: what other nodes would refuse is refused before it is used, with the file and the cause.
 * Method: a key, an authority and a name that do not fit. */
static void test_unusable_certificates(void **state)
{
    struct world *world = *state;
    struct link_certificates *loaded = NULL;
    char fault[LINK_FAULT_BYTES_MAX] = "";
    struct pki_files own;
    struct pki_files alien;
    struct link_files files;

    pki_issue(world->pki, 0, "node-1", NULL, &own);
    pki_issue(world->pki, 1, "node-1", NULL, &alien);
    files = (struct link_files){own.ca, own.cert, alien.key};
    assert_int_equal(link_certificates_load(&files, fault, &loaded), ERR_TLS);
    assert_non_null(strstr(fault, alien.key));

    files = (struct link_files){alien.ca, own.cert, own.key};
    assert_int_equal(link_certificates_load(&files, fault, &loaded), 0);
    assert_int_equal(link_certificates_check(loaded, &files, 1, fault), ERR_TLS);
    assert_non_null(strstr(fault, own.cert));
    link_certificates_free(&loaded);

    files.ca = own.ca;
    assert_int_equal(link_certificates_load(&files, fault, &loaded), 0);
    assert_int_equal(link_certificates_check(loaded, &files, 1, fault), 0);
    assert_int_equal(link_certificates_check(loaded, &files, 2, fault), ERR_TLS);
    assert_non_null(strstr(fault, "not the certificate of this node"));
    link_certificates_free(&loaded);
}

/* The child of the kill tests: node 2, dialling node 1 at port, until it is killed. */
static void run_child(uint16_t port, struct pki_files files)
{
    struct world world = {.pki = NULL};
    struct node node = {.id = 2};
    const struct link_events events = {
        .ctx = &node, .on_up = on_up, .on_down = on_down, .on_frame = on_frame};
    const struct link_config config = {.loop = &world.loop,
                                       .node_id = 2,
                                       .raft_id = 2,
                                       .bind = "127.0.0.1:0",
                                       .files = {files.ca, files.cert, files.key},
                                       .silence_ms = SILENCE_MS};
    char address[64];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    if (uv_loop_init(&world.loop) != 0 || link_set_open(&config, &events, &node.set) != 0) {
        _exit(1);
    }
    link_set_peer(node.set, 1, address);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    _exit(2);
}

/* Start node 2 as a process of its own, wait until it is linked, send it a signal and return how
 * long the other side took to notice. */
static uint64_t time_signal(struct world *world, int number)
{
    struct pki_files files;
    struct node low;
    uint64_t sent_ms;
    uint64_t took_ms;
    pid_t child;

    pki_issue(world->pki, 0, "node-2", NULL, &files);
    open_node(world, &(struct options){.id = 1}, &low);
    link_set_peer(low.set, 2, "127.0.0.1:1");
    child = fork();
    if (child == 0) {
        run_child(link_port(low.set), files);
    }
    assert_true(turn_until(world, &low.ups, 1));
    sent_ms = clock_mono_ms();
    (void)kill(child, number);
    assert_true(turn_until(world, &low.downs, 1));
    took_ms = low.down_ms - sent_ms;
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    close_node(world, &low);
    return took_ms;
}

/* Goal: the death of a process is noticed at once, not after the silence. */
static void test_kill_is_seen_at_once(void **state)
{
    assert_true(time_signal(*state, SIGKILL) < 200);
}

/* Goal: a process that hangs is noticed after the silence (its kernel goes on acknowledging). */
static void test_silence_is_noticed(void **state)
{
    uint64_t took_ms = time_signal(*state, SIGSTOP);

    assert_true(took_ms > SILENCE_MS / 2);
    assert_true(took_ms < SILENCE_MS * 3);
}

/* Goal: strangers at the port disturb nobody: garbage is answered by a close, of silent connections
 * few are kept and the others turned away at once, and a peer still gets in between them.
 * Method: a scanner's bytes, and 60 silent connections, before the peer dials. */
static void test_strangers_do_no_harm(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    int silent[60];
    unsigned kept = 0;
    char byte;
    int fd;

    open_node(world, &(struct options){.id = 1}, &low);
    fd = connect_to(link_port(low.set));
    assert_int_equal(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
    turn_for(world, 100);
    while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0) {
        continue; /* the TLS alert */
    }
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    (void)close(fd);

    for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
        silent[i] = connect_to(link_port(low.set));
        while (uv_run(&world->loop, UV_RUN_NOWAIT) == 0) {
            continue;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
        assert_int_equal(recv(silent[i], &byte, 1, MSG_DONTWAIT), -1);
        kept += errno == EAGAIN ? 1 : 0;
    }
    assert_in_range(kept, 1, LINK_PLACES_A_HOST);
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    assert_true(turn_until(world, &low.ups, 1));
    for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
        (void)close(silent[i]);
    }
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);
}

/* A connection from another address of this host, where no peer lives. */
static int connect_from_elsewhere(uint16_t port)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.66", &from.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    (void)connect(fd, (struct sockaddr *)&to, sizeof(to));
    return fd;
}

/* Goal: a flood from elsewhere keeps no peer out, costs few handshakes, and leaves the loop its
 * turns. Method: many connections before each turn of the loop until the peer is up; how many of
 * them a turn took. */
static void test_flood_from_elsewhere(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    int flood[40];
    uint64_t end_ms = clock_mono_ms() + WAIT_MS;

    open_node(world, &(struct options){.id = 1}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "127.0.0.1");
    while (low.ups == 0 && clock_mono_ms() < end_ms) {
        for (size_t i = 0; i < ARRAY_COUNT(flood); i++) {
            flood[i] = connect_from_elsewhere(link_port(low.set));
        }
        (void)uv_run(&world->loop, UV_RUN_ONCE);
        assert_true(low.set->listener.accepted[GUEST_STRANGER] <= LINK_ACCEPTED_A_TURN);
        assert_true(low.set->admitted[GUEST_STRANGER] <= LINK_ADMITTED_A_TICK);
        for (size_t i = 0; i < ARRAY_COUNT(flood); i++) {
            (void)close(flood[i]);
        }
    }
    assert_int_equal(low.ups, 1);
    close_pair(world, &low, &high);
}

/* All guests came so long ago, and the tick has handshakes to give. */
static void make_guests_old(struct link_set *set, uint64_t age_ms)
{
    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        conn->opened_ms = clock_mono_ms() - age_ms;
    }
    memset(set->admitted, 0, sizeof(set->admitted));
}

/* Goal: places are taken over from silent connections, but not before these had their chance, so
 * that a handshake under way ends well. Method: fill the places of a host, ask for one more while
 * all are new, then when all are old; look at the first. */
static void test_a_guest_has_its_chance(void **state)
{
    struct world *world = *state;
    struct node low;
    int guests[LINK_PLACES_A_HOST + 2];
    char byte;

    open_node(world, &(struct options){.id = 1}, &low);
    for (size_t i = 0; i < ARRAY_COUNT(guests); i++) {
        make_guests_old(low.set, i > LINK_PLACES_A_HOST ? LINK_CHANCE_MS : 0);
        guests[i] = connect_to(link_port(low.set));
        (void)uv_run(&world->loop, UV_RUN_ONCE);
        (void)uv_run(&world->loop, UV_RUN_ONCE);
        if (i == LINK_PLACES_A_HOST) {
            assert_int_equal(recv(guests[i], &byte, 1, MSG_DONTWAIT), -1);
            assert_int_equal(errno, ECONNRESET);
            assert_int_equal(recv(guests[0], &byte, 1, MSG_DONTWAIT), -1);
            assert_int_equal(errno, EAGAIN);
        }
    }
    assert_int_equal(recv(guests[0], &byte, 1, MSG_DONTWAIT), 0);
    for (size_t i = 0; i < ARRAY_COUNT(guests); i++) {
        (void)close(guests[i]);
    }
    close_node(world, &low);
}

/* Goal: IPv6 literals and host names work; a name that does not exist keeps nothing waiting. */
static void test_ipv6_and_names(void **state)
{
    struct world *world = *state;
    struct node low;
    struct node high;
    char address[64];

    open_node(world, &(struct options){.id = 1, .bind = "[::1]:0"}, &low);
    open_node(world, &(struct options){.id = 2, .bind = "[::]:0"}, &high);
    introduce(&low, &high, "127.0.0.1");
    link_set_peer(high.set, 1, "no-such-host.invalid:1");
    turn_for(world, 50);
    introduce(&high, &low, "[::1]");
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);

    open_node(world, &(struct options){.id = 1, .bind = "127.0.0.1:0"}, &low);
    open_node(world, &(struct options){.id = 2}, &high);
    assert_int_equal(gethostname(address, sizeof(address)), 0);
    introduce(&low, &high, "127.0.0.1");
    introduce(&high, &low, "ip4-localhost.localdomain.invalid");
    introduce(&high, &low, "LOCALHOST"); /* not the literal: goes through the resolver */
    assert_true(turn_until(world, &low.ups, 1));
    assert_true(turn_until(world, &high.ups, 1));
    close_pair(world, &low, &high);
}

/* Goal: unusable files and addresses are errors of the open call. */
static void test_open_errors(void **state)
{
    struct world *world = *state;
    struct node node;
    struct node taken;
    char bind[64];
    const struct link_config config = {.loop = &world->loop,
                                       .node_id = 1,
                                       .bind = "127.0.0.1:0",
                                       .silence_ms = 1,
                                       .files = {"/nonexistent", "/nonexistent", "/nonexistent"}};
    const struct link_events events = {
        .ctx = NULL, .on_up = on_up, .on_down = on_down, .on_frame = on_frame};

    assert_int_equal(link_set_open(&config, &events, &node.set), ERR_TLS);
    assert_int_equal(try_open(world, &(struct options){.id = 1, .bind = "127.0.0.1"}, &node),
                     ERR_IO);
    open_node(world, &(struct options){.id = 1}, &taken);
    (void)snprintf(bind, sizeof(bind), "127.0.0.1:%u", link_port(taken.set));
    assert_int_equal(try_open(world, &(struct options){.id = 1, .bind = bind}, &node), ERR_IO);
    close_node(world, &taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_both_ways_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_urgent_overtakes_bulk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_change_under_load, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queue_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_certificates_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dialled_name_is_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dns_name_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_and_dropped_peers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retired_raft_id_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asked_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_and_reconnect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unusable_certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_is_seen_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strangers_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood_from_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_guest_has_its_chance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ipv6_and_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_errors, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
