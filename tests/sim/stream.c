/* libuv's TCP streams and pipes on the simulated network, as far as the product uses them. */
#include "tests/sim/fds.h"
#include "tests/sim/loop.h"
#include "tests/sim/uv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READS_A_TURN 32

/* ---- tcp */

static struct handle *tcp_of(const void *tcp)
{
    return handle_of(tcp);
}

static void use_socket(struct handle *handle, struct net_socket *socket)
{
    handle->socket = socket;
    net_watch(socket, loop_mark_ready, handle);
}

static struct net_socket *socket_of(struct handle *handle)
{
    if (handle->socket == NULL) {
        use_socket(handle, net_socket_new(machine_here()));
    }
    return handle->socket;
}

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp)
{
    (void)loop_add_handle(loop, tcp, sizeof(*tcp), UV_TCP);
    return 0;
}

int uv_tcp_bind(uv_tcp_t *tcp, const struct sockaddr *address, unsigned flags)
{
    (void)flags;
    return net_bind(socket_of(tcp_of(tcp)), (const struct sockaddr_in *)(const void *)address);
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int enable)
{
    (void)tcp;
    (void)enable;
    return 0;
}

int uv_tcp_keepalive(uv_tcp_t *tcp, int enable, unsigned delay)
{
    (void)tcp;
    (void)enable;
    (void)delay;
    return 0;
}

static int give_name(struct sockaddr_in found, struct sockaddr *out, int *len)
{
    if (*len < (int)sizeof(found)) {
        return UV_ENOBUFS;
    }
    memcpy(out, &found, sizeof(found));
    *len = sizeof(found);
    return 0;
}

int uv_tcp_getsockname(const uv_tcp_t *tcp, struct sockaddr *name, int *len)
{
    return give_name(net_local(tcp_of(tcp)->socket), name, len);
}

int uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *name, int *len)
{
    return give_name(net_remote(tcp_of(tcp)->socket), name, len);
}

int uv_listen(uv_stream_t *stream, int backlog, uv_connection_cb on_connection)
{
    struct handle *handle = tcp_of(stream);
    int rc = net_listen(socket_of(handle));

    (void)backlog;
    handle->on_connection = on_connection;
    handle->is_active = rc == 0;
    return rc;
}

int uv_accept(uv_stream_t *server, uv_stream_t *client)
{
    struct handle *door = tcp_of(server);

    if (door->accepted == NULL) {
        return UV_EAGAIN;
    }
    use_socket(tcp_of(client), door->accepted);
    door->accepted = NULL;
    loop_mark_ready(door); /* there may be more */
    return 0;
}

int uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp, const struct sockaddr *address,
                   uv_connect_cb connected)
{
    struct handle *handle = tcp_of(tcp);
    int rc = net_connect(socket_of(handle), (const struct sockaddr_in *)(const void *)address);

    if (rc != 0) {
        return rc;
    }
    request->handle = (uv_stream_t *)tcp;
    request->cb = connected;
    handle->connect = request;
    handle->is_active = true;
    handle->loop->requests++;
    return 0;
}

int uv_read_start(uv_stream_t *stream, uv_alloc_cb alloc, uv_read_cb read)
{
    struct handle *handle = tcp_of(stream);

    if (handle->is_closing) {
        return UV_EINVAL;
    }
    handle->alloc = alloc;
    handle->read = read;
    handle->is_active = true;
    loop_mark_ready(handle);
    return 0;
}

int uv_read_stop(uv_stream_t *stream)
{
    tcp_of(stream)->read = NULL;
    return 0;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t bufs[], unsigned count)
{
    struct handle *handle = tcp_of(stream);
    size_t total = 0;

    if (handle->connect != NULL || handle->first_write != NULL) {
        return UV_EAGAIN;
    }
    for (unsigned i = 0; i < count; i++) {
        ssize_t written =
            bufs[i].len == 0 ? 0 : net_write(handle->socket, bufs[i].base, bufs[i].len);

        if (written < 0) {
            return total > 0 ? (int)total : (int)written;
        }
        total += (size_t)written;
        if ((size_t)written < bufs[i].len) {
            break;
        }
    }
    return (int)total;
}

/* What is left to write stands in the request's own fields. */
int uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t bufs[], unsigned count,
             uv_write_cb written)
{
    struct handle *handle = tcp_of(stream);

    if (count != 1 || handle->first_write != NULL) {
        (void)fprintf(stderr, "sim: the product writes one buffer at a time\n");
        abort();
    }
    request->handle = stream;
    request->cb = written;
    request->bufsml[0] = bufs[0];
    request->error = 0;
    handle->first_write = request;
    handle->loop->requests++;
    loop_mark_ready(handle);
    return 0;
}

int uv_shutdown(uv_shutdown_t *request, uv_stream_t *stream, uv_shutdown_cb done)
{
    struct handle *handle = tcp_of(stream);

    if (handle->socket == NULL || !net_is_open(handle->socket)) {
        return UV_ENOTCONN;
    }
    request->handle = stream;
    request->cb = done;
    handle->shutdown = request;
    handle->loop->requests++;
    loop_mark_ready(handle);
    return 0;
}

