/* The scripted talk: see dialogue.h. Commands are printed as one line each:
 *   message count=1 to=bob@example.test     notes run 1+2@10 ack 10/0     confirm epoch=2 h=3 */
#include "tests/unit/xmpp_stream/dialogue.h"

#include <stdio.h>

struct sent {
    struct buf bytes;
};

static bool serves_domain(void *ctx, const char *domain)
{
    (void)ctx;
    return strcmp(domain, DOMAIN) == 0;
}

/* The first one: what comes with later ones is announced, too, by a hash that these tests know. */
static uint32_t written_version(void *ctx)
{
    (void)ctx;
    return 0;
}

static const struct blob *about(void *ctx)
{
    (void)ctx;
    return NULL;
}

static const struct stream_config defaults = {
    .owner = {.incarnation = 3, .worker = 1, .slot = 2, .generation = 4},
    .require_tls = true,
    .scram_iterations = 4096,
    .resume_window_s = MAX_RESUME_S,
    .idle_probe_ms = 60000,
    .idle_dead_ms = 30000,
    .negotiation_ms = 30000,
    .stanza_ms = 40000,
    .confirm_ms = 20000,
    .stanza_bytes_max = 100000,
    .output_bytes_max = 100000,
    .default_domain = DOMAIN,
    .serves_domain = serves_domain,
    .written_version = written_version,
    .about = about,
};

static void forget_commands(struct dialogue *dialogue)
{
    while (dialogue->commands.count > 0) {
        struct sent *sent = ring_at(&dialogue->commands, 0);

        buf_deinit(&sent->bytes);
        ring_drop(&dialogue->commands);
    }
    ring_deinit(&dialogue->cookies);
}

void dialogue_init(struct dialogue *dialogue, bool byte_by_byte)
{
    *dialogue = (struct dialogue){.config = defaults,
                                  .now_ms = 1000000,
                                  .byte_by_byte = byte_by_byte,
                                  .commands = RING_OF(struct sent),
                                  .cookies = RING_OF(uint64_t),
                                  .epoch = 1};
}

void dialogue_deinit(struct dialogue *dialogue)
{
    stream_free(&dialogue->stream);
    sasl_derivation_free(&dialogue->derivation);
    mem_free(&dialogue->wanted_user);
    buf_deinit(&dialogue->last_command);
    forget_commands(dialogue);
}

static void run_once(dialogue_script script, bool byte_by_byte)
{
    struct dialogue dialogue;

    dialogue_init(&dialogue, byte_by_byte);
    script(&dialogue);
    dialogue_deinit(&dialogue);
}

void dialogue_run(dialogue_script script)
{
    run_once(script, false);
    run_once(script, true);
}

void dialogue_test(void **state)
{
    const struct dialogue_case *test = *state;

    dialogue_run(test->script);
}

void dialogue_start(struct dialogue *dialogue)
{
    dialogue->stream = stream_new(&dialogue->config, dialogue->now_ms);
    dialogue->pull = (struct delivery_pull){.number = 0};
}

static Pb__Command *unpack(struct slice bytes)
{
    Pb__Command *command = pb__command__unpack(NULL, bytes.len, bytes.data);

    assert_non_null(command);
    return command;
}

/* What stands for a command is Empty, and its outcome comes to whoever waits for that one's. */
static void take_replacement(struct dialogue *dialogue, const struct stream_action *action)
{
    Pb__Command *replaced = unpack(action->replaced);
    Pb__Command *command = unpack(action->command);

    assert_true(slice_eq(action->replaced, buf_slice(&dialogue->last_command)));
    assert_int_equal(command->body_case, PB__COMMAND__BODY_EMPTY);
    assert_int_equal(command->empty->reason, ERR_CLOSED);
    assert_non_null(replaced->ref);
    assert_non_null(command->ref);
    assert_int_equal(command->ref->worker, replaced->ref->worker);
    assert_int_equal(command->ref->slot, replaced->ref->slot);
    assert_int_equal(command->ref->generation, replaced->ref->generation);
    assert_int_equal(command->ref->cookie, replaced->ref->cookie);
    assert_int_equal(dialogue->replaced, 0);
    dialogue->replaced = replaced->body_case;
    pb__command__free_unpacked(command, NULL);
    pb__command__free_unpacked(replaced, NULL);
}

