/* Any event in any state: whatever order clients, log and time come in, a stream ends exactly once,
 * by CLOSE or DROP as its last action, and no assertion falls. A seed draws the order. */
#include "node/base/log.h"
#include "tests/unit/xmpp_stream/dialogue.h"

#define SEEDS 2000
#define STEPS 60

#define SAY_BIND   "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
#define SAY_RESUME "<resume xmlns='urn:xmpp:sm:3' h='0' previd='0123456789abcdef'/>"
#define SAY_ENABLE "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"

static const char *const sayings[] = {
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAHNlY3JldA==</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
    "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    SAY_BIND,
    SAY_RESUME,
    SAY_ENABLE,
    "<enable xmlns='urn:xmpp:sm:3'/>",
    "<message to='bob@example.test' id='m'/>",
    "<presence/>",
    ASK,
    ACK("0"),
    ACK("1"),
    ACK("2"),
    " ",
    "</stream:stream>",
    "<message></wrong>",
};

/* What would lead on is said more often than what ends the stream. */
static const size_t sayings_that_end = 2;

struct disorder {
    struct stream *stream;
    uint64_t seed;
    uint64_t now_ms;
    struct ring cookies;
    bool wants_tls;
    bool wants_credentials;
    struct sasl_derivation *derivation; /* asked for; NULL: none */
    bool ended;
    uint32_t epoch;
    uint32_t pull; /* the last one asked for */
};

static uint32_t draw(struct disorder *disorder, uint32_t below)
{
    disorder->seed = disorder->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(disorder->seed >> 33) % below;
}

static void take_command(struct disorder *disorder, struct slice bytes)
{
    Pb__Command *command = pb__command__unpack(NULL, bytes.len, bytes.data);

    assert_non_null(command);
    if (command->ref != NULL) {
        *(uint64_t *)ring_push(&disorder->cookies) = command->ref->cookie;
    }
    pb__command__free_unpacked(command, NULL);
}

static void pump(struct disorder *disorder)
{
    struct stream_action action;

    while (stream_pop(disorder->stream, &action)) {
        assert_false(disorder->ended); /* nothing comes after the end */
        switch (action.kind) {
        case STREAM_START_TLS:
            disorder->wants_tls = true;
            break;
        case STREAM_WANT_CREDENTIALS:
            disorder->wants_credentials = true;
            break;
        case STREAM_DERIVE:
            assert_null(disorder->derivation);
            disorder->derivation = action.derivation;
            break;
        case STREAM_COMMAND:
            take_command(disorder, action.command);
            break;
        case STREAM_REPLACE: /* too late each time: check_end() */
            assert_true(action.replaced.len > 0);
            break;
        case STREAM_PULL:
            disorder->pull = action.pull.number;
            break;
        case STREAM_CLOSE:
        case STREAM_DROP:
            disorder->ended = true;
            break;
        }
    }
}

static void say(struct disorder *disorder)
{
    size_t count = ARRAY_COUNT(sayings) - (draw(disorder, 10) == 0 ? 0 : sayings_that_end);
    const char *text = sayings[draw(disorder, (uint32_t)count)];

    stream_feed(disorder->stream, slice_str(text), disorder->now_ms);
}

static void lead_on(struct disorder *disorder)
{
    const struct stream_tls tls = {.tls13 = true};

    if (disorder->wants_tls) {
        disorder->wants_tls = false;
        stream_on_tls(disorder->stream, &tls);
        stream_feed(disorder->stream, slice_str(OPEN), disorder->now_ms);
    } else if (disorder->wants_credentials) {
        disorder->wants_credentials = false;
        offer_credentials(disorder->stream, 1);
    } else if (disorder->derivation != NULL) {
        sasl_derivation_run(disorder->derivation);
        stream_on_derived_take(disorder->stream, disorder->derivation);
        disorder->derivation = NULL;
        stream_feed(disorder->stream, slice_str(OPEN), disorder->now_ms);
    }
}

static void answer(struct disorder *disorder)
{
    static const int results[] = {0, 0, 0, 0, 0, ERR_CONFLICT, ERR_NO_SPACE, ERR_LIMIT, ERR_AUTH};
    const struct outcome outcome = {.kind = (enum outcome_kind)draw(disorder, 6),
                                    .rc = results[draw(disorder, ARRAY_COUNT(results))],
                                    .session = SESSION,
                                    .epoch = disorder->epoch,
                                    .address = ADDRESS,
                                    .resume_id = slice_str("12345678"),
                                    .count = draw(disorder, 3)};
    uint64_t cookie;

    if (disorder->cookies.count > 0) {
        cookie = *(uint64_t *)ring_at(&disorder->cookies, 0);
        ring_drop(&disorder->cookies);
        stream_on_outcome(disorder->stream, cookie, &outcome, disorder->now_ms);
    }
}

