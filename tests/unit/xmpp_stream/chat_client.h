/* chat_client - an XMPP client that keeps XEP-0198 to the letter: logs in, enables, numbers its
 * messages, resumes on a new connection, sends again what was not acked, and judges what it gets.
 * Bytes in, bytes out. */
#ifndef TESTS_UNIT_XMPP_STREAM_CHAT_CLIENT_H
#define TESTS_UNIT_XMPP_STREAM_CHAT_CLIENT_H

#include "node/base/crypto.h"
#include "xmpp/stream/ring.h"
#include "xmpp/xml/xml.h"

struct chat_client {
    const char *name; /* of alice@x */
    const char *peer;
    const struct chat_client *partner; /* the peer, when sessions may end; else NULL */
    struct xml_reader *reader;         /* NULL: no connection */
    struct buf up;                     /* to the server */

    bool logged_in;
    bool ready; /* bound and enabled, or resumed */
    char resume_id[128];
    uint32_t received; /* stanzas, modulo 2^32 */
    uint32_t sent;
    uint32_t acked;
    struct ring unacked; /* char *: stanzas as sent */

    uint32_t messages_sent;
    uint32_t messages_received;
    uint32_t faults;      /* messages repeated, lost or out of order, presence that went back */
    uint32_t unavailable; /* times that the peer was seen to leave */
    uint32_t status_sent; /* of one's own presence */
    uint32_t status_seen; /* of the peer's */
    uint32_t resumes;
    uint32_t resends;
    uint32_t restarts;   /* sessions begun anew */
    uint32_t lost_up_to; /* messages up to this one may be lost: a session ended before their ack */
    bool may_repeat;     /* until a new message comes, old ones may: their ack may be lost */
    bool got_uncounted;  /* messages before <enabled/>: that they left is noted once a second */
    bool is_peer_there;
    bool is_shown; /* its own presence has come: what it sees from now on goes forward */
    bool failed;   /* a stream error, or a refused resume */
};

void chat_client_init(struct chat_client *client, const char *name, const char *peer);
void chat_client_deinit(struct chat_client *client);
/** Begin on a new connection; whatever the old one still had is forgotten. */
void chat_client_connect(struct chat_client *client);
void chat_client_disconnect(struct chat_client *client);
/** As a client that was started anew: it has no session to resume, and does not know what became of
 * what was not acked. It binds the same address and shows itself. */
void chat_client_restart(struct chat_client *client);
/** Bytes from the server. */
void chat_client_feed(struct chat_client *client, struct slice bytes);

/** Send the next numbered message, or a presence with the next status. The client is ready. */
void chat_client_say(struct chat_client *client);
void chat_client_show(struct chat_client *client);
/** The same by directed presence. */
void chat_client_show_peer(struct chat_client *client);
/** Any other stanza. */
void chat_client_send(struct chat_client *client, const char *stanza);
/** <r/>. */
void chat_client_ask(struct chat_client *client);

#endif
