#include "tests/sim/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKETS_MAX       100000
#define WINDOW_BYTES      (256 * 1024) /* sent, and not yet read */
#define BACKLOG_MAX       64
#define RETRY_US          200000 /* a packet that was lost is sent again */
#define RETRY_US_MAX      3000000
#define USER_TIMEOUT_MS   30000
#define PORT_FIRST        32768
#define SEGMENT_BYTES_MAX 65536

enum segment_kind { SEGMENT_SYN, SEGMENT_OPEN, SEGMENT_DATA, SEGMENT_FIN, SEGMENT_RESET };

struct segment {
    struct segment *next;
    enum segment_kind kind;
    uint64_t arrives_us;
    size_t len;
    uint8_t bytes[];
};

enum socket_state {
    STATE_NEW,
    STATE_LISTENS,
    STATE_CONNECTS,
    STATE_OPEN,
    STATE_BROKEN,
    STATE_CLOSED
};

struct net_socket {
    uint32_t number;
    struct sim_host *host;
    enum socket_state state;
    bool is_bound;
    bool shares_port;
    struct sockaddr_in local;
    struct sockaddr_in remote;
    void (*on_change)(void *ctx);
    void *ctx;
    int error;
    struct net_socket *peer;

    /* to the peer */
    struct segment *first;
    struct segment **last;
    size_t under_way;    /* bytes */
    uint64_t arrives_us; /* of the last one */
    bool is_moving;      /* an event waits for the first */
    uint64_t stalled_us; /* since when; 0: it is not */
    uint32_t user_timeout_ms;
    bool has_said_all;

    /* from the peer */
    uint8_t *in;
    size_t in_len;
    size_t in_room;
    bool is_over; /* the peer has said all */

    struct net_socket *callers[BACKLOG_MAX];
    size_t caller_count;
};

static struct {
    struct net_socket *sockets[SOCKETS_MAX];
    size_t count;
    bool is_cut[SIM_HOSTS_MAX + 1][SIM_HOSTS_MAX + 1];
    uint64_t delay_us;
    uint64_t jitter_us;
    unsigned lost_of_thousand;
    uint16_t next_port;
} net;

void net_init(void)
{
    memset(&net, 0, sizeof(net));
    net.next_port = PORT_FIRST;
    net_set_delay(100, 100, 0);
}

struct sim_host *net_host_at(const struct sockaddr_in *address)
{
    uint32_t number = ntohl(address->sin_addr.s_addr) & 0xff;

    return number == 0 || number > SIM_HOSTS_MAX ? NULL : machine_host(number);
}

struct sockaddr_in net_address(uint32_t host_number, uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(0x0a000000 | host_number)};
}

static bool is_same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
}

/* ---- sockets */

struct net_socket *net_socket_new(struct sim_host *host)
{
    struct net_socket *socket = calloc(1, sizeof(*socket));

    if (socket == NULL || net.count == SOCKETS_MAX) {
        (void)fprintf(stderr, "sim: too many sockets\n");
        abort();
    }
    socket->number = (uint32_t)net.count;
    socket->host = host;
    socket->local = net_address(host->number, 0);
    socket->last = &socket->first;
    socket->user_timeout_ms = USER_TIMEOUT_MS;
    net.sockets[net.count++] = socket;
    return socket;
}

void net_watch(struct net_socket *socket, void (*on_change)(void *ctx), void *ctx)
{
    socket->on_change = on_change;
    socket->ctx = ctx;
}

static void tell(struct net_socket *socket)
{
    if (socket->on_change != NULL && socket->state != STATE_CLOSED) {
        socket->on_change(socket->ctx);
    }
}

static bool is_taken(const struct net_socket *socket, const struct sockaddr_in *address)
{
    for (size_t i = 0; i < net.count; i++) {
        const struct net_socket *other = net.sockets[i];

        if (other != socket && other->state == STATE_LISTENS && is_same(&other->local, address) &&
            !(other->shares_port && socket->shares_port)) {
            return true;
        }
    }
    return false;
}

