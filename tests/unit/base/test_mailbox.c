/* Mailboxes: order, what waits, and one wake-up for each time the queue stops being empty. */
#include "node/base/mailbox.h"

#include "node/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct letter {
    struct mail mail;
    unsigned sender;
    unsigned number;
};

static void count_wake(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void test_order_and_bytes(void **state)
{
    struct letter letters[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    atomic_uint wakes = 0;
    struct mailbox box;
    unsigned number = 0;
    (void)state;

    mailbox_init(&box, count_wake, &wakes);
    assert_null(mailbox_drain(&box));
    for (size_t i = 0; i < 4; i++) {
        letters[i].mail.bytes = 10 * i;
        mailbox_push_take(&box, &letters[i].mail);
    }
    assert_int_equal(mailbox_bytes(&box), 60);
    assert_int_equal(wakes, 1);
    for (struct mail *mail = mailbox_drain(&box); mail != NULL; mail = mail->next) {
        assert_int_equal(CONTAINER_OF(mail, struct letter, mail)->number, number++);
    }
    assert_int_equal(number, 4);
    assert_int_equal(mailbox_bytes(&box), 0);
    mailbox_push_take(&box, &letters[0].mail);
    assert_int_equal(wakes, 2);
    assert_ptr_equal(mailbox_drain(&box), &letters[0].mail);
    mailbox_deinit(&box);
}

/* ---- threads ---- */

#define SENDERS 4
#define LETTERS 5000

struct sender {
    struct mailbox *box;
    unsigned number;
    struct letter letters[LETTERS];
};

static void *send_all(void *ctx)
{
    struct sender *sender = ctx;

    for (unsigned i = 0; i < LETTERS; i++) {
        sender->letters[i] = (struct letter){.sender = sender->number, .number = i};
        mailbox_push_take(sender->box, &sender->letters[i].mail);
    }
    return NULL;
}

/* Goal: nothing is lost, nothing repeated, each sender's order is kept (run under TSan too).
 * Method: four threads send through a box while this one drains. */
static void test_threads(void **state)
{
    static struct sender senders[SENDERS];
    unsigned next[SENDERS] = {0};
    pthread_t threads[SENDERS];
    atomic_uint wakes = 0;
    struct mailbox box;
    unsigned received = 0;
    (void)state;

    mailbox_init(&box, count_wake, &wakes);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i].box = &box;
        senders[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    while (received < SENDERS * LETTERS) {
        for (struct mail *mail = mailbox_drain(&box); mail != NULL; mail = mail->next) {
            const struct letter *letter = CONTAINER_OF(mail, struct letter, mail);

            assert_int_equal(letter->number, next[letter->sender]++);
            received++;
        }
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_null(mailbox_drain(&box));
    mailbox_deinit(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bytes),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
