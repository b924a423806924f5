/* xmpp/im on the state thread's side: what do the sessions of this node get to see? */
#include "node/base/crypto.h"
#include "tests/unit/xmpp_im/scene.h"
#include "xmpp/im/features.h"

#include <stdio.h>
#include <stdlib.h>

/* Goal: RFC 6121 §4.2: who becomes available is told to pull, and gets its contacts and itself in
 * the order of their changes, then is seen; from then on changes come by themselves.
 * Method: alice is subscribed to bob; she comes, he changes. */
static void test_available(void **state)
{
    struct scene *scene = *state;

    (void)world_bind(&scene->world, "alice", "a");
    (void)world_login(&scene->world, "bob", "b");
    scene_befriend(scene);

    assert_string_equal(scene_see(scene, "1 presence from=1:1 stanza.kind=PRESENCE"),
                        "initial 1\n"
                        "volatile 1@9 <presence from='alice@x/a' to='alice@x'></presence>\n");
    scene->presence_since = 0;
    scene->pending_from = 100; /* the subscription's stanzas are not looked at */
    assert_string_equal(scene_pull(scene, 1, 1000),
                        "volatile 1@4 <presence from='bob@x/b' to='alice@x/a'></presence>\n"
                        "volatile 1@9 <presence from='alice@x/a' to='alice@x/a'></presence>\n"
                        "pulled 1 all\n");
    assert_string_equal(
        scene_see(scene, "1 presence from=2:1 stanza.kind=PRESENCE stanza.inner=<show>away</show>"),
        "volatile 2@10 <presence from='bob@x/b' to='bob@x'><show>away</show></presence>\n"
        "volatile 1@10 <presence from='bob@x/b' to='alice@x'><show>away</show></presence>\n");
}

/* Goal: every node writes to its own sessions only.
 * Method: the same change seen by a node that serves neither. */
static void test_not_here(void **state)
{
    struct scene *scene = *state;

    (void)world_login(&scene->world, "alice", "a");
    assert_string_equal(
        scene_see_as(scene, SCENE_OTHER_NODE, "1 presence from=1:1 stanza.kind=PRESENCE"), "");
}

/* Goal: DESIGN 5: nothing is written before the confirm; then what is pending and what changed in
 * presence, ended sessions included, in log order and once. Method: alice resumes; in one entry
 * come a message to her, her confirm, and another message. */
static void test_confirmed(void **state)
{
    struct scene *scene = *state;

    (void)world_login(&scene->world, "alice", "a");
    (void)world_login(&scene->world, "bob", "b");
    scene_befriend(scene);
    (void)world_run(&scene->world, "1 enable from=1:1 resume=1 window_s=300");
    (void)world_run(&scene->world, "1 notes acks.0.session=1 acks.0.epoch=1 "
                                   "acks.0.done_position=1000 acks.0.presence_position=7");
    (void)world_run(&scene->world, "1 close from=2:1");
    assert_string_equal(scene_see(scene, "1 resume owner=1:0:1:2 user=alice@x resume_id=$1 "
                                         "credential_version=$"),
                        "dropped 1\n");
    (void)world_login(&scene->world, "carol", "c");
    assert_string_equal(scene_pull(scene, 2, 10000), ""); /* not confirmed */
    (void)scene_see(scene, "1 message from=3:1 stanza.to=alice@x/a stanza.id=m1\n"
                           "1 confirm session=1 epoch=2\n"
                           "1 message from=3:1 stanza.to=alice@x/a stanza.id=m2\n");
    assert_memory_equal(buf_text(&scene->text), "confirmed 1 since 7\n", 20);
    scene->pending_from = 0;
    scene->presence_since = 7;
    assert_string_equal(scene_pull(scene, 1, 10000), ""); /* the connection before */
    assert_string_equal(scene_pull(scene, 2, 10000),
                        "volatile 1@11 <presence from='bob@x/b' to='alice@x/a' "
                        "type='unavailable'/>\n"
                        "pending 1 <message from='carol@x/c' to='alice@x/a' id='m1'>"
                        "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@x' id='13'/></message>\n"
                        "pending 1 <message from='carol@x/c' to='alice@x/a' id='m2'>"
                        "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@x' id='14'/></message>\n"
                        "pulled 1 all\n");
}

static void expire_tombstones(struct scene *scene)
{
    struct arena arena;
    Pb__Expire due;

    arena_init(&arena);
    (void)state_due(scene->world.state, &arena, scene->world.now_ms, 10, &due);
    for (size_t i = 0; i < due.n_items; i++) {
        (void)world_runf(&scene->world, "0 expire items.0=%u:0:%u:PRESENCE_TOMBSTONE",
                         (unsigned)due.items[i]->session, (unsigned)due.items[i]->deadline_ms);
    }
    arena_deinit(&arena);
}

