/* bio - an OpenSSL BIO between a slice and a buffer: TLS without sockets and without memory of its
 * own. Reads what stands in `in`, appends what it writes to `out`. */
#ifndef NODE_BASE_BIO_H
#define NODE_BASE_BIO_H

#include "node/base/buf.h"

#include <openssl/bio.h>

struct bio_pipe {
    struct slice in; /* not yet read */
    struct buf *out; /* must be set whenever TLS may write */
};

/** The caller owns the BIO (SSL_set_bio takes it); pipe must outlive it. */
BIO *bio_pipe_new(struct bio_pipe *pipe);

#endif
