#include "tests/sim/course.h"

#include "raft/shim/wire.h"
#include "tests/sim/client.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/groups.h"
#include "tests/sim/judge.h"
#include "tests/sim/net.h"
#include "tests/sim/operator.h"
#include "tests/sim/program.h"
#include "tests/sim/replace.h"
#include "tests/sim/room.h"
#include "tests/sim/votes.h"
#include "tests/sim/watch.h"
#include "tests/sim/ways.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US UINT64_C(1000000)
#define BEGIN_US  (30 * SECOND_US)
#define HEAL_US   (120 * SECOND_US)
#define RUN_US    (600 * SECOND_US)
/* So often an operator replaces a node, each time that he looks. */
#define REPLACES_PER_MIL 100
#define LONG_PER_MIL     400
/* More than one AppendEntries takes: who reads such a log from its begin acts on what is in its
 * middle. */
#define LONG_LOG (WIRE_ENTRIES_MAX + 100)

static struct {
    struct sim_cluster cluster;
    struct client clients[CLIENTS_MAX];
    uint32_t client_count;
    bool has_groups;
    bool replaces;    /* nodes that lost their disks */
    bool moves_votes; /* not both: who has no vote to spare may lose no disk */
    bool is_long;     /* the log, before anything goes wrong; nobody gets a copy */
    uint64_t faults_us;
    unsigned faults_max;
    bool is_loud;
    bool is_over;
} run;

static char amiss[256];

/* ---- has all come together again? NULL: yes, else what has not */

static const char *judge_node(struct sim_host *here, uint32_t number)
{
    json_t *status = operator_ask(here, number, "node.status", NULL, SECOND_US);
    bool serves = json_is_true(json_object_get(status, "serving"));

    json_decref(status);
    (void)snprintf(amiss, sizeof(amiss), "node %u does not serve", number);
    return serves ? NULL : amiss;
}

static bool is_known(const json_t *row)
{
    const char *user = json_string_value(json_object_get(row, "user"));
    const char *resource = json_string_value(json_object_get(row, "resource"));
    const char *state = json_string_value(json_object_get(row, "state"));
    char jid[JID_BYTES];

    (void)snprintf(jid, sizeof(jid), "%s/%s", user, resource);
    for (uint32_t i = 0; i < run.client_count; i++) {
        const struct client_shown *shown = run.clients[i].now_shown;

        if (shown != NULL && strcmp(shown->jid, jid) == 0 && strcmp(state, "live") == 0) {
            return true;
        }
    }
    (void)snprintf(amiss, sizeof(amiss), "session %s is %s, and nobody's", jid, state);
    return false;
}

/* P5: every session in the state is that of a client that is there. */
static const char *judge_sessions(struct sim_host *here)
{
    uint32_t asked = 1 + (uint32_t)machine_draw(run.cluster.count - run.cluster.witnesses);
    json_t *list = operator_ask(here, asked, "session.list", NULL, SECOND_US);
    size_t count = json_array_size(json_object_get(list, "sessions"));
    bool are_known = list != NULL;
    json_t *row;
    size_t i;

    (void)snprintf(amiss, sizeof(amiss), "node %u does not answer", asked);
    json_array_foreach(json_object_get(list, "sessions"), i, row)
    {
        are_known = are_known && is_known(row);
    }
    json_decref(list);
    if (are_known && count != run.client_count) {
        (void)snprintf(amiss, sizeof(amiss), "there are %zu sessions", count);
        are_known = false;
    }
    return are_known ? NULL : amiss;
}

static const char *judge_all(struct sim_host *here)
{
    const char *found = NULL;

    for (uint32_t number = 1; found == NULL && number <= run.cluster.count; number++) {
        found = judge_node(here, number);
    }
    if (found == NULL && !replace_is_over()) {
        found = "a node is being replaced";
    }
    if (found == NULL) {
        found = judge_answers(run.clients, run.client_count);
    }
    if (found == NULL && run.has_groups && !groups_are_normal(here, &run.cluster)) {
        found = "a group is not as it should be";
    }
    if (found == NULL && !votes_are_given(here, &run.cluster)) {
        found = "a vote is missing";
    }
    if (found == NULL) {
        found = ways_judge(here, &run.cluster);
    }
    if (found == NULL) {
        found = judge_sessions(here);
    }
    return found == NULL ? judge_views(run.clients, run.client_count) : found;
}

/* ---- the course */

static void wish_all(enum client_wish wish)
{
    for (uint32_t i = 0; i < run.client_count; i++) {
        run.clients[i].wish = wish;
    }
}

static void make_accounts(struct sim_host *here)
{
    for (uint32_t i = 0; i < run.client_count; i++) {
        char user[32];

        (void)snprintf(user, sizeof(user), "user%u@" SIM_DOMAIN, i);
        if (run.clients[i].user == i &&
            !operator_insist(here, run.cluster.count, "user.add",
                             json_pack("{s:s,s:s}", "user", user, "password", "secret"), "exists",
                             BEGIN_US)) {
            watch_fail("no account could be made");
        }
    }
}

/* An entry each: nobody logs in to these. */
static void fill_log(struct sim_host *here)
{
    for (uint32_t i = 0; i < LONG_LOG; i++) {
        char user[32];

        (void)snprintf(user, sizeof(user), "filler%u@" SIM_DOMAIN, i);
        if (!operator_insist(here, run.cluster.count, "user.add",
                             json_pack("{s:s,s:s}", "user", user, "password", "secret"), "exists",
                             BEGIN_US)) {
            watch_fail("the log could not be filled");
            return;
        }
    }
}

