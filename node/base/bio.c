#include "node/base/bio.h"

#include <pthread.h>

static BIO_METHOD *pipe_method; /* made once, of the process; constant afterwards */
static pthread_once_t pipe_method_once = PTHREAD_ONCE_INIT;

static int pipe_write(BIO *bio, const char *data, int len)
{
    struct bio_pipe *pipe = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (len <= 0) {
        return 0;
    }
    ASSERT(pipe->out != NULL);
    buf_append(pipe->out, slice_make(data, (size_t)len));
    return len;
}

static int pipe_read(BIO *bio, char *data, int size)
{
    struct bio_pipe *pipe = BIO_get_data(bio);
    size_t len = pipe->in.len;

    BIO_clear_retry_flags(bio);
    if (size <= 0) {
        return 0;
    }
    if (len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (len > (size_t)size) {
        len = (size_t)size;
    }
    memcpy(data, pipe->in.data, len);
    pipe->in = slice_sub(pipe->in, len, pipe->in.len);
    return (int)len;
}

static long pipe_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0; /* everything else: not supported */
}

static void make_method(void)
{
    pipe_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pipe");
    ASSERT(pipe_method != NULL);
    (void)BIO_meth_set_write(pipe_method, pipe_write);
    (void)BIO_meth_set_read(pipe_method, pipe_read);
    (void)BIO_meth_set_ctrl(pipe_method, pipe_ctrl);
}

BIO *bio_pipe_new(struct bio_pipe *pipe)
{
    BIO *bio;

    (void)pthread_once(&pipe_method_once, make_method);
    bio = BIO_new(pipe_method);
    ASSERT(bio != NULL);
    BIO_set_data(bio, pipe);
    BIO_set_init(bio, 1);
    return bio;
}