/* The end of a turn: take all actions. */
static void pump(struct dialogue *dialogue)
{
    struct stream_action action;

    while (stream_pop(dialogue->stream, &action)) {
        if (action.kind == STREAM_COMMAND) {
            struct sent *sent = ring_push(&dialogue->commands);

            buf_append(&sent->bytes, action.command);
            buf_clear(&dialogue->last_command);
            buf_append(&dialogue->last_command, action.command);
            continue;
        }
        if (action.kind == STREAM_REPLACE) {
            take_replacement(dialogue, &action);
            continue;
        }
        if (action.kind == STREAM_PULL) {
            assert_int_equal(dialogue->pull.number, 0); /* one at a time */
            dialogue->pull = action.pull;
            continue;
        }
        if (action.kind == STREAM_DERIVE) {
            assert_null(dialogue->derivation);
            dialogue->derivation = action.derivation;
            continue;
        }
        assert_false(dialogue->has_action);
        dialogue->has_action = true;
        dialogue->action = action.kind;
        if (action.kind == STREAM_WANT_CREDENTIALS) {
            mem_free(&dialogue->wanted_user);
            dialogue->wanted_user = mem_strdup(action.user);
        }
    }
}

/* ---- the client */

void client_says(struct dialogue *dialogue, const char *xml)
{
    struct slice bytes = slice_str(xml);
    size_t piece = dialogue->byte_by_byte ? 1 : bytes.len;

    for (size_t at = 0; at < bytes.len; at += piece) {
        stream_feed(dialogue->stream, slice_sub(bytes, at, at + piece), dialogue->now_ms);
    }
    pump(dialogue);
}

void client_leaves(struct dialogue *dialogue)
{
    stream_on_disconnect(dialogue->stream);
    pump(dialogue);
}

char *take_output(struct dialogue *dialogue)
{
    struct buf *output = stream_output(dialogue->stream);
    char *text = mem_strdup(buf_text(output));

    buf_consume(output, buf_len(output));
    pump(dialogue);
    return text;
}

void expect_server(struct dialogue *dialogue, const char *xml)
{
    char *text = take_output(dialogue);

    assert_string_equal(text, xml);
    mem_free(&text);
}

void expect_header_and(struct dialogue *dialogue, const char *to, const char *xml)
{
    char *text = take_output(dialogue);
    char expected[512];
    char *id = strstr(text, " id='");
    char *id_end;

    assert_non_null(id);
    id_end = strchr(id + 5, '\'');
    assert_non_null(id_end);
    assert_true(id_end - id > 16); /* long enough not to be guessed */
    memmove(id, id_end + 1, strlen(id_end + 1) + 1);
    (void)snprintf(expected, sizeof(expected),
                   "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                   "xmlns:stream='http://etherx.jabber.org/streams' from='" DOMAIN
                   "'%s%s%s version='1.0' xml:lang='en'>",
                   to == NULL ? "" : " to='", to == NULL ? "" : to, to == NULL ? "" : "'");
    assert_true(strlen(text) >= strlen(expected));
    assert_memory_equal(text, expected, strlen(expected));
    assert_string_equal(text + strlen(expected), xml);
    mem_free(&text);
}

void expect_output_has(struct dialogue *dialogue, const char *part)
{
    assert_non_null(strstr(buf_text(stream_output(dialogue->stream)), part));
}

void expect_output_lacks(struct dialogue *dialogue, const char *part)
{
    assert_null(strstr(buf_text(stream_output(dialogue->stream)), part));
}

/* ---- the caller */

void expect_action(struct dialogue *dialogue, enum stream_action_kind kind)
{
    assert_true(dialogue->has_action);
    assert_int_equal(dialogue->action, kind);
    dialogue->has_action = false;
}

void expect_no_action(struct dialogue *dialogue)
{
    assert_false(dialogue->has_action);
}

void time_passes(struct dialogue *dialogue, uint64_t ms)
{
    dialogue->now_ms += ms;
    stream_tick(dialogue->stream, dialogue->now_ms);
    pump(dialogue);
}

/* ---- the log: what commands look like */

static void print_from(const Pb__From *from, struct buf *out)
{
    if (from->session != SESSION) {
        buf_printf(out, " session=%llu", (unsigned long long)from->session);
    }
    buf_printf(out, " epoch=%u", from->epoch);
    if (from->counted) {
        buf_printf(out, " count=%u", from->count);
    }
}

