#define OPENSSL_SUPPRESS_DEPRECATED
#include "tests/sim/wire.h"

#include "node/base/buf.h"
#include "tests/sim/room.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct wire {
    struct net_socket *socket;
    struct sim_thread *reader; /* waits for a change */
    bool has_changed;
    bool is_over;
    SSL *ssl;
    BIO *in;  /* from the socket */
    BIO *out; /* to it */
    struct wire_ticket *ticket;
    struct xml_reader *xml;
};

static SSL_CTX *context;

static void on_change(void *ctx)
{
    struct wire *wire = ctx;

    wire->has_changed = true;
    if (wire->reader != NULL) {
        machine_wake(wire->reader);
    }
}

/* False: the time is over. */
static bool wait_for_change(struct wire *wire, uint64_t until_us)
{
    wire->reader = machine_self();
    while (!wire->has_changed && machine_now_us() < until_us) {
        (void)machine_wait(until_us);
    }
    wire->reader = NULL;
    if (!wire->has_changed) {
        return false;
    }
    wire->has_changed = false;
    return true;
}

struct wire *wire_open(struct sim_host *from, const struct sockaddr_in *to, uint64_t timeout_us)
{
    uint64_t until_us = machine_now_us() + timeout_us;
    struct wire *wire = calloc(1, sizeof(*wire));

    wire->socket = net_socket_new(from);
    net_watch(wire->socket, on_change, wire);
    if (net_connect(wire->socket, to) == 0) {
        while (!net_is_open(wire->socket) && net_error(wire->socket) == 0 &&
               wait_for_change(wire, until_us)) {
        }
    }
    if (!net_is_open(wire->socket)) {
        wire_close(&wire, true);
        return NULL;
    }
    wire->xml = xml_reader_new(NULL);
    return wire;
}

static void keep_ticket(const struct wire *wire)
{
    SSL_SESSION *session = wire->ssl == NULL ? NULL : SSL_get1_session(wire->ssl);

    if (session != NULL && SSL_SESSION_is_resumable(session)) {
        SSL_SESSION_free(wire->ticket->session);
        wire->ticket->session = session;
    } else {
        SSL_SESSION_free(session);
    }
}

void wire_close(struct wire **address, bool says_so)
{
    struct wire *wire = *address;

    net_watch(wire->socket, NULL, NULL);
    if (says_so) {
        net_close(wire->socket);
    }
    keep_ticket(wire);
    SSL_free(wire->ssl); /* and its BIOs */
    if (wire->xml != NULL) {
        xml_reader_free(&wire->xml);
    }
    free(wire);
    *address = NULL;
}

bool wire_is_over(const struct wire *wire)
{
    return wire->is_over;
}

/* ---- bytes */

static void put(struct wire *wire, const void *bytes, size_t len)
{
    size_t at = 0;

    while (at < len && !wire->is_over) {
        ssize_t written = net_write(wire->socket, (const uint8_t *)bytes + at, len - at);

        if (written > 0) {
            at += (size_t)written;
        } else if (written != -EAGAIN || !wait_for_change(wire, machine_now_us() + 30000000)) {
            wire->is_over = true;
        }
    }
}

static void flush_tls(struct wire *wire)
{
    char *bytes;
    long len = BIO_get_mem_data(wire->out, &bytes);

    if (len > 0) {
        put(wire, bytes, (size_t)len);
        (void)BIO_reset(wire->out);
    }
}

/* More from the socket, into TLS or into XML. False: there is nothing, or it is over. */
static bool take(struct wire *wire)
{
    uint8_t bytes[16384];
    ssize_t len = net_read(wire->socket, bytes, sizeof(bytes));

    if (len <= 0) {
        wire->is_over = wire->is_over || len != -EAGAIN;
        return false;
    }
    if (wire->ssl == NULL) {
        xml_reader_feed(wire->xml, slice_make(bytes, (size_t)len));
    } else {
        (void)BIO_write(wire->in, bytes, (int)len);
    }
    return true;
}

static void decrypt(struct wire *wire)
{
    uint8_t bytes[16384];
    size_t len;

    while (wire->ssl != NULL && SSL_read_ex(wire->ssl, bytes, sizeof(bytes), &len) == 1) {
        xml_reader_feed(wire->xml, slice_make(bytes, len));
    }
    if (wire->ssl != NULL) {
        ERR_clear_error();
        flush_tls(wire);
    }
}

static SSL_CTX *the_context(void)
{
    if (context == NULL) {
        context = SSL_CTX_new(TLS_client_method());
    }
    return context;
}

bool wire_start_tls(struct wire *wire, struct wire_ticket *ticket, uint64_t timeout_us)
{
    uint64_t until_us = machine_now_us() + timeout_us;
    int rc;

    wire->ssl = SSL_new(the_context());
    wire->in = BIO_new(BIO_s_mem());
    wire->out = BIO_new(BIO_s_mem());
    SSL_set_bio(wire->ssl, wire->in, wire->out);
    (void)SSL_set_tlsext_host_name(wire->ssl, SIM_DOMAIN);
    SSL_set_connect_state(wire->ssl);
    wire->ticket = ticket;
    if (ticket->session != NULL) {
        (void)SSL_set_session(wire->ssl, ticket->session);
    }
    while ((rc = SSL_do_handshake(wire->ssl)) != 1) {
        flush_tls(wire);
        if (SSL_get_error(wire->ssl, rc) != SSL_ERROR_WANT_READ || wire->is_over ||
            (!take(wire) && !wire->is_over && !wait_for_change(wire, until_us))) {
            ERR_clear_error();
            return false;
        }
    }
    flush_tls(wire);
    return true;
}

void wire_send(struct wire *wire, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    size_t written;
    int len;

    va_start(arguments, format);
    len = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (wire->ssl == NULL) {
        put(wire, text, (size_t)len);
    } else if (SSL_write_ex(wire->ssl, text, (size_t)len, &written) == 1) {
        flush_tls(wire);
    }
    free(text);
}

/* ---- elements */

struct xml_event *wire_next(struct wire *wire, uint64_t timeout_us)
{
    uint64_t until_us = machine_now_us() + timeout_us;
    struct xml_event *event = NULL;

    while (true) {
        int rc = xml_reader_next(wire->xml, &event);

        if (rc == 1 && event->kind != XML_EVENT_CLOSE) {
            return event;
        }
        if (rc == 1) {
            xml_event_free(&event);
        }
        wire->is_over = wire->is_over || rc != 0;
        if (wire->is_over) {
            return NULL;
        }
        if (take(wire)) {
            decrypt(wire);
        } else if (!wire->is_over && !wait_for_change(wire, until_us)) {
            return NULL;
        }
    }
}

struct xml_event *wire_begin_stream(struct wire *wire, uint64_t timeout_us)
{
    struct xml_event *event;

    xml_reader_reset(wire->xml, false);
    wire_send(wire,
              "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
              "xmlns:stream='http://etherx.jabber.org/streams' to='" SIM_DOMAIN "' version='1.0'>");
    event = wire_next(wire, timeout_us);
    if (event == NULL) {
        return NULL;
    }
    xml_event_free(&event);
    event = wire_next(wire, timeout_us);
    if (event != NULL && !xml_is(event->element, XML_NS_STREAMS, "features")) {
        xml_event_free(&event);
    }
    return event;
}