/* Until all see each other. */
static void begin(struct sim_host *here)
{
    uint64_t until_us;
    const char *found;

    make_accounts(here);
    if (run.is_long) {
        fill_log(here);
    }
    if (run.has_groups && !groups_make(here, &run.cluster)) {
        watch_fail("no group could be made");
    }
    for (uint32_t i = 0; i < run.client_count; i++) {
        run.clients[i].host = here;
        client_start(&run.clients[i]);
    }
    until_us = machine_now_us() + 2 * BEGIN_US;
    while ((found = judge_views(run.clients, run.client_count)) != NULL) {
        if (machine_now_us() > until_us) {
            watch_fail("it did not begin: %s", found);
            return;
        }
        machine_sleep_us(SECOND_US / 4);
    }
    wish_all(CLIENT_CHATS);
}

static void heal(struct sim_host *here)
{
    const uint64_t until_us = machine_now_us() + HEAL_US;
    const char *found;

    faults_end();
    machine_sleep_us(SECOND_US);
    wish_all(CLIENT_RESTS);
    while ((found = judge_all(here)) != NULL) {
        if (machine_now_us() > until_us) {
            watch_fail("it did not come together again: %s", found);
            return;
        }
        machine_sleep_us(SECOND_US / 2);
    }
    machine_sleep_us(SECOND_US); /* what is still under way arrives */
}

/* What the operator does meanwhile. */
static void operate(struct sim_host *here)
{
    const uint64_t until_us = machine_now_us() + run.faults_us;

    while (machine_now_us() < until_us) {
        machine_sleep_us(machine_draw(3 * SECOND_US));
        if (run.has_groups) {
            groups_order(here, &run.cluster);
        }
        if (machine_chance(300)) {
            votes_order(here, &run.cluster, run.moves_votes);
        }
        if (run.replaces && machine_chance(run.is_long ? LONG_PER_MIL : REPLACES_PER_MIL)) {
            replace_begin(here, &run.cluster, 1 + (uint32_t)machine_draw(run.cluster.count));
        }
    }
}

static void *direct(void *ctx)
{
    struct sim_host *here = ctx;

    begin(here);
    faults_begin(&run.cluster, SECOND_US / 2 + machine_draw(4 * SECOND_US), run.faults_max,
                 run.is_loud);
    operate(here);
    heal(here);
    if (watch_fault() == NULL) {
        judge_messages(run.clients, run.client_count);
        judge_copies(run.clients, run.client_count);
    }
    run.is_over = true;
    machine_stop();
    return NULL;
}

/* ---- the run */

/* Some are a second device of somebody before them. */
static void draw_clients(void)
{
    run.client_count = 2 + (uint32_t)machine_draw(4);
    for (uint32_t i = 0; i < run.client_count; i++) {
        struct client *client = &run.clients[i];

        client->index = i;
        client->user = i;
        if (i > 1 && machine_chance(300)) {
            client->user = run.clients[machine_draw(i)].user;
        }
        client->is_named = machine_chance(400);
        client->leaves = machine_chance(350);
        client->wants_copies = client->user != i;
        client->window_s = client->leaves ? 2 + (uint32_t)machine_draw(7) : 0;
        client->node_count = run.cluster.count - run.cluster.witnesses;
        client->others = run.clients;
        client->other_count = run.client_count;
    }
}

static void draw_run(void)
{
    static const uint32_t counts[] = {3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7};
    uint32_t count = counts[machine_draw(sizeof(counts) / sizeof(counts[0]))];
    uint32_t witnesses = machine_chance(300) ? 1 : 0;

    room_init(&run.cluster, count, witnesses,
              machine_chance(700) ? 10 + (uint32_t)machine_draw(60) : 0, machine_chance(250));
    draw_clients();
    run.has_groups = machine_chance(600);
    run.replaces = machine_chance(300);
    run.is_long = run.replaces && run.cluster.log_entries == 0;
    run.moves_votes = !run.replaces && machine_chance(500);
    run.faults_us = (6 + machine_draw(26)) * SECOND_US;
}

static void report(uint64_t seed)
{
    size_t sent = 0;
    size_t carbons = 0;
    unsigned resumes = 0;
    unsigned left = 0;

    for (uint32_t i = 0; i < run.client_count; i++) {
        sent += run.clients[i].sent_count;
        carbons += run.clients[i].copy_count;
        resumes += run.clients[i].resumes;
        left += run.clients[i].sessions_left;
    }
    (void)printf("seed %llu: %s: %u nodes, %u witness, %u clients, %u faults, %zu messages, "
                 "%zu carbons, "
                 "%u resumes, %u sessions left, %u copies, %zu entries, %zu marks, %llu turns, "
                 "trace %016llx\n",
                 (unsigned long long)seed, watch_fault() == NULL ? "ok" : watch_fault(),
                 run.cluster.count, run.cluster.witnesses, run.client_count, faults_count(), sent,
                 carbons, resumes, left, faults_copies(), watch_entries(), watch_marks(),
                 (unsigned long long)machine_turns(), (unsigned long long)machine_trace());
}

bool course_run(uint64_t seed, unsigned faults_max, bool is_loud)
{
    struct sim_host *outside = machine_host(SIM_HOSTS_MAX);

    run.faults_max = faults_max;
    run.is_loud = is_loud;
    machine_init(seed);
    net_init();
    disk_init();
    watch_init();
    replace_init();
    program_init(is_loud);
    draw_run();
    for (uint32_t i = 1; i <= run.cluster.count; i++) {
        room_start(&run.cluster, i);
    }
    machine_name_thread(machine_spawn(outside, direct, outside), "director");
    machine_run(RUN_US);
    if (program_broken() > 0) {
        watch_fail("a node ended by abort()");
    } else if (!run.is_over) {
        watch_fail("it never ended");
    }
    report(seed);
    room_remove(&run.cluster);
    return watch_fault() == NULL;
}