/* Goal: an end is told however late, were it only by the bare address (P5).
 * Method: bob goes while alice is away; what she gets when she resumes is lost on the way; she
 * resumes again when the memory of his end is gone; and then has acked it. */
static void test_a_forgotten_end_is_told(void **state)
{
    static const char end[] = "<presence from='bob@x' to='alice@x/a' type='unavailable'/>";
    const uint64_t minute_ms = 60 * 1000;
    struct scene *scene = *state;

    (void)world_login(&scene->world, "alice", "a");
    (void)world_login(&scene->world, "bob", "b");
    scene_befriend(scene);
    (void)world_run(&scene->world, "1 enable from=1:1 resume=1 window_s=3600\n"
                                   "1 notes acks.0=1:1:1000:7\n"
                                   "1 detach session=1 epoch=1\n"
                                   "1 close from=2:1");
    scene->world.now_ms += 59 * minute_ms;
    (void)world_run(&scene->world,
                    "1 resume owner=1:0:1:2 user=alice@x resume_id=$1 credential_version=$\n"
                    "1 confirm session=1 epoch=2");
    scene->world.now_ms += 6 * minute_ms;
    (void)world_run(&scene->world, "1 detach session=1 epoch=2");
    scene->world.now_ms += 50 * minute_ms;
    expire_tombstones(scene);
    (void)world_run(&scene->world,
                    "1 resume owner=1:0:1:3 user=alice@x resume_id=$1 credential_version=$\n"
                    "1 confirm session=1 epoch=3");
    scene->presence_since = 7;
    assert_non_null(strstr(scene_pull(scene, 3, 10000), end));
    assert_null(strstr(scene_pull(scene, 3, 10000), end));
}

#define PART_BYTES   (8 * 1024)
#define STANZA_BYTES (4 * 1000)

static void send_large(struct scene *scene, uint32_t number)
{
    struct buf line = BUF_EMPTY;

    buf_printf(&line, "1 message from=2:1 stanza.to=alice@x/a stanza.id=m%u stanza.inner=<body>",
               number);
    for (uint32_t i = 0; i < STANZA_BYTES; i++) {
        buf_append_u8(&line, 'x');
    }
    buf_append_str(&line, "</body>");
    (void)world_run(&scene->world, buf_text(&line));
    buf_deinit(&line);
}

/* The numbers of the messages in what was delivered; each must be the next. */
static void expect_next(struct scene *scene, uint32_t *next)
{
    for (const char *at = buf_text(&scene->text); (at = strstr(at, " id='m")) != NULL; at++) {
        assert_int_equal(strtoul(at + strlen(" id='m"), NULL, 10), *next);
        (*next)++;
    }
}

/* Goal: a full list comes in parts that are no larger than asked for and one stanza more, in order,
 * once, while new ones arrive behind them. Method: 950 messages of 4 KB wait; each part makes room
 * for a new one until 1000 are sent. */
static void test_parts(void **state)
{
    struct scene *scene = *state;
    uint32_t sent = 0;
    uint32_t got = 0;

    (void)world_login(&scene->world, "alice", "a");
    (void)world_bind(&scene->world, "bob", "b");
    while (sent < 950) {
        send_large(scene, sent++);
    }
    scene->presence_since = 1000000; /* none */
    while (!scene->is_complete) {
        (void)scene_pull(scene, 1, PART_BYTES);
        assert_true(scene->bytes < PART_BYTES + STANZA_BYTES + 1000);
        expect_next(scene, &got);
        if (sent < 1000) {
            send_large(scene, sent++);
        }
    }
    assert_int_equal(got, 1000);
}

/* ---- tiny answers to large questions */

#define QUESTION_BYTES (32 * 1024)
#define CONTACTS       60
#define NAME_BYTES     1500
#define VIEW_BYTES_MAX (8 * 1024) /* what a pull may leave in the arena of its view */
#define NO_PRESENCE    1000000    /* beyond all that is pending */

static void ask_often(struct scene *scene, unsigned count, const char *to, const char *inner)
{
    for (unsigned i = 0; i < count; i++) {
        struct buf line = BUF_EMPTY;

        buf_printf(&line,
                   "1 ask from=1:1 request.kind=IQ request.from=alice@x/a request.to=%s "
                   "request.type=get request.id=i request.inner=%s",
                   to, inner);
        (void)world_run(&scene->world, buf_text(&line));
        buf_deinit(&line);
    }
}

