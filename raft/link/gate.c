/* Who may begin a handshake on a connection that was accepted. A handshake costs the raft thread a
 * thousand times what closing a socket costs, and whoever reaches the port can ask for one: so few
 * are begun a tick and few are under way, those from addresses of peers apart from all others. Who
 * is turned away costs little, and the listener stays empty enough that peers reach it. */
#include "node/base/clock.h"
#include "raft/link/internal.h"

#include <netinet/in.h>
#include <string.h>

/* IPv4 as mapped into IPv6 (RFC 4291 §2.5.5.2), as a listener of both sees it. */
static struct in6_addr host_of(const struct sockaddr_storage *address)
{
    struct in6_addr host = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->ss_family == AF_INET6) {
        memcpy(&v6, address, sizeof(v6));
        return v6.sin6_addr;
    }
    memcpy(&v4, address, sizeof(v4));
    memcpy(&host.s6_addr[12], &v4.sin_addr, sizeof(v4.sin_addr));
    return host;
}

static bool is_same_host(const struct in6_addr *a, const struct in6_addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Where a peer lives, as far as it is known; a name may have several addresses. */
static size_t hosts_of(const struct link_peer *peer, struct in6_addr hosts[RESOLVE_ADDRESSES_MAX])
{
    struct sockaddr_storage numeric;

    if (peer->address_valid && address_numeric(&peer->address, &numeric)) {
        hosts[0] = host_of(&numeric);
        return 1;
    }
    for (size_t i = 0; i < peer->resolved.count; i++) {
        hosts[i] = host_of(&peer->resolved.addresses[i]);
    }
    return peer->resolved.count;
}

/* Those that have the higher id dial us. */
static bool dials_us(const struct link_set *set, const struct link_peer *peer)
{
    return peer->node_id > set->node_id;
}

static size_t count_peers_at(const struct link_set *set, const struct in6_addr *host)
{
    struct in6_addr hosts[RESOLVE_ADDRESSES_MAX];
    size_t count = 0;

    for (const struct link_peer *peer = set->peers; peer != NULL; peer = peer->next) {
        size_t known = dials_us(set, peer) ? hosts_of(peer, hosts) : 0;

        for (size_t i = 0; i < known; i++) {
            if (is_same_host(&hosts[i], host)) {
                count++;
                break;
            }
        }
    }
    return count;
}

void link_gate_hosts(const struct link_set *set, struct link_hosts *out)
{
    out->count = 0;
    for (const struct link_peer *peer = set->peers; peer != NULL; peer = peer->next) {
        struct in6_addr hosts[RESOLVE_ADDRESSES_MAX];
        size_t known = dials_us(set, peer) ? hosts_of(peer, hosts) : 0;

        for (size_t i = 0; i < known && out->count < LINK_HOSTS_MAX; i++) {
            out->at[out->count++] = hosts[i];
        }
    }
}

/* How many guests of a kind are under way, of all hosts or of one; and the oldest of them: new
 * connections stand first. */
static size_t count_guests(const struct link_set *set, const struct link_conn *newcomer,
                           bool of_one_host, struct link_conn **oldest_out)
{
    size_t count = 0;

    for (struct link_conn *conn = set->conns; conn != NULL; conn = conn->next) {
        if (conn == newcomer || conn->dialled || conn->state >= CONN_UP ||
            conn->guest != newcomer->guest ||
            (of_one_host && !is_same_host(&conn->host, &newcomer->host))) {
            continue;
        }
        *oldest_out = conn;
        count++;
    }
    return count;
}

/* Is there a place among max? The oldest makes room once it has had its chance. */
static bool find_place(const struct link_conn *newcomer, bool of_one_host, size_t max)
{
    struct link_conn *oldest = NULL;

    if (count_guests(newcomer->set, newcomer, of_one_host, &oldest) < max) {
        return true;
    }
    if (newcomer->opened_ms - oldest->opened_ms < LINK_CHANCE_MS) {
        return false;
    }
    link_conn_fail(oldest, "too many unfinished links");
    return true;
}

bool link_gate_admits(struct link_conn *conn)
{
    struct link_set *set = conn->set;
    struct sockaddr_storage address;
    int len = sizeof(address);
    size_t peers;

    if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &len) != 0) {
        return false; /* gone again */
    }
    conn->host = host_of(&address);
    peers = count_peers_at(set, &conn->host);
    conn->guest = peers > 0 ? GUEST_NEIGHBOUR : GUEST_STRANGER;
    if (set->admitted[conn->guest] == LINK_ADMITTED_A_TICK) {
        return false;
    }
    if (peers > 0 ? !find_place(conn, true, peers * LINK_PLACES_A_PEER)
                  : !find_place(conn, true, LINK_PLACES_A_HOST) ||
                        !find_place(conn, false, LINK_STRANGERS_MAX)) {
        return false;
    }
    set->admitted[conn->guest]++;
    return true;
}