static void print_stanza(const char *name, const Pb__From *from, const Pb__Stanza *stanza,
                         struct buf *out)
{
    buf_append_str(out, name);
    print_from(from, out);
    buf_printf(out, " %s", stanza->id);
    if (stanza->lang[0] != '\0') {
        buf_printf(out, " lang=%s", stanza->lang);
    }
}

static void print_notes(const Pb__Notes *notes, struct buf *out)
{
    buf_append_str(out, "notes");
    for (size_t i = 0; i < notes->n_runs; i++) {
        const Pb__Notes__Run *run = notes->runs[i];

        buf_printf(out, " run epoch=%u %u+%u@%llu", run->epoch, run->first_number, run->count,
                   (unsigned long long)run->first_position);
    }
    for (size_t i = 0; i < notes->n_acks; i++) {
        const Pb__Notes__Ack *ack = notes->acks[i];

        buf_printf(out, " ack epoch=%u %llu/%llu", ack->epoch,
                   (unsigned long long)ack->done_position,
                   (unsigned long long)ack->presence_position);
    }
    for (size_t i = 0; i < notes->n_counts; i++) {
        buf_append_str(out, " count");
        print_from(notes->counts[i], out);
    }
}

static void print_session_command(const Pb__Command *command, struct buf *out)
{
    struct buf hex = BUF_EMPTY;

    switch (command->body_case) {
    case PB__COMMAND__BODY_BIND:
        buf_printf(out, "bind %s/%s version=%llu owner=%llu.%u.%u.%u", command->bind->user,
                   command->bind->resource, (unsigned long long)command->bind->credential_version,
                   (unsigned long long)command->bind->owner->incarnation,
                   command->bind->owner->worker, command->bind->owner->slot,
                   command->bind->owner->generation);
        break;
    case PB__COMMAND__BODY_RESUME:
        for (size_t i = 0; i < command->resume->resume_id.len; i++) {
            buf_printf(&hex, "%02x", command->resume->resume_id.data[i]);
        }
        buf_printf(out, "resume %s id=%s version=%llu", command->resume->user, buf_text(&hex),
                   (unsigned long long)command->resume->credential_version);
        break;
    case PB__COMMAND__BODY_ENABLE:
        buf_append_str(out, "enable");
        print_from(command->enable->from, out);
        buf_printf(out, " resume=%d window=%u", command->enable->resume, command->enable->window_s);
        break;
    case PB__COMMAND__BODY_CONFIRM:
        buf_printf(out, "confirm epoch=%u h=%u", command->confirm->epoch, command->confirm->h);
        break;
    case PB__COMMAND__BODY_DETACH:
        buf_printf(out, "detach epoch=%u", command->detach->epoch);
        break;
    case PB__COMMAND__BODY_CLOSE:
        buf_append_str(out, "close");
        print_from(command->close->from, out);
        break;
    default:
        buf_printf(out, "body=%d", (int)command->body_case);
        break;
    }
    buf_deinit(&hex);
}

static void print_command(const Pb__Command *command, struct buf *out)
{
    switch (command->body_case) {
    case PB__COMMAND__BODY_MESSAGE:
        print_stanza("message", command->message->from, command->message->stanza, out);
        break;
    case PB__COMMAND__BODY_PRESENCE:
        print_stanza("presence", command->presence->from, command->presence->stanza, out);
        break;
    case PB__COMMAND__BODY_IQ:
        print_stanza("iq", command->iq->from, command->iq->stanza, out);
        break;
    case PB__COMMAND__BODY_ASK:
        print_stanza("ask", command->ask->from, command->ask->request, out);
        break;
    case PB__COMMAND__BODY_ANSWER:
        print_stanza("answer", command->answer->from, command->answer->stanza, out);
        break;
    case PB__COMMAND__BODY_NOTES:
        print_notes(command->notes, out);
        break;
    default:
        print_session_command(command, out);
        break;
    }
}

static void check_ref(struct dialogue *dialogue, const Pb__Command *command)
{
    if (command->ref != NULL) {
        assert_int_equal(command->ref->worker, dialogue->config.owner.worker);
        assert_int_equal(command->ref->slot, dialogue->config.owner.slot);
        assert_int_equal(command->ref->generation, dialogue->config.owner.generation);
        *(uint64_t *)ring_push(&dialogue->cookies) = command->ref->cookie;
    }
}

