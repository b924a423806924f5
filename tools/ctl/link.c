#include "tools/ctl/link.h"

#include "node/base/buf.h"
#include "node/base/clock.h"
#include "node/base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES      (64 * 1024)
#define CONNECT_POLL_MS 20

struct link {
    int fd;
    uint64_t deadline_ms;
    struct buf in;
};

/* A socket of this kind is connected at once or not at all; what waits is a place in the backlog of
 * a node that takes nobody off it (it is stopped, say), and no poll() tells when there is one. */
static bool connect_until(int fd, const struct sockaddr_un *address, uint64_t deadline_ms)
{
    while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        if (errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (clock_mono_ms() >= deadline_ms) {
            errno = ETIMEDOUT;
            return false;
        }
        (void)poll(NULL, 0, CONNECT_POLL_MS);
    }
    return true;
}

struct link *link_open(const char *path, long timeout_s, const char **fault)
{
    const uint64_t deadline_ms = clock_mono_ms() + (uint64_t)timeout_s * 1000;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct link *link;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        *fault = "the path is too long for a socket";
        return NULL;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !connect_until(fd, &address, deadline_ms)) {
        *fault = errno == ETIMEDOUT ? "it takes no connection in time" : strerror(errno);
        if (fd >= 0) {
            (void)close(fd);
        }
        return NULL;
    }
    link = mem_zalloc(sizeof(*link));
    link->fd = fd;
    link->deadline_ms = deadline_ms;
    return link;
}

void link_close(struct link **link)
{
    (void)close((*link)->fd);
    buf_deinit(&(*link)->in);
    mem_free(link);
}

void link_renew(struct link *link, long timeout_s)
{
    link->deadline_ms = clock_mono_ms() + (uint64_t)timeout_s * 1000;
}

static enum link_result wait_for(const struct link *link, short events)
{
    struct pollfd poll_fd = {.fd = link->fd, .events = events};
    uint64_t now_ms = clock_mono_ms();
    int rc;

    if (now_ms >= link->deadline_ms) {
        return LINK_TIMEOUT;
    }
    rc = poll(&poll_fd, 1, (int)(link->deadline_ms - now_ms));
    if (rc == 0) {
        return LINK_TIMEOUT;
    }
    return rc < 0 && errno != EINTR ? LINK_LOST : LINK_OK;
}

static enum link_result write_all(struct link *link, struct slice bytes)
{
    while (bytes.len > 0) {
        enum link_result result = wait_for(link, POLLOUT);
        ssize_t written;

        if (result != LINK_OK) {
            return result;
        }
        written = send(link->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno != EAGAIN && errno != EINTR) {
            return LINK_LOST;
        }
        if (written > 0) {
            bytes = slice_sub(bytes, (size_t)written, bytes.len);
        }
    }
    return LINK_OK;
}

static int append_text(const char *text, size_t len, void *ctx)
{
    buf_append(ctx, slice_make(text, len));
    return 0;
}

enum link_result link_send(struct link *link, json_int_t id, const char *verb, json_t *args)
{
    json_t *request = json_pack("{s:I,s:s,s:o}", "id", id, "verb", verb, "args",
                                args != NULL ? args : json_object());
    struct buf line = BUF_EMPTY;
    enum link_result result;

    (void)json_dump_callback(request, append_text, &line, JSON_COMPACT);
    buf_append_u8(&line, '\n');
    result = write_all(link, buf_slice(&line));
    buf_wipe(&line);
    json_decref(request);
    return result;
}

/* Take a whole line, if there is one. */
static json_t *take_line(struct link *link)
{
    struct slice bytes = buf_slice(&link->in);
    const uint8_t *end = bytes.len == 0 ? NULL : memchr(bytes.data, '\n', bytes.len);
    json_t *message;
    size_t len;

    if (end == NULL) {
        return NULL;
    }
    len = (size_t)(end - bytes.data);
    message = json_loadb((const char *)bytes.data, len, 0, NULL);
    buf_consume(&link->in, len + 1);
    return message == NULL ? json_object() : message;
}

enum link_result link_receive(struct link *link, json_t **out)
{
    for (;;) {
        enum link_result result;
        ssize_t count;

        *out = take_line(link);
        if (*out != NULL) {
            return LINK_OK;
        }
        result = wait_for(link, POLLIN);
        if (result != LINK_OK) {
            return result;
        }
        count = recv(link->fd, buf_reserve(&link->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
            return LINK_LOST;
        }
        if (count > 0) {
            buf_commit(&link->in, (size_t)count);
        }
    }
}
