#include "node/admin/control.h"

#include "node/admin/backup.h"
#include "node/admin/request.h"
#include "node/base/buf.h"
#include "node/base/log.h"
#include "node/base/mem.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)

struct control {
    struct admin *admin;
    struct control *next;
    uv_pipe_t pipe;
    unsigned refs;          /* the pipe's own, and one for each request */
    unsigned request_count; /* under way */
    bool is_closing;
    bool is_reading;
    bool is_taking;   /* inside read_on(): a request that ends at once must not call it again */
    bool is_skipping; /* the rest of a line that was too long */
    struct buf in;
    uint8_t bytes[READ_BYTES];
};

/* One answer on its way to the kernel. */
struct answer {
    uv_write_t write;
    struct control *control;
    struct buf text;
};

/* ---- life */

void control_ref(struct control *control)
{
    control->refs++;
    control->request_count++;
}

static void drop_ref(struct control *control)
{
    if (--control->refs == 0) {
        buf_deinit(&control->in);
        mem_free(&control);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    struct control **link = &control->admin->controls;

    while (*link != control) {
        link = &(*link)->next;
    }
    *link = control->next;
    backup_on_control_closed(control->admin, control);
    drop_ref(control);
}

static void close_control(struct control *control)
{
    if (!control->is_closing) {
        control->is_closing = true;
        uv_close((uv_handle_t *)&control->pipe, on_closed);
    }
}

bool control_is_closing(const struct control *control)
{
    return control->is_closing;
}

void control_close_all(struct admin *admin)
{
    for (struct control *control = admin->controls; control != NULL; control = control->next) {
        close_control(control);
    }
}

/* ---- reading */

/* Not more at once than are worked on, and nothing new for a peer that leaves answers unread. */
static bool may_take(const struct control *control)
{
    return control->request_count < CONTROL_REQUESTS_MAX &&
           uv_stream_get_write_queue_size((const uv_stream_t *)&control->pipe) <
               CONTROL_UNREAD_BYTES_MAX;
}

/* What is too long is answered at once and dropped as it comes; the next line is one again. */
static void refuse_line(struct control *control)
{
    json_t *answer = json_pack("{s:b,s:s,s:s,s:i}", "ok", 0, "error", "limit", "text",
                               "the line is too long", "id", 0);

    log_warn("admin.line_too_long", LOG_UINT("bytes", buf_len(&control->in)));
    control->is_skipping = true;
    control_send(control, answer);
    json_decref(answer);
}

/* True when a line was taken, or something else was done about the bytes: look again. */
static bool take_line(struct control *control)
{
    struct slice bytes = buf_slice(&control->in);
    const uint8_t *end = bytes.len == 0 ? NULL : memchr(bytes.data, '\n', bytes.len);
    size_t len = end == NULL ? bytes.len : (size_t)(end - bytes.data);
    json_t *message;

    if (bytes.len == 0) {
        return false;
    }
    if (control->is_skipping) {
        buf_consume_wiping(&control->in, end == NULL ? len : len + 1);
        control->is_skipping = end == NULL;
        return end != NULL;
    }
    if (len > CONTROL_LINE_BYTES_MAX) {
        refuse_line(control);
        return true;
    }
    if (end == NULL || !may_take(control)) {
        return false;
    }
    message = json_loadb((const char *)bytes.data, len, 0, NULL);
    buf_consume_wiping(&control->in, len + 1); /* there may be a password in it */
    request_start(control->admin, control, message);
    return true;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct control *control = handle->data;

    (void)suggested;
    *out = uv_buf_init((char *)control->bytes, READ_BYTES);
}

static void on_read(uv_stream_t *pipe, ssize_t count, const uv_buf_t *buffer);

static void read_on(struct control *control)
{
    bool wanted;

    if (control->is_taking) {
        return;
    }
    control->is_taking = true;
    while (!control->is_closing && take_line(control)) {
    }
    control->is_taking = false;
    if (control->is_closing) {
        return;
    }
    wanted = may_take(control);
    if (wanted != control->is_reading) {
        control->is_reading = wanted;
        if (wanted) {
            (void)uv_read_start((uv_stream_t *)&control->pipe, on_alloc, on_read);
        } else {
            (void)uv_read_stop((uv_stream_t *)&control->pipe);
        }
    }
}

static void on_read(uv_stream_t *pipe, ssize_t count, const uv_buf_t *buffer)
{
    struct control *control = pipe->data;

    if (count < 0) {
        close_control(control);
        return;
    }
    buf_append(&control->in, slice_make(buffer->base, (size_t)count));
    explicit_bzero(buffer->base, (size_t)count);
    read_on(control);
}

void control_unref(struct control **address)
{
    struct control *control = *address;

    *address = NULL;
    control->request_count--;
    if (!control->is_closing) {
        read_on(control);
    }
    drop_ref(control);
}

/* ---- writing */

static void on_written(uv_write_t *write, int status)
{
    struct answer *answer = CONTAINER_OF(write, struct answer, write);

    if (status != 0 && status != UV_ECANCELED) {
        close_control(answer->control);
    } else if (!answer->control->is_closing) {
        read_on(answer->control);
    }
    drop_ref(answer->control);
    buf_deinit(&answer->text);
    mem_free(&answer);
}

static int append_text(const char *text, size_t len, void *ctx)
{
    buf_append(ctx, slice_make(text, len));
    return 0;
}

void control_send(struct control *control, const json_t *message)
{
    struct answer *answer;
    struct slice bytes;
    uv_buf_t view;

    if (control->is_closing) {
        return;
    }
    answer = mem_zalloc(sizeof(*answer));
    answer->control = control;
    (void)json_dump_callback(message, append_text, &answer->text, JSON_COMPACT);
    buf_append_u8(&answer->text, '\n');
    bytes = buf_slice(&answer->text);
    view = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.len);
    control->refs++;
    if (uv_write(&answer->write, (uv_stream_t *)&control->pipe, &view, 1, on_written) != 0) {
        on_written(&answer->write, UV_EPIPE);
    }
}

/* ---- accepting */

static bool may_talk(const uv_pipe_t *pipe)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    if (peer.uid != 0 && peer.uid != geteuid()) {
        log_warn("admin.stranger_refused", LOG_UINT("uid", peer.uid));
        return false;
    }
    return true;
}

void control_accept(struct admin *admin)
{
    struct control *control = mem_zalloc(sizeof(*control));

    control->admin = admin;
    control->refs = 1;
    control->next = admin->controls;
    admin->controls = control;
    (void)uv_pipe_init(&admin->loop, &control->pipe, 0);
    control->pipe.data = control;
    if (uv_accept((uv_stream_t *)&admin->listener, (uv_stream_t *)&control->pipe) != 0 ||
        !may_talk(&control->pipe)) {
        close_control(control);
        return;
    }
    read_on(control);
}