int net_bind(struct net_socket *socket, const struct sockaddr_in *address)
{
    struct sockaddr_in wanted = *address;

    if (wanted.sin_addr.s_addr == htonl(INADDR_ANY)) {
        wanted.sin_addr = socket->local.sin_addr;
    }
    if (wanted.sin_addr.s_addr != socket->local.sin_addr.s_addr) {
        return -EADDRNOTAVAIL;
    }
    if (wanted.sin_port != 0 && is_taken(socket, &wanted)) {
        return -EADDRINUSE;
    }
    socket->local = wanted;
    socket->is_bound = true;
    return 0;
}

void net_share_port(struct net_socket *socket)
{
    socket->shares_port = true;
}

static void choose_port(struct net_socket *socket)
{
    if (socket->local.sin_port == 0) {
        socket->local.sin_port = htons(net.next_port++);
    }
}

int net_listen(struct net_socket *socket)
{
    choose_port(socket);
    if (is_taken(socket, &socket->local)) {
        return -EADDRINUSE;
    }
    socket->state = STATE_LISTENS;
    return 0;
}

bool net_is_open(const struct net_socket *socket)
{
    return socket->state == STATE_OPEN;
}

int net_error(const struct net_socket *socket)
{
    return socket->error;
}

struct sockaddr_in net_local(const struct net_socket *socket)
{
    return socket->local;
}

struct sockaddr_in net_remote(const struct net_socket *socket)
{
    return socket->remote;
}

void net_set_user_timeout(struct net_socket *socket, uint32_t ms)
{
    socket->user_timeout_ms = ms == 0 ? USER_TIMEOUT_MS : ms;
}

static void break_off(struct net_socket *socket, int error)
{
    if (socket->state == STATE_CONNECTS || socket->state == STATE_OPEN) {
        socket->state = STATE_BROKEN;
        socket->error = -error;
        tell(socket);
    }
}

/* ---- what is under way */

static void arrive(void *ctx);

static bool is_way_cut(const struct net_socket *socket)
{
    const struct sim_host *to = net_host_at(&socket->remote);

    return net.is_cut[socket->host->number][to->number] || !to->is_powered ||
           !socket->host->is_powered;
}

static void move(struct net_socket *socket)
{
    if (socket->first != NULL && !socket->is_moving && socket->stalled_us == 0) {
        socket->is_moving = true;
        machine_at(socket->first->arrives_us, arrive, socket);
    }
}

static void send_segment(struct net_socket *socket, enum segment_kind kind, const void *data,
                         size_t len)
{
    struct segment *segment = malloc(sizeof(*segment) + len);
    uint64_t delay_us = net.delay_us + machine_draw(net.jitter_us + 1);

    if (segment == NULL) {
        abort();
    }
    if (net.lost_of_thousand > 0 && machine_chance(net.lost_of_thousand)) {
        delay_us += RETRY_US;
    }
    *segment =
        (struct segment){.kind = kind, .arrives_us = machine_now_us() + delay_us, .len = len};
    if (segment->arrives_us < socket->arrives_us) {
        segment->arrives_us = socket->arrives_us;
    }
    socket->arrives_us = segment->arrives_us;
    if (len > 0) {
        memcpy(segment->bytes, data, len);
    }
    *socket->last = segment;
    socket->last = &segment->next;
    socket->under_way += len;
    move(socket);
}

static void give_up(void *ctx)
{
    struct net_socket *socket = ctx;
    uint64_t timeout_us = socket->user_timeout_ms * UINT64_C(1000);

    if (socket->stalled_us != 0 && machine_now_us() - socket->stalled_us >= timeout_us) {
        break_off(socket, ETIMEDOUT);
    }
}

static void stall(struct net_socket *socket)
{
    socket->stalled_us = machine_now_us();
    machine_at(socket->stalled_us + socket->user_timeout_ms * UINT64_C(1000), give_up, socket);
}

static struct net_socket *find_listener(const struct sockaddr_in *address)
{
    struct net_socket *found[8];
    size_t count = 0;

    for (size_t i = 0; i < net.count && count < 8; i++) {
        if (net.sockets[i]->state == STATE_LISTENS && is_same(&net.sockets[i]->local, address)) {
            found[count++] = net.sockets[i];
        }
    }
    return count == 0 ? NULL : found[machine_draw(count)];
}

