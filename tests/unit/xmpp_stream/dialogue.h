/* dialogue - a scripted talk with one stream: what the client says, what the server must answer,
 * which commands must reach the log, and what the log says to them. Nothing is answered by itself,
 * so that a script decides every order of events. */
#ifndef TESTS_UNIT_XMPP_STREAM_DIALOGUE_H
#define TESTS_UNIT_XMPP_STREAM_DIALOGUE_H

#include "node/base/err.h"
#include "node/base/mem.h"
#include "xmpp/stream/ring.h"
#include "xmpp/stream/stream.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DOMAIN       "example.test"
#define USER         "alice@example.test"
#define PASSWORD     "secret"
#define ADDRESS      "alice@example.test/home"
#define SESSION      5
#define MAX_RESUME_S 600

#define ERROR(condition)                                                                           \
    "<stream:error><" condition " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"    \
    "</stream:stream>"
#define FAILED(condition)                                                                          \
    "<failed xmlns='urn:xmpp:sm:3'><" condition                                                    \
    " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
#define FAILURE(condition)                                                                         \
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><" condition "/></failure>"
#define ACK(h) "<a xmlns='urn:xmpp:sm:3' h='" h "'/>"
#define ASK    "<r xmlns='urn:xmpp:sm:3'/>"
#define CAPS                                                                                       \
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:muster:server' "            \
    "ver='wKZMI0kM65ntfMeXmQ7yH0blbq0='/>"
#define OPEN                                                                                       \
    "<?xml version='1.0'?><stream:stream to='" DOMAIN "' version='1.0' xmlns='jabber:client' "     \
    "xmlns:stream='http://etherx.jabber.org/streams'>"

struct dialogue {
    struct stream_config config; /* may be changed before dialogue_start() */
    struct stream *stream;
    uint64_t now_ms;
    bool byte_by_byte; /* the client's bytes come one at a time */

    struct ring commands;           /* sent to the log, not yet looked at */
    struct ring cookies;            /* looked at, outcome not yet given */
    struct buf last_command;        /* sent to the log */
    Pb__Command__BodyCase replaced; /* a command of this kind was; 0: none */
    enum stream_action_kind action; /* the last one that was no command */
    bool has_action;
    char *wanted_user;                  /* of WANT_CREDENTIALS */
    struct sasl_derivation *derivation; /* asked for; NULL: none */
    struct delivery_pull pull;          /* asked for and not answered to the end; number 0: none */

    uint32_t epoch; /* of the session in the fake log */
};

typedef void (*dialogue_script)(struct dialogue *dialogue);

/** A dialogue with the usual configuration, not started. */
void dialogue_init(struct dialogue *dialogue, bool byte_by_byte);
void dialogue_deinit(struct dialogue *dialogue);
/** Run script twice, with the client's bytes whole and one by one. */
void dialogue_run(dialogue_script script);

/* A script as an entry of a table of cmocka tests. */
struct dialogue_case {
    dialogue_script script;
};
void dialogue_test(void **state);
#define DIALOGUE_TEST(script_name)                                                                 \
    {                                                                                              \
        .name = #script_name, .test_func = dialogue_test, .initial_state = &(struct dialogue_case) \
        {                                                                                          \
            script_name                                                                            \
        }                                                                                          \
    }
/** The stream as config says. */
void dialogue_start(struct dialogue *dialogue);

/* ---- the client */
void client_says(struct dialogue *dialogue, const char *xml);
/** Give up the connection. */
void client_leaves(struct dialogue *dialogue);
/** All that came from the server since the last look, exactly; taken out of the output. */
void expect_server(struct dialogue *dialogue, const char *xml);
/** A stream header (whose id varies), then exactly this. */
void expect_header_and(struct dialogue *dialogue, const char *to, const char *xml);
/** Is part anywhere in the output? Nothing is taken out. */
void expect_output_has(struct dialogue *dialogue, const char *part);
void expect_output_lacks(struct dialogue *dialogue, const char *part);
/** Take what is there. The caller frees it by mem_free(). */
char *take_output(struct dialogue *dialogue);

/* ---- the caller of the stream */
void expect_action(struct dialogue *dialogue, enum stream_action_kind kind);
void expect_no_action(struct dialogue *dialogue);
/** Time goes on by this, with one tick at the end. */
void time_passes(struct dialogue *dialogue, uint64_t ms);

/* ---- the log */
/** The next command, as text (see dialogue.c), exactly. */
void expect_log(struct dialogue *dialogue, const char *text);
/** A command of this kind is to be replaced by an Empty with its Ref; 0: none is. */
void expect_replaced(struct dialogue *dialogue, Pb__Command__BodyCase body);
/** Take the next command without looking; nothing is said to it. */
void dialogue_skip_log(struct dialogue *dialogue);
void expect_no_log(struct dialogue *dialogue);
/** The outcome of the oldest command looked at that wants one. */
void log_says(struct dialogue *dialogue, const struct outcome *outcome);
/** OUTCOME_DONE with rc. */
void log_done(struct dialogue *dialogue, int rc);
/* Stanzas answer the pull that is under way, if there is one. */
void log_pending(struct dialogue *dialogue, uint64_t position, const char *xml);
void log_volatile(struct dialogue *dialogue, uint64_t position, const char *xml);
void log_recorded(struct dialogue *dialogue, uint32_t number);
void log_confirmed(struct dialogue *dialogue);
void log_initial(struct dialogue *dialogue);
void log_skipped(struct dialogue *dialogue);
/** The next pull, from these positions on. */
void expect_pull(struct dialogue *dialogue, uint64_t pending_from, uint64_t presence_since);
void expect_no_pull(struct dialogue *dialogue);
/** The end of the part pulled. */
void log_pulled(struct dialogue *dialogue, bool is_complete);
void log_dropped(struct dialogue *dialogue, enum drop_reason reason);

/* ---- login.c: the way to a bound stream */
/** Header, STARTTLS, TLS without channel binding, header. */
void reach_tls(struct dialogue *dialogue);
/** From there: PLAIN, header. */
void reach_login(struct dialogue *dialogue);
/** All of it, and bind. */
void reach_bound(struct dialogue *dialogue);
/** Bound, and so long silent that it gets what comes without counting. */
void reach_listening(struct dialogue *dialogue);
/** And <enable resume='true'/>. */
void reach_enabled(struct dialogue *dialogue);
/** A new connection, logged in, resumed with the next epoch; count is what the log knows. */
void reach_resumed(struct dialogue *dialogue, uint32_t count);
/** And confirmed with h. */
void reach_confirmed(struct dialogue *dialogue, uint32_t count, const char *h);
/** Answer STREAM_WANT_CREDENTIALS with the keys of PASSWORD. */
void give_credentials(struct dialogue *dialogue);
/** Do what STREAM_DERIVE asked for. */
void derive(struct dialogue *dialogue);
/** The same as give_credentials() for any stream, with this version. */
void offer_credentials(struct stream *stream, uint64_t version);
/** SCRAM as a client: initial <auth/>, proof. binding: "n,," or "p=TYPE,,"; data: its bytes. */
void client_does_scram(struct dialogue *dialogue, const char *mechanism, const char *password,
                       const char *binding, const char *data);

#endif
