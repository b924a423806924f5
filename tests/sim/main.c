/* sim - whole clusters in one process on virtual time: one seed, one run.
 *
 *   sim [--loud] [--plant NAME] [--faults MAX] FIRST [LAST]
 *   sim [--plant NAME] --shrink SEED
 *
 * A run has a quiet beginning, a time of faults, and a time without in which all must come together
 * again. Each seed runs in a process of its own. */
#include "tests/sim/client.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/groups.h"
#include "tests/sim/net.h"
#include "tests/sim/operator.h"
#include "tests/sim/plant.h"
#include "tests/sim/program.h"
#include "tests/sim/replace.h"
#include "tests/sim/room.h"
#include "tests/sim/watch.h"

#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_US         UINT64_C(1000000)
#define BEGIN_US          (30 * SECOND_US)
#define HEAL_US           (120 * SECOND_US)
#define FAULTS_SHRUNK_MAX 200
#define HEAP_BYTES        (256 * 1024 * 1024)
#define RUN_US            (600 * SECOND_US)

static struct {
    struct sim_cluster cluster;
    struct client clients[CLIENTS_MAX];
    uint32_t client_count;
    bool has_groups;
    bool replaces; /* nodes that lost their disks */
    uint64_t faults_us;
    unsigned faults_max;
    bool is_loud;
    bool is_over;
} run;

/* ---- the judge */

static void judge_pair(const struct client *from, const struct client *to)
{
    const uint32_t *received = to->received[from->index];
    size_t count = to->received_count[from->index];
    size_t at = 0;

    for (size_t i = 1; i < count; i++) {
        if (received[i] <= received[i - 1]) {
            watch_fail("user%u got %u of user%u after %u", to->index, received[i], from->index,
                       received[i - 1]);
        }
    }
    for (size_t i = 0; i < from->sent_count; i++) {
        const struct client_message *message = &from->sent[i];

        if (message->to != to->index) {
            continue;
        }
        while (at < count && received[at] < message->number) {
            at++;
        }
        if (message->is_acked && (at == count || received[at] != message->number)) {
            watch_fail("message %u of user%u to user%u was acknowledged, and is lost",
                       message->number, from->index, to->index);
        }
    }
}

static void judge(void)
{
    for (uint32_t i = 0; i < run.client_count; i++) {
        const struct client *client = &run.clients[i];

        if (client->unavailable_seen > 0) {
            watch_fail("user%u saw others go, %u times", i, client->unavailable_seen);
        }
        if (client->sessions_lost > 0) {
            watch_fail("user%u lost its session", i);
        }
        for (uint32_t k = 0; k < run.client_count; k++) {
            judge_pair(&run.clients[k], client);
        }
    }
}

/* ---- the course of a run */

static bool all_settled(void)
{
    for (uint32_t i = 0; i < run.client_count; i++) {
        if (!run.clients[i].is_online || !run.clients[i].is_settled) {
            return false;
        }
    }
    return true;
}

/* All nodes say that they serve, and all clients are there. */
static bool has_healed(struct sim_host *here)
{
    for (uint32_t number = 1; number <= run.cluster.count; number++) {
        json_t *status = operator_ask(here, number, "node.status", NULL, SECOND_US);
        bool serves = json_is_true(json_object_get(status, "serving"));

        json_decref(status);
        if (!serves) {
            return false;
        }
    }
    return replace_is_over() && all_settled() &&
           (!run.has_groups || groups_are_normal(here, &run.cluster));
}

static void wish_all(enum client_wish wish)
{
    for (uint32_t i = 0; i < run.client_count; i++) {
        run.clients[i].wish = wish;
    }
}

static void begin(struct sim_host *here)
{
    for (uint32_t i = 0; i < run.client_count; i++) {
        char user[32];

        (void)snprintf(user, sizeof(user), "user%u@" SIM_DOMAIN, i);
        if (!operator_insist(here, run.cluster.count, "user.add",
                             json_pack("{s:s,s:s}", "user", user, "password", "secret"), "exists",
                             BEGIN_US)) {
            watch_fail("no account could be made");
        }
    }
    if (run.has_groups && !groups_make(here, &run.cluster)) {
        watch_fail("no group could be made");
    }
    for (uint32_t i = 0; i < run.client_count; i++) {
        client_start(&run.clients[i], i, here, run.cluster.count - run.cluster.witnesses,
                     run.clients, run.client_count);
    }
    machine_sleep_us(3 * SECOND_US);
}

