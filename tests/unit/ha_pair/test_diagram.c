/* The diagram of states in docs/ha.md: what leads from one state of a node to another, found by
 * playing every event in every situation that can be reached. GOLDEN_WRITE=1 writes it anew. */
#include "ha/pair/pair.h"

#include "node/base/assert.h"
#include "node/base/buf.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOCUMENT       "docs/ha.md"
#define BLOCK_BEGIN    "```mermaid\n"
#define BLOCK_END      "```\n"
#define DOCUMENT_BYTES (64 * 1024)
#define WAIT_MS        60000
#define SITUATIONS_MAX 20000
#define DECISIONS_MAX  16

enum event { DIES, STOPS, STARTS, SERVES, SERVICE_FAILS, SERVICE_WELL, MOVED, EVENTS };

/* Of the node, and of its peer. */
static const char *const event_texts[PAIR_NODES][EVENTS] = {
    {"dies", "is stopped", "starts", "serves", "a service fails", "all services are well",
     "all sessions have moved"},
    {"peer dies", "peer is stopped", "peer starts", "peer serves", "a service of the peer fails",
     "all services of the peer are well", "all sessions of the peer have moved"}};
static const char *const request_texts[PAIR_NODES][PAIR_REQUESTS] = {
    {[PAIR_FAILOVER] = "failover", [PAIR_FALLBACK] = "fallback", [PAIR_ABORT] = "abort"},
    {[PAIR_FAILOVER] = "failover of the peer",
     [PAIR_FALLBACK] = "fallback of the peer",
     [PAIR_ABORT] = "abort for the peer"}};

struct atlas {
    struct pair_facts situations[SITUATIONS_MAX];
    size_t count;
    struct buf labels[PAIR_STATE_COUNT][PAIR_STATE_COUNT];
};

static struct atlas atlas;

/* ---- situations */

static void carry_out(struct pair_facts *facts, const struct pair_move *move)
{
    struct pair_node *node = &facts->nodes[move->node];

    node->is_away = move->away;
    node->moved_for = move->reason;
    node->is_moving = facts->nodes[move->away ? move->node : 1 - move->node].life == PAIR_UP;
}

static void let_leader_decide(struct pair_facts *facts, uint64_t now_ms)
{
    struct pair_move move;
    int decisions = 0;

    facts->now_ms = now_ms;
    while (pair_decide(facts, &move)) {
        carry_out(facts, &move);
        assert_in_range(++decisions, 1, DECISIONS_MAX);
    }
    facts->now_ms = 0;
}

/* A move is over with the life of who drops its sessions. */
static void end_moves(struct pair_facts *facts)
{
    for (size_t i = 0; i < PAIR_NODES; i++) {
        const struct pair_node *mover = &facts->nodes[facts->nodes[i].is_away ? i : 1 - i];

        facts->nodes[i].is_moving = facts->nodes[i].is_moving && mover->life == PAIR_UP;
    }
}

/* False: that cannot happen now. */
static bool happen(struct pair_facts *facts, size_t at, enum event event)
{
    struct pair_node *node = &facts->nodes[at];
    const struct pair_node before = *node;

    switch (event) {
    case DIES:
        node->life = PAIR_DOWN;
        break;
    case STOPS:
        node->life = before.life == PAIR_UP ? PAIR_STOPPED : before.life;
        break;
    case STARTS:
        node->life =
            before.life == PAIR_DOWN || before.life == PAIR_STOPPED ? PAIR_STARTING : before.life;
        node->is_well = node->is_well || node->life != before.life;
        break;
    case SERVES:
        node->life = before.life == PAIR_STARTING ? PAIR_UP : before.life;
        break;
    case SERVICE_FAILS:
        node->is_well = before.life != PAIR_UP && before.is_well;
        break;
    case SERVICE_WELL:
        node->is_well = true;
        break;
    case MOVED:
        node->is_moving = false;
        break;
    case EVENTS:
        break;
    }
    end_moves(facts);
    return memcmp(&before, node, sizeof(before)) != 0;
}

static bool ask(struct pair_facts *facts, size_t at, enum pair_request request)
{
    struct pair_move move;

    if (pair_grant(facts, request, at, &move) != NULL) {
        return false;
    }
    if (request == PAIR_ABORT) {
        facts->nodes[at].is_away = false;
        facts->nodes[at].is_moving = false;
        facts->nodes[at].moved_for = PAIR_ADMIN_REQUEST;
    } else {
        carry_out(facts, &move);
    }
    return true;
}

/* ---- the walk */

static void add_situation(const struct pair_facts *facts)
{
    for (size_t i = 0; i < atlas.count; i++) {
        if (memcmp(&atlas.situations[i], facts, sizeof(*facts)) == 0) {
            return;
        }
    }
    assert_true(atlas.count < SITUATIONS_MAX);
    atlas.situations[atlas.count++] = *facts;
}

static void add_label(struct buf *labels, const char *label)
{
    char marked[128];

    (void)snprintf(marked, sizeof(marked), "|%s|", label);
    if (strstr(buf_text(labels), marked) == NULL) {
        buf_append_str(labels, marked);
    }
}

