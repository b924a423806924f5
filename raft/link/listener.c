/* Two sockets at the address of the links, one for those who come from where a peer lives. A flood
 * fills the queue that the kernel keeps for a socket, and a peer that finds it full asks again a
 * second later, to find it full again. So strangers and peers wait in queues of their own: the
 * sockets share the port (SO_REUSEPORT, socket(7)), and a filter in the kernel chooses between them
 * by the sender's address. */
#include "node/base/log.h"
#include "raft/link/internal.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As much of a flood as comes between two turns of the loop. */
#define LINK_BACKLOG 1024

/* Where the filter finds the sender (RFC 791 §3.1, RFC 8200 §3). */
#define AT_VERSION     ((uint32_t)SKF_NET_OFF)
#define AT_V4_SOURCE   ((uint32_t)SKF_NET_OFF + 12)
#define AT_V6_SOURCE   ((uint32_t)SKF_NET_OFF + 8)
#define V4_HOST_STEPS  2
#define V6_HOST_STEPS  9
#define FRAME_STEPS    7 /* all that is not about one host */
#define FILTER_STEPS   (FRAME_STEPS + LINK_HOSTS_MAX * V6_HOST_STEPS)
#define V6_WORDS       4
#define WORD_BYTES     4u
#define VERSION_SHIFT  4
#define V4_MAPPED_WORD 3

struct filter {
    struct sock_filter steps[FILTER_STEPS];
    unsigned short count;
};

/* ---------------------------------------------------------------- the filter */

static void add(struct filter *filter, uint16_t code, uint8_t jump_true, uint8_t jump_false,
                uint32_t k)
{
    ASSERT(filter->count < FILTER_STEPS);
    filter->steps[filter->count++] =
        (struct sock_filter){.code = code, .jt = jump_true, .jf = jump_false, .k = k};
}

/* The filter's result is the number of a door. */
static void add_door(struct filter *filter, enum link_guest door)
{
    add(filter, BPF_RET | BPF_K, 0, 0, door);
}

static uint32_t word_of(const struct in6_addr *host, size_t word)
{
    uint32_t big_endian;

    memcpy(&big_endian, &host->s6_addr[word * sizeof(big_endian)], sizeof(big_endian));
    return ntohl(big_endian);
}

static void add_v4_hosts(struct filter *filter, const struct link_hosts *hosts)
{
    add(filter, BPF_LD | BPF_W | BPF_ABS, 0, 0, AT_V4_SOURCE);
    for (size_t i = 0; i < hosts->count; i++) {
        if (IN6_IS_ADDR_V4MAPPED(&hosts->at[i])) {
            add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, V4_HOST_STEPS - 1,
                word_of(&hosts->at[i], V4_MAPPED_WORD));
            add_door(filter, GUEST_NEIGHBOUR);
        }
    }
    add_door(filter, GUEST_STRANGER);
}

static void add_v6_hosts(struct filter *filter, const struct link_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        if (IN6_IS_ADDR_V4MAPPED(&hosts->at[i])) {
            continue;
        }
        for (uint8_t word = 0; word < V6_WORDS; word++) {
            uint8_t to_next_host = (uint8_t)(V6_HOST_STEPS - 2 * (word + 1));

            add(filter, BPF_LD | BPF_W | BPF_ABS, 0, 0, AT_V6_SOURCE + word * WORD_BYTES);
            add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, to_next_host, word_of(&hosts->at[i], word));
        }
        add_door(filter, GUEST_NEIGHBOUR);
    }
    add_door(filter, GUEST_STRANGER);
}

static void compose(struct filter *filter, const struct link_hosts *hosts)
{
    unsigned short jump;

    add(filter, BPF_LD | BPF_B | BPF_ABS, 0, 0, AT_VERSION);
    add(filter, BPF_ALU | BPF_RSH | BPF_K, 0, 0, VERSION_SHIFT);
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 4);
    jump = filter->count;
    add(filter, BPF_JMP | BPF_JA, 0, 0, 0);
    add_v4_hosts(filter, hosts);
    filter->steps[jump].k = filter->count - jump - 1u;
    add_v6_hosts(filter, hosts);
}

static int fd_of(const uv_tcp_t *door)
{
    uv_os_fd_t fd = -1;

    (void)uv_fileno((const uv_handle_t *)door, &fd);
    return fd;
}

