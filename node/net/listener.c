#include "node/net/listener.h"

#include "node/base/address.h"
#include "node/base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* After the death of a node all its clients come at once; the kernel cuts it to somaxconn. */
#define CLIENT_BACKLOG 4096
/* Probe an idle connection after a minute: middleboxes forget idle ones, and the dead are found. */
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 20

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

int listener_open(const char *address, enum listener_use use, int *fd_out)
{
    struct sockaddr_storage socket_address;
    int fd = -1;

    if (address_lookup(address, &socket_address) != 0) {
        log_error("listener.address_unknown", LOG_STR("address", address));
        return ERR_CONFIG;
    }
    fd = socket(socket_address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        goto fail;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* restart while old connections linger */
    if (use == LISTENER_SHARED) {
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (socket_address.ss_family == AF_INET6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    if (bind(fd, (struct sockaddr *)&socket_address, address_len(&socket_address)) != 0 ||
        listen(fd, CLIENT_BACKLOG) != 0) {
        goto fail;
    }
    *fd_out = fd;
    return 0;

fail:
    log_error("listener.open_failed", LOG_STR("address", address),
              LOG_STR("cause", strerror(errno)));
    if (fd >= 0) {
        (void)close(fd);
    }
    return ERR_IO;
}

uint16_t listener_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    return address_port(&address);
}

void listener_tune_client(int fd, uint32_t dead_after_ms)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)dead_after_ms);
}
