#include "node/worker/door.h"

#include "node/base/address.h"
#include "node/base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 1024

int door_bind(const char *host, uint16_t port, bool shared)
{
    struct address address = {.port = port};
    struct sockaddr_storage storage;
    socklen_t len;
    int on = 1;
    int fd;

    (void)snprintf(address.host, sizeof(address.host), "%s", host);
    if (!address_numeric(&address, &storage)) {
        errno = EINVAL;
        return -1;
    }
    len = storage.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, (const struct sockaddr *)&storage, len) != 0) {
        int cause = errno;

        (void)close(fd);
        errno = cause;
        return -1;
    }
    return fd;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct door *door = stream->data;

    if (status == 0) {
        door->on_connection(door);
    } else {
        log_warn("door.accept_failed", LOG_STR("cause", uv_strerror(status)));
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct door *door = handle->data;

    door->is_closing = false;
}

void door_close(struct door *door)
{
    if (door->is_open) {
        door->is_open = false;
        door->is_closing = true;
        uv_close((uv_handle_t *)&door->tcp, on_closed);
    }
}

int door_open(struct door *door, uv_loop_t *loop, const char *host, uint16_t port)
{
    int fd;
    int rc;

    if (door->is_open) {
        return 0;
    }
    if (door->is_closing) {
        return ERR_BUSY;
    }
    fd = door_bind(host, port, true);
    if (fd < 0) {
        log_error("door.bind_failed", LOG_STR("host", host), LOG_UINT("port", port),
                  LOG_STR("cause", strerror(errno)));
        return ERR_IO;
    }
    (void)uv_tcp_init(loop, &door->tcp);
    door->tcp.data = door;
    door->is_open = true;
    rc = uv_tcp_open(&door->tcp, fd);
    if (rc != 0) {
        (void)close(fd);
    } else {
        rc = uv_listen((uv_stream_t *)&door->tcp, BACKLOG, on_connection);
    }
    if (rc != 0) {
        log_error("door.listen_failed", LOG_UINT("port", port), LOG_STR("cause", uv_strerror(rc)));
        door_close(door);
        return ERR_IO;
    }
    return 0;
}
