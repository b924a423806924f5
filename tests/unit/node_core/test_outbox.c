/* What a slow worker is kept from: see node/core/outbox.h. */
#include "node/core/outbox.h"

#include "node/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STANZA_BYTES (256 * 1024)
#define SLACK_BYTES  (STANZA_BYTES + 4096)

struct slow_worker {
    struct mailbox box;
    struct outbox outbox;
    struct blob *stanza;
};

static void wake_nobody(void *ctx)
{
    (void)ctx;
}

static int set_up(void **state)
{
    struct slow_worker *worker = mem_zalloc(sizeof(*worker));
    char *text = mem_zalloc(STANZA_BYTES);

    mailbox_init(&worker->box, wake_nobody, NULL);
    outbox_init(&worker->outbox, &worker->box);
    worker->stanza = blob_new(slice_make(text, STANZA_BYTES));
    mem_free(&text);
    *state = worker;
    return 0;
}

/* The worker reads its mail: one letter for each message, S for a stanza, P for one pulled, K for
 * the signal that some were skipped, with the session's number, and the owner's slot. */
static const char *read_mail(struct slow_worker *worker)
{
    static char text[64];
    size_t len = 0;
    struct mail *mail = mailbox_drain(&worker->box);

    memset(text, 0, sizeof(text));
    while (mail != NULL) {
        struct port_message *message = CONTAINER_OF(mail, struct port_message, mail);
        const struct delivery *delivery = &message->delivery;
        char letter = delivery->kind == DELIVERY_SKIPPED ? 'K' : delivery->pull != 0 ? 'P' : 'S';

        if (len + 3 < sizeof(text)) {
            text[len++] = letter;
            text[len++] = (char)('0' + delivery->session);
            text[len++] = (char)('a' + delivery->owner.slot);
        }
        mail = mail->next;
        port_free(&message);
    }
    return text;
}

static int tear_down(void **state)
{
    struct slow_worker *worker = *state;

    outbox_deinit(&worker->outbox);
    (void)read_mail(worker);
    mailbox_deinit(&worker->box);
    blob_unref(&worker->stanza);
    mem_free(&worker);
    return 0;
}

static void deliver(struct slow_worker *worker, uint64_t session, uint32_t slot, uint32_t pull)
{
    const struct delivery delivery = {.kind = DELIVERY_PENDING,
                                      .session = session,
                                      .owner = {.slot = slot},
                                      .pull = pull,
                                      .xml = blob_ref(worker->stanza)};

    outbox_deliver(&worker->outbox, &delivery);
}

static void fill(struct slow_worker *worker)
{
    for (int i = 0; i < 1000; i++) {
        deliver(worker, 1, 0, 0);
    }
}

/* Goal: whatever comes for a worker that reads nothing, what waits for it is bounded. What was left
 * out is told to the connection that has the session last, once, when there is room; nothing comes
 * by itself before that, or there would be a gap; then all goes on.
 * Method: a flood for one session, some for another that moves; parts that were pulled always go.
 */
static void test_flood(void **state)
{
    struct slow_worker *worker = *state;

    fill(worker);
    deliver(worker, 2, 1, 0);
    deliver(worker, 2, 2, 0);
    assert_true(mailbox_bytes(&worker->box) < OUTBOX_BYTES_MAX + SLACK_BYTES);
    outbox_settle(&worker->outbox); /* no room: nobody is told */
    (void)read_mail(worker);
    deliver(worker, 1, 0, 0);
    deliver(worker, 1, 0, 7);
    assert_string_equal(read_mail(worker), "P1a");
    outbox_settle(&worker->outbox);
    assert_string_equal(read_mail(worker), "K1aK2c");
    outbox_settle(&worker->outbox);
    deliver(worker, 1, 0, 0);
    deliver(worker, 2, 2, 0);
    assert_string_equal(read_mail(worker), "S1aS2c");
}

/* Goal: pulls wait for room as well, in order. */
static void test_pulls(void **state)
{
    struct slow_worker *worker = *state;
    struct delivery_pull pull = {.number = 1};

    assert_true(outbox_take_pull(&worker->outbox, &pull));
    fill(worker);
    for (pull.number = 2; pull.number < 4; pull.number++) {
        assert_false(outbox_take_pull(&worker->outbox, &pull));
    }
    assert_false(outbox_next_pull(&worker->outbox, &pull));
    (void)read_mail(worker);
    pull.number = 4;
    assert_false(outbox_take_pull(&worker->outbox, &pull)); /* behind the others */
    for (uint32_t number = 2; number < 5; number++) {
        assert_true(outbox_next_pull(&worker->outbox, &pull));
        assert_int_equal(pull.number, number);
    }
    assert_false(outbox_next_pull(&worker->outbox, &pull));
    assert_true(outbox_take_pull(&worker->outbox, &pull));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pulls, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