static void arrive(const struct pair_facts *from, struct pair_facts *to, const char *label)
{
    enum pair_state before = pair_view(from, 0).state;
    enum pair_state after;

    let_leader_decide(to, 0);
    add_situation(to);
    after = pair_view(to, 0).state;
    if (before != after) {
        add_label(&atlas.labels[before][after], label);
    }
}

static void leave(const struct pair_facts *from)
{
    struct pair_facts to;

    for (size_t at = 0; at < PAIR_NODES; at++) {
        for (unsigned event = 0; event < EVENTS; event++) {
            to = *from;
            if (happen(&to, at, (enum event)event)) {
                arrive(from, &to, event_texts[at][event]);
            }
        }
        for (unsigned request = 0; request < PAIR_REQUESTS; request++) {
            to = *from;
            if (request_texts[at][request] != NULL && ask(&to, at, (enum pair_request)request)) {
                arrive(from, &to, request_texts[at][request]);
            }
        }
    }
    to = *from;
    let_leader_decide(&to, WAIT_MS);
    arrive(from, &to, "well for the wait of the fallback");
}

static void explore(void)
{
    struct pair_facts well;

    memset(&well, 0, sizeof(well)); /* situations are compared by their bytes */
    well.is_enabled = true;
    well.falls_back = true;
    well.fallback_wait_ms = WAIT_MS;
    for (size_t i = 0; i < PAIR_NODES; i++) {
        well.nodes[i].is_there = true;
        well.nodes[i].life = PAIR_UP;
        well.nodes[i].is_well = true;
    }
    add_situation(&well);
    for (size_t i = 0; i < atlas.count; i++) {
        const struct pair_facts from = atlas.situations[i];

        leave(&from);
    }
}

/* ---- the drawing */

static void append_id(struct buf *text, enum pair_state state)
{
    for (const char *at = pair_state_text(state); *at != '\0'; at++) {
        const char letter = (char)(*at == ' ' ? '_' : tolower(*at));

        buf_append(text, slice_make(&letter, 1));
    }
}

static void append_labels(struct buf *text, const char *marked)
{
    const char *separator = ": ";

    while (*marked != '\0') {
        size_t len = strcspn(++marked, "|");

        buf_append_str(text, separator);
        buf_append(text, slice_make(marked, len));
        separator = "<br>";
        marked += len + 1;
    }
}

static void draw(struct buf *text)
{
    buf_append_str(text, "stateDiagram-v2\n");
    for (unsigned state = 0; state < PAIR_STATE_COUNT; state++) {
        buf_printf(text, "    state \"%s\" as ", pair_state_text((enum pair_state)state));
        append_id(text, (enum pair_state)state);
        buf_append_str(text, "\n");
    }
    for (unsigned from = 0; from < PAIR_STATE_COUNT; from++) {
        for (unsigned to = 0; to < PAIR_STATE_COUNT; to++) {
            if (buf_len(&atlas.labels[from][to]) > 0) {
                buf_append_str(text, "    ");
                append_id(text, (enum pair_state)from);
                buf_append_str(text, " --> ");
                append_id(text, (enum pair_state)to);
                append_labels(text, buf_text(&atlas.labels[from][to]));
                buf_append_str(text, "\n");
            }
        }
    }
}

static void write_document(const char *before, const char *diagram, const char *after)
{
    FILE *file = fopen(DOCUMENT, "w");

    assert_non_null(file);
    (void)fprintf(file, "%s%s%s", before, diagram, after);
    assert_int_equal(fclose(file), 0);
}

/* Goal: docs/ha.md has the diagram that the table and the decisions give. Method: from two nodes
 * that are well every event and request, of either node, in every situation that comes of it. */
static void test_diagram(void **state)
{
    static char document[DOCUMENT_BYTES];
    struct buf diagram = BUF_EMPTY;
    FILE *file = fopen(DOCUMENT, "r");
    char *begin;
    char *end;

    (void)state;
    assert_non_null(file);
    document[fread(document, 1, sizeof(document) - 1, file)] = '\0';
    (void)fclose(file);
    begin = strstr(document, BLOCK_BEGIN);
    assert_non_null(begin);
    begin += strlen(BLOCK_BEGIN);
    end = strstr(begin, BLOCK_END);
    assert_non_null(end);

    explore();
    draw(&diagram);
    if (getenv("GOLDEN_WRITE") != NULL) {
        char *rest = strdup(end);

        *begin = '\0';
        write_document(document, buf_text(&diagram), rest);
        free(rest);
    } else {
        *end = '\0';
        assert_string_equal(begin, buf_text(&diagram));
    }
    buf_deinit(&diagram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_diagram)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    for (unsigned i = 0; i < PAIR_STATE_COUNT * PAIR_STATE_COUNT; i++) {
        buf_deinit(&atlas.labels[i / PAIR_STATE_COUNT][i % PAIR_STATE_COUNT]);
    }
    return failed;
}