static void heal(struct sim_host *here)
{
    const uint64_t until_us = machine_now_us() + HEAL_US;

    faults_end();
    machine_sleep_us(5 * SECOND_US);
    wish_all(CLIENT_RESTS);
    while (!has_healed(here)) {
        if (machine_now_us() > until_us) {
            watch_fail("it did not come together again");
            return;
        }
        machine_sleep_us(SECOND_US / 2);
    }
    machine_sleep_us(3 * SECOND_US); /* what is still under way arrives */
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
        if (run.replaces && machine_chance(100)) {
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
        judge();
    }
    run.is_over = true;
    machine_stop();
    return NULL;
}

static void draw_run(void)
{
    uint32_t count = 3 + (uint32_t)machine_draw(3);
    uint32_t witnesses = machine_chance(300) ? 1 : 0;

    room_init(&run.cluster, count, witnesses,
              machine_chance(500) ? 20 + (uint32_t)machine_draw(100) : 0);
    run.client_count = 2 + (uint32_t)machine_draw(4);
    run.has_groups = machine_chance(600);
    run.replaces = machine_chance(300);
    run.faults_us = (10 + machine_draw(30)) * SECOND_US;
}

static void report(uint64_t seed)
{
    size_t sent = 0;
    unsigned resumes = 0;

    for (uint32_t i = 0; i < run.client_count; i++) {
        sent += run.clients[i].sent_count;
        resumes += run.clients[i].resumes;
    }
    (void)printf("seed %llu: %s: %u nodes, %u witness, %u clients, %u faults, %zu messages, "
                 "%u resumes, %zu entries, %zu marks, %llu turns, trace %016llx\n",
                 (unsigned long long)seed, watch_fault() == NULL ? "ok" : watch_fault(),
                 run.cluster.count, run.cluster.witnesses, run.client_count, faults_count(), sent,
                 resumes, watch_entries(), watch_marks(), (unsigned long long)machine_turns(),
                 (unsigned long long)machine_trace());
}

static int run_seed(uint64_t seed)
{
    struct sim_host *outside = machine_host(SIM_HOSTS_MAX);

    machine_init(seed);
    net_init();
    disk_init();
    watch_init();
    replace_init();
    program_init(run.is_loud);
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
    return watch_fault() != NULL;
}

static int run_apart(uint64_t seed)
{
    pid_t child;
    int status = 0;

    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        exit(run_seed(seed));
    }
    (void)waitpid(child, &status, 0);
    if (!WIFEXITED(status)) {
        (void)printf("seed %llu: died of signal %d\n", (unsigned long long)seed, WTERMSIG(status));
        return 1;
    }
    return WEXITSTATUS(status);
}

/* The same with fewer faults: the first number of them with which it fails. */
static int shrink(uint64_t seed)
{
    for (run.faults_max = 0; run.faults_max <= FAULTS_SHRUNK_MAX; run.faults_max++) {
        if (run_apart(seed) != 0) {
            (void)printf("sim --faults %u --loud %llu\n", run.faults_max, (unsigned long long)seed);
            return 1;
        }
    }
    (void)printf("seed %llu does not fail\n", (unsigned long long)seed);
    return 0;
}

static int run_all(uint64_t first, uint64_t last)
{
    unsigned failed = 0;

    for (uint64_t seed = first; seed <= last; seed++) {
        failed += run_apart(seed) != 0;
    }
    (void)printf("%llu seeds, %u failed\n", (unsigned long long)(last - first + 1), failed);
    return failed > 0;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: sim [--loud] [--plant NAME] [--faults MAX] FIRST [LAST]\n"
                          "       sim [--plant NAME] --shrink SEED\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"loud", no_argument, NULL, 'l'},
                                            {"plant", required_argument, NULL, 'p'},
                                            {"faults", required_argument, NULL, 'f'},
                                            {"shrink", no_argument, NULL, 's'},
                                            {0}};
    bool shrinks = false;
    uint64_t first;
    uint64_t last;
    int option;
    int code;

    run.faults_max = UINT_MAX;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'l') {
            run.is_loud = true;
        } else if (option == 'p' && plant_find(optarg) != PLANTS) {
            plant_set(plant_find(optarg));
        } else if (option == 'f') {
            run.faults_max = (unsigned)strtoul(optarg, NULL, 10);
        } else if (option == 's') {
            shrinks = true;
        } else {
            return usage();
        }
    }
    if (optind == argc || argc - optind > 2) {
        return usage();
    }
    first = strtoull(argv[optind], NULL, 10);
    last = argc - optind == 2 ? strtoull(argv[optind + 1], NULL, 10) : first;
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_BYTES); /* a run ends soon: it gives nothing back */
    (void)mallopt(M_TOP_PAD, HEAP_BYTES / 16);
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_BYTES / 256);
    room_make_certificates();
    code = shrinks ? shrink(first) : run_all(first, last);
    room_remove_certificates();
    return code;
}
