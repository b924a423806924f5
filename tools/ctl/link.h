/* link - a connection to the control socket of one node: requests out, answers in, with a deadline.
 */
#ifndef TOOLS_CTL_LINK_H
#define TOOLS_CTL_LINK_H

#include <jansson.h>
#include <stdint.h>

struct link;

/** NULL: nobody listens there, or takes the connection in time, which then is for all that follows;
 * *fault says why (static text). */
struct link *link_open(const char *path, long timeout_s, const char **fault);
void link_close(struct link **link);

/** From now on the deadline is so far away. */
void link_renew(struct link *link, long timeout_s);

enum link_result {
    LINK_OK,
    LINK_LOST, /* the connection ended */
    LINK_TIMEOUT
};

/** Send one request; takes args (NULL: none). */
enum link_result link_send(struct link *link, json_int_t id, const char *verb, json_t *args);
/** The next answer, in *out; the caller owns it. */
enum link_result link_receive(struct link *link, json_t **out);

#endif