void link_listener_aim(struct link_set *set)
{
    struct link_listener *listener = &set->listener;
    struct link_hosts hosts = {.count = 0};
    struct filter filter = {.count = 0};
    struct sock_fprog program = {.filter = filter.steps};

    link_gate_hosts(set, &hosts);
    if (listener->aimed && hosts.count == listener->hosts.count &&
        memcmp(hosts.at, listener->hosts.at, hosts.count * sizeof(hosts.at[0])) == 0) {
        return;
    }
    compose(&filter, &hosts);
    program.len = filter.count;
    if (setsockopt(fd_of(&listener->doors[GUEST_STRANGER]), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
                   &program, sizeof(program)) == 0) {
        listener->aimed = true;
        listener->hosts = hosts;
    } else if (!listener->complained) {
        listener->complained = true; /* new peers wait where a flood can fill the queue */
        log_warn("link.filter_failed", LOG_STR("cause", strerror(errno)));
    }
}

/* ---------------------------------------------------------------- the doors */

static void accept_at(struct link_set *set, enum link_guest door)
{
    set->listener.accepted[door]++;
    link_conn_accept(set, &set->listener.doors[door]);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct link_set *set = stream->data;
    enum link_guest door = (uv_tcp_t *)stream == &set->listener.doors[GUEST_NEIGHBOUR]
                               ? GUEST_NEIGHBOUR
                               : GUEST_STRANGER;

    if (status == 0 && set->listener.accepted[door] < LINK_ACCEPTED_A_TURN) {
        accept_at(set, door);
    } else if (status == 0) {
        set->listener.waits[door] = true;
    }
}

void link_listener_turn(struct link_set *set)
{
    struct link_listener *listener = &set->listener;

    memset(listener->accepted, 0, sizeof(listener->accepted));
    for (enum link_guest door = 0; door < GUEST_KINDS; door++) {
        if (listener->waits[door]) {
            listener->waits[door] = false;
            accept_at(set, door);
        }
    }
}

static int open_socket(uv_tcp_t *tcp, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? uv_translate_sys_error(errno) : uv_tcp_open(tcp, fd);

    if (fd >= 0 && rc != 0) {
        (void)close(fd);
    }
    return rc;
}

static int share_port(const uv_tcp_t *tcp)
{
    const int on = 1;

    return setsockopt(fd_of(tcp), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0
               ? 0
               : uv_translate_sys_error(errno);
}

static int listen_at(struct link_listener *listener, enum link_guest door)
{
    return uv_listen((uv_stream_t *)&listener->doors[door], LINK_BACKLOG, on_connection);
}

/* The port is shared only once the first door listens there alone: else two nodes with the same
 * address by mistake would each get half of the links. In this order, too, the doors get the
 * numbers that the filter calls them by. */
static int open_doors(struct link_listener *listener, struct sockaddr_storage *address)
{
    uv_tcp_t *first = &listener->doors[GUEST_STRANGER];
    uv_tcp_t *second = &listener->doors[GUEST_NEIGHBOUR];
    int len = sizeof(*address);
    int rc = open_socket(first, address->ss_family);

    rc = rc == 0 ? uv_tcp_bind(first, (struct sockaddr *)address, 0) : rc;
    rc = rc == 0 ? listen_at(listener, GUEST_STRANGER) : rc;
    rc = rc == 0 ? uv_tcp_getsockname(first, (struct sockaddr *)address, &len) : rc;
    rc = rc == 0 ? share_port(first) : rc;
    rc = rc == 0 ? open_socket(second, address->ss_family) : rc;
    rc = rc == 0 ? share_port(second) : rc;
    rc = rc == 0 ? uv_tcp_bind(second, (struct sockaddr *)address, 0) : rc;
    return rc == 0 ? listen_at(listener, GUEST_NEIGHBOUR) : rc;
}

/* The same address with any port; nothing when that is any address. */
static void note_source(struct link_listener *listener, const struct sockaddr_storage *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->ss_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        v4.sin_port = 0;
        if (v4.sin_addr.s_addr != htonl(INADDR_ANY)) {
            memcpy(&listener->source, &v4, sizeof(v4));
        }
    } else {
        memcpy(&v6, address, sizeof(v6));
        v6.sin6_port = 0;
        if (!IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) {
            memcpy(&listener->source, &v6, sizeof(v6));
        }
    }
}

int link_listener_open(struct link_set *set, const char *bind)
{
    struct sockaddr_storage address;
    const char *cause = "not an address of this host";

    if (address_lookup(bind, &address) == 0) {
        int rc = open_doors(&set->listener, &address);

        if (rc == 0) {
            note_source(&set->listener, &address);
            link_listener_aim(set);
            return 0;
        }
        cause = uv_strerror(rc);
    }
    log_error("link.bind_failed", LOG_STR("address", bind), LOG_STR("cause", cause));
    return ERR_IO;
}