/* All of the list in parts. Returns how many parts it took. */
static unsigned pull_all(struct scene *scene, unsigned *answers_out)
{
    unsigned parts = 0;

    *answers_out = 0;
    scene->presence_since = NO_PRESENCE; /* none */
    do {
        arena_reset(&scene->world.arena);
        (void)scene_pull(scene, 1, PART_BYTES);
        assert_true(arena_used(&scene->world.arena) < VIEW_BYTES_MAX);
        for (const char *at = buf_text(&scene->text); (at = strstr(at, "<iq ")) != NULL; at++) {
            (*answers_out)++;
        }
        parts++;
    } while (!scene->is_complete);
    return parts;
}

/* Goal: a part is bounded by what is read for it, too: a client may ask much that has a short
 * answer, and pull it over and over.
 * Method: 20 questions of 32 KiB that are answered by an error; parts of 8 KiB. */
static void test_large_questions(void **state)
{
    struct scene *scene = *state;
    struct buf inner = BUF_EMPTY;
    unsigned answers;

    (void)world_bind(&scene->world, "alice", "a");
    buf_append_str(&inner, "<query\txmlns=\"jabber:iq:private\">");
    for (size_t i = 0; i < QUESTION_BYTES; i++) {
        buf_append_u8(&inner, 'q');
    }
    buf_append_str(&inner, "</query>");
    ask_often(scene, 20, "x", buf_text(&inner));
    assert_int_equal(pull_all(scene, &answers), 20);
    assert_int_equal(answers, 20);
    buf_deinit(&inner);
}

static void fill_roster(struct scene *scene, uint64_t session)
{
    char name[NAME_BYTES + 1];

    memset(name, 'n', NAME_BYTES);
    name[NAME_BYTES] = '\0';
    for (unsigned i = 0; i < CONTACTS; i++) {
        (void)world_runf(&scene->world, "1 roster_set from=%u:1 iq_id=i contact=c%u@x name=%s",
                         (unsigned)session, i, name);
    }
}

/* Goal: a known version, or whether one contact may ask, is answered without the roster; and what
 * had to be read is forgotten before the next answer. Method: each is asked 100 times; both rosters
 * have 90 KB, more than a part. */
static void test_answers_from_large_rosters(void **state)
{
    struct scene *scene = *state;
    unsigned answers;
    uint64_t version;
    char inner[100];

    (void)world_bind(&scene->world, "alice", "a");
    (void)world_bind(&scene->world, "bob", "b");
    scene_befriend(scene);
    fill_roster(scene, 1);
    fill_roster(scene, 2);
    version = state_roster(scene->world.state, &scene->world.arena, "alice@x")->version;
    (void)world_run(&scene->world, "1 notes acks.0=1:1:1000000");
    (void)snprintf(inner, sizeof(inner), "<query\txmlns=\"jabber:iq:roster\"\tver=\"%u\"/>",
                   (unsigned)version);
    ask_often(scene, 100, "alice@x", inner);
    ask_often(scene, 100, "bob@x", "<query\txmlns=\"http://jabber.org/protocol/disco#info\"/>");
    assert_true(pull_all(scene, &answers) < 100);
    assert_int_equal(answers, 200);
}

/* Goal: the presence of many contacts comes in parts, in the order of its changes, so that the
 * position of each says that all before it has come; a change meanwhile comes behind.
 * Method: five sessions of the user itself with long presences, parts of one byte; one changes
 * before it was shown. */
static void test_presence_parts(void **state)
{
    struct scene *scene = *state;
    uint64_t last = 0;
    uint32_t parts = 0;

    for (uint32_t i = 1; i <= 5; i++) {
        char resource[8];

        (void)snprintf(resource, sizeof(resource), "r%u", i);
        (void)world_login(&scene->world, "alice", resource);
    }
    scene->pending_from = 100;
    do {
        (void)scene_pull(scene, 1, 1);
        assert_true(scene->presence_since > last);
        last = scene->presence_since;
        parts++;
        if (parts == 2) {
            (void)world_run(&scene->world, "1 presence from=5:1 stanza.kind=PRESENCE");
        }
    } while (!scene->is_complete);
    assert_int_equal(parts, 5);
}

#define RESULT(inner) "pending 1 <iq from='x' to='alice@x/a' type='result' id='i'>" inner "</iq>\n"

/* Goal: what the server says of itself (XEP-0199, XEP-0202, XEP-0092), and service-unavailable for
 * the rest (RFC 6120 §8.4).
 * Method: one question each; a tab parts their words because a blank ends a field of a command. */