static void on_syn(struct net_socket *caller)
{
    struct net_socket *listener = find_listener(&caller->remote);
    struct net_socket *socket = net_socket_new(net_host_at(&caller->remote));

    socket->local = caller->remote;
    socket->remote = caller->local;
    socket->peer = caller;
    if (listener == NULL || listener->caller_count == BACKLOG_MAX) {
        socket->state = STATE_CLOSED;
        send_segment(socket, SEGMENT_RESET, NULL, 0);
        return;
    }
    caller->peer = socket;
    socket->state = STATE_OPEN;
    send_segment(socket, SEGMENT_OPEN, NULL, 0);
    listener->callers[listener->caller_count++] = socket;
    tell(listener);
}

static void on_data(struct net_socket *socket, const struct segment *segment)
{
    if (socket->in_len + segment->len > socket->in_room) {
        socket->in_room = 2 * (socket->in_len + segment->len);
        socket->in = realloc(socket->in, socket->in_room);
        if (socket->in == NULL) {
            abort();
        }
    }
    memcpy(socket->in + socket->in_len, segment->bytes, segment->len);
    socket->in_len += segment->len;
    tell(socket);
}

static void deliver(struct net_socket *from, const struct segment *segment)
{
    struct net_socket *to = from->peer;

    if (segment->kind == SEGMENT_SYN) {
        on_syn(from);
        return;
    }
    if (to == NULL || to->state == STATE_CLOSED || to->state == STATE_BROKEN) {
        if (to != NULL && segment->kind == SEGMENT_DATA) {
            send_segment(to, SEGMENT_RESET, NULL, 0);
        }
        return;
    }
    switch (segment->kind) {
    case SEGMENT_SYN:
        break;
    case SEGMENT_OPEN:
        if (to->state == STATE_CONNECTS) {
            to->state = STATE_OPEN;
            tell(to);
        }
        break;
    case SEGMENT_DATA:
        on_data(to, segment);
        break;
    case SEGMENT_FIN:
        to->is_over = true;
        tell(to);
        break;
    case SEGMENT_RESET:
        break_off(to, to->state == STATE_CONNECTS ? ECONNREFUSED : ECONNRESET);
        break;
    }
}

static void arrive(void *ctx)
{
    struct net_socket *socket = ctx;
    struct segment *segment = socket->first;

    socket->is_moving = false;
    if (segment == NULL) {
        return;
    }
    if (is_way_cut(socket)) {
        stall(socket);
        return;
    }
    socket->first = segment->next;
    if (socket->first == NULL) {
        socket->last = &socket->first;
    }
    socket->under_way -= segment->len;
    deliver(socket, segment);
    free(segment);
    if (socket->state == STATE_OPEN) {
        tell(socket); /* there is room again */
    }
    move(socket);
}

/* ---- use */

int net_connect(struct net_socket *socket, const struct sockaddr_in *address)
{
    if (net_host_at(address) == NULL) {
        return -ENETUNREACH;
    }
    choose_port(socket);
    socket->remote = *address;
    socket->state = STATE_CONNECTS;
    send_segment(socket, SEGMENT_SYN, NULL, 0);
    return 0;
}

bool net_has_callers(const struct net_socket *socket)
{
    return socket->caller_count > 0;
}

struct net_socket *net_accept(struct net_socket *socket)
{
    struct net_socket *caller;

    if (socket->caller_count == 0) {
        return NULL;
    }
    caller = socket->callers[0];
    socket->caller_count--;
    memmove(socket->callers, socket->callers + 1, socket->caller_count * sizeof(caller));
    return caller;
}

ssize_t net_write(struct net_socket *socket, const void *data, size_t len)
{
    size_t used = socket->under_way + (socket->peer == NULL ? 0 : socket->peer->in_len);
    size_t room = used >= WINDOW_BYTES ? 0 : WINDOW_BYTES - used;

    if (socket->state == STATE_BROKEN) {
        return socket->error;
    }
    if (socket->state != STATE_OPEN || socket->has_said_all) {
        return -EPIPE;
    }
    len = len < room ? len : room;
    if (len == 0) {
        return -EAGAIN;
    }
    for (size_t at = 0; at < len; at += SEGMENT_BYTES_MAX) {
        size_t rest = len - at;

        send_segment(socket, SEGMENT_DATA, (const uint8_t *)data + at,
                     rest < SEGMENT_BYTES_MAX ? rest : SEGMENT_BYTES_MAX);
    }
    return (ssize_t)len;
}