int uv_tcp_close_reset(uv_tcp_t *tcp, uv_close_cb closed)
{
    if (tcp_of(tcp)->socket != NULL) {
        net_reset(tcp_of(tcp)->socket);
    }
    uv_close((uv_handle_t *)tcp, closed);
    return 0;
}

size_t uv_stream_get_write_queue_size(const uv_stream_t *stream)
{
    const struct handle *handle = tcp_of(stream);

    return handle->first_write == NULL ? 0 : handle->first_write->bufsml[0].len;
}

int uv_tcp_open(uv_tcp_t *tcp, uv_os_sock_t fd)
{
    struct net_socket *socket = fds_socket(fd);

    if (socket == NULL) {
        return UV_EBADF;
    }
    use_socket(tcp_of(tcp), socket);
    return 0;
}

int uv_fileno(const uv_handle_t *uv, uv_os_fd_t *fd)
{
    struct handle *handle = handle_of(uv);

    if (handle->socket == NULL) {
        return UV_EBADF;
    }
    *fd = fds_of(handle->socket);
    return 0;
}

/* ---- pipes: sockets of a host that are named by a path, for musterctl */

int uv_pipe_init(uv_loop_t *loop, uv_pipe_t *pipe, int ipc)
{
    (void)ipc;
    (void)loop_add_handle(loop, pipe, sizeof(*pipe), UV_NAMED_PIPE);
    return 0;
}

/* The file is there for chmod(2) and unlink(2). */
int uv_pipe_bind(uv_pipe_t *pipe, const char *path)
{
    struct sockaddr_in address = net_address(machine_here()->number, LOOP_CONTROL_PORT);
    FILE *file = fopen(path, "we");

    if (file == NULL) {
        return -errno;
    }
    (void)fclose(file);
    return net_bind(socket_of(handle_of(pipe)), &address);
}

/* ---- what sockets have to say */

static void offer(struct handle *handle)
{
    while (!handle->is_closing && handle->accepted == NULL && net_has_callers(handle->socket)) {
        handle->accepted = net_accept(handle->socket);
        handle->on_connection((uv_stream_t *)handle->uv, 0);
    }
}

static void end_connect(struct handle *handle, int status)
{
    uv_connect_t *request = handle->connect;

    handle->connect = NULL;
    handle->loop->requests--;
    request->cb(request, status);
}

static void end_write(struct handle *handle, int status)
{
    uv_write_t *request = handle->first_write;

    handle->first_write = NULL;
    handle->loop->requests--;
    request->cb(request, status);
}

static void end_shutdown(struct handle *handle, int status)
{
    uv_shutdown_t *request = handle->shutdown;

    handle->shutdown = NULL;
    handle->loop->requests--;
    request->cb(request, status);
}

static void go_on_writing(struct handle *handle)
{
    uv_buf_t *rest = &handle->first_write->bufsml[0];
    ssize_t written = net_write(handle->socket, rest->base, rest->len);

    if (written == -EAGAIN) {
        return;
    }
    if (written < 0) {
        end_write(handle, (int)written);
        return;
    }
    rest->base += written;
    rest->len -= (size_t)written;
    if (rest->len == 0) {
        end_write(handle, 0);
    }
}

static void go_on_reading(struct handle *handle)
{
    for (int i = 0; i < READS_A_TURN && handle->read != NULL && !handle->is_closing; i++) {
        uv_buf_t buf = {.base = NULL, .len = 0};
        ssize_t count;

        handle->alloc(handle->uv, 65536, &buf);
        if (buf.base == NULL || buf.len == 0) {
            handle->read((uv_stream_t *)handle->uv, UV_ENOBUFS, &buf);
            return;
        }
        count = net_read(handle->socket, buf.base, buf.len);
        if (count <= 0 && count != -EAGAIN) {
            uv_read_cb read = handle->read;

            handle->read = NULL;
            read((uv_stream_t *)handle->uv, count == 0 ? UV_EOF : count, &buf);
            return;
        }
        handle->read((uv_stream_t *)handle->uv, count == -EAGAIN ? 0 : count, &buf);
        if (count == -EAGAIN || (size_t)count < buf.len) {
            return;
        }
    }
    if (handle->read != NULL && !handle->is_closing) {
        loop_mark_ready(handle); /* others first */
    }
}

void stream_serve(struct handle *handle)
{
    if (handle->is_closing || handle->socket == NULL) {
        return;
    }
    if (handle->on_connection != NULL) {
        offer(handle);
        return;
    }
    if (handle->connect != NULL) {
        if (net_is_open(handle->socket)) {
            end_connect(handle, 0);
        } else if (net_error(handle->socket) != 0) {
            end_connect(handle, net_error(handle->socket));
        }
        return;
    }
    if (handle->read != NULL) {
        go_on_reading(handle);
    }
    if (!handle->is_closing && handle->first_write != NULL) {
        go_on_writing(handle);
    }
    if (!handle->is_closing && handle->first_write == NULL && handle->shutdown != NULL) {
        net_shutdown(handle->socket);
        end_shutdown(handle, 0);
    }
}

void stream_cancel(struct handle *handle)
{
    if (handle->connect != NULL) {
        end_connect(handle, UV_ECANCELED);
    }
    if (handle->first_write != NULL) {
        end_write(handle, UV_ECANCELED);
    }
    if (handle->shutdown != NULL) {
        end_shutdown(handle, UV_ECANCELED);
    }
}