static void test_answers(void **state)
{
    static const char *const dialogue[][2] = {
        {"<ping\txmlns=\"urn:xmpp:ping\"/>", RESULT("")},
        {"<time\txmlns=\"urn:xmpp:time\"/>", RESULT("<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo>"
                                                    "<utc>2016-07-20T20:08:50.123Z</utc></time>")},
        {"<query\txmlns=\"http://jabber.org/protocol/disco#items\"/>",
         RESULT("<query xmlns='http://jabber.org/protocol/disco#items'/>")},
        {"<query\txmlns=\"jabber:iq:private\"/>",
         "pending 1 <iq from='x' to='alice@x/a' type='error' id='i'><error type='cancel'>"
         "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>\n"},
    };
    struct scene *scene = *state;

    (void)world_bind(&scene->world, "alice", "a");
    for (size_t i = 0; i < ARRAY_COUNT(dialogue); i++) {
        struct buf line = BUF_EMPTY;

        buf_printf(&line,
                   "1 ask from=1:1 request.kind=IQ request.from=alice@x/a request.to=x "
                   "request.type=get request.id=i request.inner=%s",
                   dialogue[i][0]);
        assert_string_equal(scene_see(scene, buf_text(&line)), dialogue[i][1]);
        buf_deinit(&line);
    }
}

static int compare_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The verification string of what a disco#info answer says (XEP-0115 §5.1). */
static void hash_answer(char *answer, struct buf *ver)
{
    struct buf text = BUF_EMPTY;
    uint8_t digest[HASH_SIZE_MAX];
    char *features[32];
    size_t count = 0;

    assert_non_null(strstr(answer, "<identity category='server' type='im' name='Muster'/>"));
    for (char *at = answer; (at = strstr(at, "<feature var='")) != NULL;) {
        at += strlen("<feature var='");
        features[count++] = at;
        at = strchr(at, '\'');
        *at++ = '\0';
    }
    qsort(features, count, sizeof(features[0]), compare_text);
    buf_append_str(&text, "server/im//Muster<");
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s<", features[i]);
    }
    hash_digest(HASH_SHA1, buf_slice(&text), digest);
    base64_encode(slice_make(digest, hash_size(HASH_SHA1)), ver);
    buf_deinit(&text);
}

#define DISCO                                                                                      \
    "1 ask from=1:1 request.kind=IQ request.from=alice@x/a request.to=x request.type=get "         \
    "request.id=i request.inner=<query\txmlns=\"http://jabber.org/protocol/disco#info\""

/* Goal: the hash that the stream features name is that of what the server answers, asked with the
 * node of the hash or without; another node does not exist. */
static void expect_caps(struct scene *scene, uint32_t log_version)
{
    struct buf ver = BUF_EMPTY;
    struct buf told = BUF_EMPTY;
    struct buf line = BUF_EMPTY;

    (void)scene_see(scene, DISCO "/>");
    hash_answer((char *)(uintptr_t)buf_text(&scene->text), &ver);
    features_append_ver(log_version, NULL, &told);
    assert_string_equal(buf_text(&told), buf_text(&ver));

    buf_printf(&line, DISCO "\tnode=\"" FEATURES_NODE "#%s\"/>", buf_text(&ver));
    buf_clear(&told);
    (void)scene_see(scene, buf_text(&line));
    assert_non_null(strstr(buf_text(&scene->text), " node='" FEATURES_NODE "#"));
    hash_answer((char *)(uintptr_t)buf_text(&scene->text), &told);
    assert_string_equal(buf_text(&told), buf_text(&ver));
    (void)scene_see(scene, DISCO "\tnode=\"" FEATURES_NODE "#other\"/>");
    assert_non_null(strstr(buf_text(&scene->text), "<item-not-found"));
    buf_deinit(&line);
    buf_deinit(&told);
    buf_deinit(&ver);
}

/* Method: in the first written version, and in the newest, which announces all. */
static void test_caps(void **state)
{
    struct scene *scene = *state;

    (void)world_bind(&scene->world, "alice", "a");
    expect_caps(scene, 0);
    (void)world_runf(&scene->world, "0 cluster_set log_version=%d", STATE_LOG_VERSION);
    expect_caps(scene, STATE_LOG_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_available, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_not_here, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_confirmed, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_a_forgotten_end_is_told, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(test_parts, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_large_questions, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_answers_from_large_rosters, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(test_presence_parts, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_answers, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(test_caps, scene_set_up, scene_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
