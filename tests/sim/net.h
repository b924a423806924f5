/* net - the network between the hosts: streams that arrive late, stall and break as those of TCP
 * do, never with a byte lost, twice or out of order within one. A cut holds back what is under way
 * until it is mended; whoever waits for too long is told that the stream broke. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "tests/sim/machine.h"

#include <netinet/in.h>
#include <sys/types.h>

struct net_socket;

void net_init(void);
/** Host of an address; NULL: none has it. */
struct sim_host *net_host_at(const struct sockaddr_in *address);
struct sockaddr_in net_address(uint32_t host_number, uint16_t port);

/* ---- sockets. Errors are negative errno. They are never freed: a run is short. */

struct net_socket *net_socket_new(struct sim_host *host);
/** on_change is called whenever something may go on that could not. */
void net_watch(struct net_socket *socket, void (*on_change)(void *ctx), void *ctx);
int net_bind(struct net_socket *socket, const struct sockaddr_in *address);
void net_share_port(struct net_socket *socket);
int net_listen(struct net_socket *socket);
/** Done when net_is_open(), or net_error(). */
int net_connect(struct net_socket *socket, const struct sockaddr_in *address);
bool net_is_open(const struct net_socket *socket);
int net_error(const struct net_socket *socket);
/** NULL: nobody waits. */
struct net_socket *net_accept(struct net_socket *socket);
bool net_has_callers(const struct net_socket *socket);
/** How much was taken, or -EAGAIN, or why the stream is broken. */
ssize_t net_write(struct net_socket *socket, const void *data, size_t len);
/** 0: the other side has said all. */
ssize_t net_read(struct net_socket *socket, void *data, size_t len);
void net_shutdown(struct net_socket *socket);
void net_close(struct net_socket *socket);
void net_reset(struct net_socket *socket);
struct sockaddr_in net_local(const struct net_socket *socket);
struct sockaddr_in net_remote(const struct net_socket *socket);
/** The stream breaks when what it sent is not taken for so long. */
void net_set_user_timeout(struct net_socket *socket, uint32_t ms);

/* ---- what happens to it */

/** Of what goes from one host to another; 0: all of them. */
void net_cut(uint32_t from, uint32_t to, bool is_cut);
void net_mend_all(void);
/** A way takes so long, and up to so much longer; of_thousand packets are lost and sent again. */
void net_set_delay(uint64_t delay_us, uint64_t jitter_us, unsigned lost_of_thousand);
/** The kernel of a host ends the streams of its program. */
void net_lose_program(struct sim_host *host);
/** Nobody ends them. */
void net_lose_power(struct sim_host *host);
void net_power_on(struct sim_host *host);

#endif
