/* wire - an XMPP stream of a simulated client: socket, TLS, XML. Calls wait on the machine; they
 * are of the one thread of the client. */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include "tests/sim/net.h"
#include "xmpp/xml/reader.h"

struct wire;

struct wire_ticket {
    struct ssl_session_st *session;
};

/** NULL: nobody answers there in time. */
struct wire *wire_open(struct sim_host *from, const struct sockaddr_in *to, uint64_t timeout_us);
/** The handshake is due; false: it failed. It presents the ticket of an earlier stream (RFC 8446
 * §2.2), if there is one, and leaves the newest there when the stream is closed. */
bool wire_start_tls(struct wire *wire, struct wire_ticket *ticket, uint64_t timeout_us);
/** Send the stream header, and wait for the other one and the features. NULL: the stream is over.
 * The caller frees them. */
struct xml_event *wire_begin_stream(struct wire *wire, uint64_t timeout_us);
/** Send text. What can not be sent is lost with the stream. */
void wire_send(struct wire *wire, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The next element; NULL: none came in time, or the stream is over. */
struct xml_event *wire_next(struct wire *wire, uint64_t timeout_us);
bool wire_is_over(const struct wire *wire);
/** Cut it off; the other side hears of it, or not. */
void wire_close(struct wire **wire, bool says_so);

#endif
