/* port - what the state thread sends to a worker or to the control socket. Messages own everything
 * they point to; the receiver frees them with port_free(). */
#ifndef NODE_CORE_PORT_H
#define NODE_CORE_PORT_H

#include "node/base/blob.h"
#include "node/base/mailbox.h"
#include "xmpp/im/delivery.h"

enum port_kind {
    PORT_SERVE,       /* take clients as this incarnation */
    PORT_CEASE,       /* drop all clients without footer; ended: the incarnation is over, no command
                         of theirs would be taken */
    PORT_DOMAINS,     /* bytes: the names served, each ends with NUL */
    PORT_DECOY,       /* bytes: the decoy secret of logins */
    PORT_ABOUT,       /* bytes: what the server says of itself (xmpp/im/about.h) */
    PORT_SETTINGS,    /* bytes: struct worker_settings, after a reload */
    PORT_OUTCOME,     /* ref, outcome */
    PORT_DELIVERY,    /* delivery */
    PORT_LEAVE,       /* ref, session: it is to move; bytes: "host:port" for a client that cannot
                         resume, ends with NUL */
    PORT_CREDENTIALS, /* ref; bytes: encoded AccountRow, NULL when there is no such account */
    PORT_JOB,         /* job: it ran (see core.h) */
    PORT_STOP         /* end all streams in order, then end the thread */
};

struct core_job;

struct port_message {
    struct mail mail;
    enum port_kind kind;
    bool ended;
    uint64_t incarnation;
    uint64_t session;
    struct effect_ref ref;
    struct outcome outcome; /* texts are copies */
    struct delivery delivery;
    struct blob *bytes;
    struct core_job *job;
};

struct port_message *port_new(enum port_kind kind);
/** With copies of what outcome points to. */
struct port_message *port_outcome_new(const struct effect_ref *ref, const struct outcome *outcome);
void port_free(struct port_message **message);

#endif