static void deliver(struct disorder *disorder)
{
    struct delivery delivery = {.kind = (enum delivery_kind)draw(disorder, 8),
                                .session = SESSION,
                                .epoch = disorder->epoch,
                                .position = draw(disorder, 100),
                                .number = draw(disorder, 5),
                                .pull = draw(disorder, 2) * disorder->pull,
                                .is_complete = draw(disorder, 2) == 0,
                                .drop = (enum drop_reason)draw(disorder, 5)};

    if (delivery.kind == DELIVERY_PENDING || delivery.kind == DELIVERY_VOLATILE) {
        delivery.xml = blob_new(slice_str("<message/>"));
    } else if (delivery.kind == DELIVERY_DROPPED && draw(disorder, 4) != 0) {
        return;
    }
    stream_on_delivery(disorder->stream, &delivery, disorder->now_ms);
}

static void step(struct disorder *disorder)
{
    struct buf *output = stream_output(disorder->stream);

    switch (draw(disorder, 40)) {
    case 0:
        stream_on_disconnect(disorder->stream);
        break;
    case 1:
        stream_shutdown(disorder->stream);
        break;
    case 2:
        disorder->now_ms += draw(disorder, 40000);
        stream_tick(disorder->stream, disorder->now_ms);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        deliver(disorder);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        answer(disorder);
        break;
    case 13:
        buf_consume(output, buf_len(output));
        break;
    default:
        if (disorder->wants_tls || disorder->wants_credentials) {
            lead_on(disorder);
        } else {
            say(disorder);
        }
        break;
    }
    pump(disorder);
}

static void hurry(struct disorder *disorder, const char *text)
{
    stream_feed(disorder->stream, slice_str(text), disorder->now_ms);
    pump(disorder);
    lead_on(disorder); /* TLS, or credentials */
    pump(disorder);
    lead_on(disorder); /* what is derived of a password */
    pump(disorder);
}

static void grant(struct disorder *disorder, const char *text, enum outcome_kind kind)
{
    const struct outcome outcome = {.kind = kind,
                                    .session = SESSION,
                                    .epoch = disorder->epoch,
                                    .address = ADDRESS,
                                    .resume_id = slice_str("12345678")};

    hurry(disorder, text);
    assert_int_equal(disorder->cookies.count, 1);
    stream_on_outcome(disorder->stream, *(uint64_t *)ring_at(&disorder->cookies, 0), &outcome,
                      disorder->now_ms);
    ring_drop(&disorder->cookies);
    pump(disorder);
}

/* A session, and XEP-0198 by one way or the other, for most. */
static void open_session(struct disorder *disorder)
{
    switch (draw(disorder, 4)) {
    case 0:
        break;
    case 1:
        grant(disorder, SAY_RESUME, OUTCOME_RESUMED);
        break;
    case 2:
        grant(disorder, SAY_BIND, OUTCOME_BOUND);
        grant(disorder, SAY_ENABLE, OUTCOME_ENABLED);
        break;
    default:
        grant(disorder, SAY_BIND, OUTCOME_BOUND);
        break;
    }
}

/* Most seeds are logged in first: chance alone would hardly get there. */
static void open_stream(struct disorder *disorder)
{
    struct dialogue dialogue;

    dialogue_init(&dialogue, false);
    dialogue.config.require_tls = draw(disorder, 2) == 0;
    dialogue.config.output_bytes_max = 2000;
    disorder->stream = stream_new(&dialogue.config, disorder->now_ms);
    dialogue_deinit(&dialogue);
    hurry(disorder, OPEN);
    if (draw(disorder, 4) != 0) {
        hurry(disorder, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        hurry(disorder, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                        "AGFsaWNlAHNlY3JldA==</auth>");
        open_session(disorder);
    }
}

static void check_end(struct disorder *disorder)
{
    struct outcome bound = {
        .kind = OUTCOME_BOUND, .session = SESSION, .epoch = disorder->epoch, .address = ADDRESS};

    stream_on_disconnect(disorder->stream);
    pump(disorder);
    while (disorder->cookies.count > 0) { /* a bind or resume may have been under way */
        stream_on_outcome(disorder->stream, *(uint64_t *)ring_at(&disorder->cookies, 0), &bound,
                          disorder->now_ms);
        ring_drop(&disorder->cookies);
        pump(disorder);
    }
}

static bool play(uint64_t seed)
{
    struct disorder disorder = {
        .seed = seed, .now_ms = 1000000, .cookies = RING_OF(uint64_t), .epoch = 1};
    bool bound;

    open_stream(&disorder);
    for (int i = 0; i < STEPS; i++) {
        step(&disorder);
    }
    bound = stream_session(disorder.stream) != 0;
    check_end(&disorder);
    if (!disorder.ended) {
        fail_msg("seed %llu: the stream never ended", (unsigned long long)seed);
    }
    stream_free(&disorder.stream);
    sasl_derivation_free(&disorder.derivation);
    ring_deinit(&disorder.cookies);
    return bound;
}

/* Goal: see the head of the file. Method: STEPS events a seed; a good part of the seeds must get as
 * far as a session, or the test says nothing. */
static void test_disorder(void **state)
{
    int bound = 0;
    (void)state;

    log_set_level(LOG_ERROR);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bound += play(seed) ? 1 : 0;
    }
    print_message("%d of %d seeds reached a session\n", bound, SEEDS);
    assert_true(bound > SEEDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disorder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
