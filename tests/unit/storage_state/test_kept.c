/* What a user keeps here: private elements and a vCard (XEP-0049, XEP-0054). */
#include "storage/state/kept.h"
#include "storage/state/room.h"
#include "tests/unit/storage_state/check.h"
#include "tests/unit/storage_state/command_text.h"
#include "tests/unit/storage_state/world.h"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_open(&world);
    world_settle(&world);
    world_bind(&world, "alice", "a"); /* session 1 */
    world_bind(&world, "bob", "b");   /* session 2 */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_invariants(world.state);
    world_close(&world);
    return 0;
}

#define KEEP "1 keep from=1:1 iq_id=k "
/* The bytes that alice or bob keeps, "" for none. */
static const char *kept(const char *user, Pb__Kept__Kind kind, const char *ns, const char *name)
{
    Pb__Kept which = PB__KEPT__INIT;
    const Pb__KeptRow *row;

    which.kind = kind;
    which.ns = (char *)(uintptr_t)ns;
    which.name = (char *)(uintptr_t)name;
    row = state_kept(world.state, &world.arena, user, &which);
    return row == NULL ? ""
                       : arena_strndup(&world.arena,
                                       slice_make(row->kept->element.data, row->kept->element.len));
}

/* One private element of so many bytes, named by a number; beside it whatever more says. */
static const char *keep_beside(const char *more, unsigned number, size_t bytes)
{
    struct buf line = BUF_EMPTY;
    const char *effects;

    buf_printf(&line, KEEP "%s items.%u.ns=n items.%u.name=e%u items.%u.element=%0*d", more,
               more[0] != '\0', more[0] != '\0', number, more[0] != '\0', (int)bytes, 1);
    effects = world_run(&world, buf_text(&line));
    buf_deinit(&line);
    return effects;
}

static const char *keep_one(unsigned number, size_t bytes)
{
    return keep_beside("", number, bytes);
}

static uint64_t total_bytes(const char *user)
{
    const Pb__KeptTotalRow *row =
        row_get(world.state, &world.arena, TABLE_KEPT_TOTAL, key_user(user));

    return row == NULL ? 0 : row->bytes;
}

/* Goal: what is set is kept under its kind, namespace and name, and replaced by the next one; an
 * empty element takes it away.
 * Method: elements that differ in one of the three, of two users. */
static void test_kept(void **state)
{
    (void)state;
    (void)world_run(&world, KEEP "items.0.ns=n items.0.name=e items.0.element=one "
                                 "items.1.ns=n items.1.name=f items.1.element=two "
                                 "items.2.ns=m items.2.name=e items.2.element=three");
    (void)world_run(&world, KEEP "items.0.kind=VCARD items.0.ns=n items.0.name=e "
                                 "items.0.element=card");
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__PRIVATE, "n", "e"), "one");
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__PRIVATE, "n", "f"), "two");
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__PRIVATE, "m", "e"), "three");
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__VCARD, "n", "e"), "card");
    assert_string_equal(kept("bob@x", PB__KEPT__KIND__PRIVATE, "n", "e"), "");
    assert_string_equal(kept("nobody@x", PB__KEPT__KIND__PRIVATE, "n", "e"), "");
    assert_string_equal(kept("x", PB__KEPT__KIND__PRIVATE, "n", "e"), "");

    (void)world_run(&world, KEEP "items.0.ns=n items.0.name=e items.0.element=other "
                                 "items.1.ns=n items.1.name=f");
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__PRIVATE, "n", "e"), "other");
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__PRIVATE, "n", "f"), "");
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__VCARD, "n", "e"), "card");
}

/* Goal: the result is pending until it is acked, and a command of an older epoch is void. */
static void test_answered(void **state)
{
    (void)state;
    assert_non_null(strstr(world_run(&world, KEEP "items.0.ns=n items.0.name=e items.0.element=1"),
                           "outcome done\n"));
    assert_non_null(strstr(world_pending(&world, 1), "iq result alice@x->alice@x/a"));
    world_refuse(&world, "1 keep from=1:2 items.0.ns=n items.0.name=e items.0.element=2",
                 ERR_CONFLICT);
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__PRIVATE, "n", "e"), "1");
}

/* Goal: all of a command is kept, or nothing.
 * Method: the last of two is too large, stands twice, or has no name; none, and more than there may
 * be. */
static void test_all_or_nothing(void **state)
{
    struct buf line = BUF_EMPTY;
    (void)state;

    (void)keep_beside("items.0.ns=n items.0.name=e items.0.element=1", 0,
                      STATE_KEPT_ELEMENT_BYTES_MAX + 1);
    assert_non_null(strstr(buf_text(&world.text), "<policy-violation"));
    (void)world_run(&world, KEEP "items.0.ns=n items.0.name=e items.0.element=1 "
                                 "items.1.ns=n items.1.name=e items.1.element=2");
    assert_non_null(strstr(buf_text(&world.text), "<not-allowed"));
    (void)world_run(&world, KEEP "items.0.ns=n items.0.name=e items.0.element=1 items.1.ns=n");
    (void)world_run(&world, KEEP);
    assert_int_equal(total_bytes("alice@x"), 0);

    buf_append_str(&line, KEEP);
    for (unsigned i = 0; i < STATE_KEEP_MAX; i++) {
        buf_printf(&line, "items.%u.ns=n items.%u.name=e%u items.%u.element=1 ", i, i, i, i);
    }
    (void)world_run(&world, buf_text(&line));
    assert_int_equal(total_bytes("alice@x"), STATE_KEEP_MAX);
    buf_printf(&line, "items.%u.ns=n items.%u.name=more items.%u.element=1", STATE_KEEP_MAX,
               STATE_KEEP_MAX, STATE_KEEP_MAX);
    (void)world_run(&world, buf_text(&line));
    assert_int_equal(total_bytes("alice@x"), STATE_KEEP_MAX);
    buf_deinit(&line);
}