ssize_t net_read(struct net_socket *socket, void *data, size_t len)
{
    if (socket->in_len > 0) {
        len = len < socket->in_len ? len : socket->in_len;
        memcpy(data, socket->in, len);
        socket->in_len -= len;
        memmove(socket->in, socket->in + len, socket->in_len);
        if (socket->peer != NULL) {
            tell(socket->peer);
        }
        return (ssize_t)len;
    }
    if (socket->state == STATE_BROKEN) {
        return socket->error;
    }
    return socket->is_over ? 0 : -EAGAIN;
}

void net_shutdown(struct net_socket *socket)
{
    if (socket->state == STATE_OPEN && !socket->has_said_all) {
        socket->has_said_all = true;
        send_segment(socket, SEGMENT_FIN, NULL, 0);
    }
}

static void end(struct net_socket *socket, bool says_so, bool resets)
{
    bool was_open = socket->state == STATE_OPEN;

    if (socket->state == STATE_LISTENS) {
        for (size_t i = 0; i < socket->caller_count; i++) {
            end(socket->callers[i], says_so, true);
        }
        socket->caller_count = 0;
    }
    if (was_open && says_so && resets) {
        send_segment(socket, SEGMENT_RESET, NULL, 0);
    } else if (was_open && says_so) {
        net_shutdown(socket);
    }
    socket->state = STATE_CLOSED;
    free(socket->in);
    socket->in = NULL;
    socket->in_len = 0;
    socket->in_room = 0;
}

/* A kernel that has bytes nobody will read says so (RFC 1122 §4.2.2.13). */
void net_close(struct net_socket *socket)
{
    end(socket, true, socket->in_len > 0);
}

void net_reset(struct net_socket *socket)
{
    end(socket, true, true);
}

/* ---- what happens to it */

void net_set_delay(uint64_t delay_us, uint64_t jitter_us, unsigned lost_of_thousand)
{
    net.delay_us = delay_us;
    net.jitter_us = jitter_us;
    net.lost_of_thousand = lost_of_thousand;
}

/* What stood still goes on, when it is sent again. */
static void revive(void)
{
    for (size_t i = 0; i < net.count; i++) {
        struct net_socket *socket = net.sockets[i];

        if (socket->stalled_us != 0 && !is_way_cut(socket)) {
            uint64_t again_us =
                machine_now_us() + RETRY_US / 10 + machine_draw(RETRY_US_MAX - RETRY_US);

            socket->stalled_us = 0;
            for (struct segment *segment = socket->first; segment != NULL;
                 segment = segment->next) {
                if (segment->arrives_us < again_us) {
                    segment->arrives_us = again_us;
                }
            }
            if (socket->arrives_us < again_us) {
                socket->arrives_us = again_us;
            }
            move(socket);
        }
    }
}

void net_cut(uint32_t from, uint32_t to, bool is_cut)
{
    for (uint32_t i = 1; i <= SIM_HOSTS_MAX; i++) {
        for (uint32_t j = 1; j <= SIM_HOSTS_MAX; j++) {
            if (i != j && (from == 0 || from == i) && (to == 0 || to == j)) {
                net.is_cut[i][j] = is_cut;
            }
        }
    }
    if (!is_cut) {
        revive();
    }
}

void net_mend_all(void)
{
    net_cut(0, 0, false);
}

void net_lose_program(struct sim_host *host)
{
    for (size_t i = 0; i < net.count; i++) {
        if (net.sockets[i]->host == host && net.sockets[i]->state != STATE_CLOSED) {
            end(net.sockets[i], true, net.sockets[i]->in_len > 0);
        }
    }
}

void net_lose_power(struct sim_host *host)
{
    host->is_powered = false;
    for (size_t i = 0; i < net.count; i++) {
        if (net.sockets[i]->host == host) {
            end(net.sockets[i], false, false);
        }
    }
}

void net_power_on(struct sim_host *host)
{
    host->is_powered = true;
    revive();
}