void expect_log(struct dialogue *dialogue, const char *text)
{
    struct buf line = BUF_EMPTY;
    struct sent *sent;
    Pb__Command *command;

    if (dialogue->commands.count == 0) {
        fail_msg("no command in the log, but expected: %s", text);
    }
    sent = ring_at(&dialogue->commands, 0);
    command = unpack(buf_slice(&sent->bytes));
    check_ref(dialogue, command);
    print_command(command, &line);
    assert_string_equal(buf_text(&line), text);
    pb__command__free_unpacked(command, NULL);
    buf_deinit(&line);
    buf_deinit(&sent->bytes);
    ring_drop(&dialogue->commands);
}

void expect_replaced(struct dialogue *dialogue, Pb__Command__BodyCase body)
{
    assert_int_equal(dialogue->replaced, body);
    dialogue->replaced = PB__COMMAND__BODY__NOT_SET;
}

void dialogue_skip_log(struct dialogue *dialogue)
{
    struct sent *sent = ring_at(&dialogue->commands, 0);

    buf_deinit(&sent->bytes);
    ring_drop(&dialogue->commands);
}

void expect_no_log(struct dialogue *dialogue)
{
    if (dialogue->commands.count > 0) {
        expect_log(dialogue, "");
    }
}

/* ---- the log: what it says */

void log_says(struct dialogue *dialogue, const struct outcome *outcome)
{
    uint64_t cookie;

    assert_true(dialogue->cookies.count > 0);
    cookie = *(uint64_t *)ring_at(&dialogue->cookies, 0);
    ring_drop(&dialogue->cookies);
    stream_on_outcome(dialogue->stream, cookie, outcome, dialogue->now_ms);
    pump(dialogue);
}

void log_done(struct dialogue *dialogue, int rc)
{
    const struct outcome outcome = {.kind = OUTCOME_DONE, .rc = rc};

    log_says(dialogue, &outcome);
}

static void deliver(struct dialogue *dialogue, struct delivery delivery)
{
    delivery.owner = dialogue->config.owner;
    delivery.session = SESSION;
    delivery.epoch = dialogue->epoch;
    stream_on_delivery(dialogue->stream, &delivery, dialogue->now_ms);
    pump(dialogue);
}

void log_pending(struct dialogue *dialogue, uint64_t position, const char *xml)
{
    deliver(dialogue, (struct delivery){.kind = DELIVERY_PENDING,
                                        .position = position,
                                        .pull = dialogue->pull.number,
                                        .xml = blob_new(slice_str(xml))});
}

void log_volatile(struct dialogue *dialogue, uint64_t position, const char *xml)
{
    deliver(dialogue, (struct delivery){.kind = DELIVERY_VOLATILE,
                                        .position = position,
                                        .pull = dialogue->pull.number,
                                        .xml = blob_new(slice_str(xml))});
}

void log_recorded(struct dialogue *dialogue, uint32_t number)
{
    deliver(dialogue, (struct delivery){.kind = DELIVERY_RECORDED, .number = number});
}

void log_confirmed(struct dialogue *dialogue)
{
    deliver(dialogue, (struct delivery){.kind = DELIVERY_CONFIRMED});
}

void log_initial(struct dialogue *dialogue)
{
    deliver(dialogue, (struct delivery){.kind = DELIVERY_INITIAL});
}

void log_skipped(struct dialogue *dialogue)
{
    deliver(dialogue, (struct delivery){.kind = DELIVERY_SKIPPED});
}

void expect_pull(struct dialogue *dialogue, uint64_t pending_from, uint64_t presence_since)
{
    assert_int_not_equal(dialogue->pull.number, 0);
    assert_int_equal(dialogue->pull.session, SESSION);
    assert_int_equal(dialogue->pull.epoch, dialogue->epoch);
    assert_int_equal(dialogue->pull.pending_from, pending_from);
    assert_int_equal(dialogue->pull.presence_since, presence_since);
}

void expect_no_pull(struct dialogue *dialogue)
{
    assert_int_equal(dialogue->pull.number, 0);
}

void log_pulled(struct dialogue *dialogue, bool is_complete)
{
    const struct delivery end = {
        .kind = DELIVERY_PULLED, .pull = dialogue->pull.number, .is_complete = is_complete};

    assert_int_not_equal(end.pull, 0);
    dialogue->pull = (struct delivery_pull){.number = 0};
    deliver(dialogue, end);
}

void log_dropped(struct dialogue *dialogue, enum drop_reason reason)
{
    deliver(dialogue, (struct delivery){.kind = DELIVERY_DROPPED, .drop = reason});
}