/* Goal: an element, and all of a user's together, are bounded by bytes; what goes makes room.
 * Method: each limit, and one byte beyond it. */
static void test_bytes_are_bounded(void **state)
{
    const unsigned parts = STATE_KEPT_BYTES_MAX / STATE_KEPT_ELEMENT_BYTES_MAX;
    (void)state;

    assert_null(strstr(keep_one(0, STATE_KEPT_ELEMENT_BYTES_MAX), "error"));
    assert_non_null(strstr(keep_one(0, STATE_KEPT_ELEMENT_BYTES_MAX + 1), "<policy-violation"));
    for (unsigned i = 1; i < parts; i++) {
        assert_null(strstr(keep_one(i, STATE_KEPT_ELEMENT_BYTES_MAX), "error"));
    }
    assert_int_equal(total_bytes("alice@x"), STATE_KEPT_BYTES_MAX);
    assert_non_null(strstr(keep_one(parts, 1), "<resource-constraint"));
    assert_null(strstr(keep_one(0, STATE_KEPT_ELEMENT_BYTES_MAX - 1), "error"));
    assert_null(strstr(keep_one(parts, 1), "error"));
    assert_non_null(strstr(keep_one(parts, 2), "<resource-constraint"));
}

/* Goal: the same by their number. */
static void test_elements_are_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATE_KEPT_MAX; i++) {
        assert_null(strstr(keep_one(i, 1), "error"));
    }
    assert_non_null(strstr(keep_one(STATE_KEPT_MAX, 1), "<resource-constraint"));
    assert_null(strstr(keep_one(7, 2), "error"));
    (void)world_run(&world, KEEP "items.0.ns=n items.0.name=e7");
    assert_null(strstr(keep_one(STATE_KEPT_MAX, 1), "error"));
}

/* Goal: a removed account leaves nothing that a successor of its name would read, in bounded steps,
 * and others keep theirs. */
static void test_erased(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATE_KEPT_MAX; i++) {
        (void)keep_one(i, 3);
    }
    (void)world_run(&world, "1 keep from=2:1 items.0.ns=n items.0.name=e items.0.element=b");
    (void)world_run(&world, "1 user_remove user=alice@x");
    for (unsigned steps = STATE_KEPT_MAX / KEPT_ERASED_MAX; steps > 0; steps--) {
        world_refuse(&world, "1 user_set user=alice@x create=1", ERR_BUSY);
        assert_int_equal(kept_erasure_rows(world.state, &world.arena, "alice@x"), KEPT_ERASED_MAX);
        (void)world_run(&world, "0 expire items.0.kind=ERASURE items.0.session=1");
        check_invariants(world.state);
    }
    (void)world_run(&world, "0 expire items.0.kind=ERASURE items.0.session=1");
    (void)world_run(&world, "1 user_set user=alice@x create=1");
    assert_string_equal(kept("alice@x", PB__KEPT__KIND__PRIVATE, "n", "e1"), "");
    assert_int_equal(total_bytes("alice@x"), 0);
    assert_string_equal(kept("bob@x", PB__KEPT__KIND__PRIVATE, "n", "e"), "b");
}

/* Goal: without room the client hears so, under its own id. */
static void test_no_room(void **state)
{
    struct buf command = BUF_EMPTY;
    struct buf refusal = BUF_EMPTY;
    const Pb__Command *result;
    (void)state;

    command_from_text(world.state,
                      "keep from=1:1 iq_id=k items.0.ns=n items.0.name=e items.0.element=1", 7,
                      &command);
    assert_true(room_refuse(buf_slice(&command), ERR_NO_SPACE, &refusal));
    result = pb__command__unpack(&world.arena.pb, buf_len(&refusal), buf_slice(&refusal).data);
    assert_int_equal(result->body_case, PB__COMMAND__BODY_BOUNCE);
    assert_string_equal(result->bounce->stanza->id, "k");
    assert_string_equal(result->bounce->stanza->type, "set");
    assert_int_equal(result->bounce->stanza->kind, PB__STANZA__KIND__IQ);
    assert_int_equal(result->bounce->from->session, 1);
    buf_deinit(&command);
    buf_deinit(&refusal);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kept),
        TEST(test_answered),
        TEST(test_all_or_nothing),
        TEST(test_bytes_are_bounded),
        TEST(test_elements_are_bounded),
        TEST(test_erased),
        TEST(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
