/* control - one connection to the control socket: lines in, lines out. Only root and the user that
 * runs the node may talk. Admin thread. */
#ifndef NODE_ADMIN_CONTROL_H
#define NODE_ADMIN_CONTROL_H

#include "node/admin/admin_private.h"

#include <jansson.h>

#define CONTROL_LINE_BYTES_MAX (4 * 1024 * 1024) /* an import batch is a tenth of it */
#define CONTROL_REQUESTS_MAX   64                /* at once; then reading waits */
/* Answers that the peer has not read; then reading waits as well. */
#define CONTROL_UNREAD_BYTES_MAX (1024 * 1024)

struct control;

/** Accept a connection from admin's listener. */
void control_accept(struct admin *admin);
void control_close_all(struct admin *admin);
/** Write one answer; does nothing when the peer is gone. */
void control_send(struct control *control, const json_t *answer);

/** Is the peer gone? Then nothing begins for it any more. */
bool control_is_closing(const struct control *control);

/* Requests under way hold a reference, so that a peer that went away does not pull the memory from
 * under them. */
void control_ref(struct control *control);
void control_unref(struct control **control);

#endif
