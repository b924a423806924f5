#include "node/worker/door.h"

#include "node/base/log.h"
#include "node/net/listener.h"

#include <unistd.h>

#define CLIENT_BACKLOG 4096 /* after the death of a node all its clients come at once */

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

int door_open(struct door *door, uv_loop_t *loop, const char *address)
{
    int fd;
    int rc;

    if (door->is_open) {
        return 0;
    }
    if (door->is_closing) {
        return ERR_BUSY;
    }
    rc = listener_open(address, LISTENER_SHARED, &fd);
    if (rc != 0) {
        return rc;
    }
    (void)uv_tcp_init(loop, &door->tcp);
    door->tcp.data = door;
    door->is_open = true;
    rc = uv_tcp_open(&door->tcp, fd);
    if (rc != 0) {
        (void)close(fd);
    } else {
        rc = uv_listen((uv_stream_t *)&door->tcp, CLIENT_BACKLOG, on_connection);
    }
    if (rc != 0) {
        log_error("door.open_failed", LOG_STR("address", address),
                  LOG_STR("cause", uv_strerror(rc)));
        door_close(door);
        return ERR_IO;
    }
    return 0;
}
