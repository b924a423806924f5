#include "tests/sim/faults.h"

#include "storage/state/room.h"
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/replace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define AWAY_US_MIN    100000
#define AWAY_US_MAX    8000000
#define KEEP_US        1000000
#define STEP_US_MAX    (3600 * UINT64_C(1000000)) /* of a wall clock */
#define MOMENT_PER_MIL 150
#define COPY_US        20000
#define ELECTED_US     20000 /* so long the first entries of a leader are under way */
#define LEADER_PER_MIL 300

static struct {
    struct sim_cluster *cluster;
    uint64_t pause_us;
    bool is_on;
    bool is_loud;
    unsigned count;
    unsigned max;
    uint32_t leader; /* elected last */
    unsigned copies;
    unsigned refused;
} faults;

struct snapshot; /* of raft/snapshot */

struct later {
    uint32_t node;
    uint32_t other;
    uint32_t life;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list arguments;

    machine_note(faults.count);
    if (!faults.is_loud) {
        return;
    }
    (void)fprintf(stderr, "%9.6f -- ", (double)machine_now_us() / 1e6);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\n");
}

/* Whoever leads has most to lose. */
static uint32_t draw_node(void)
{
    if (faults.leader != 0 && machine_chance(LEADER_PER_MIL)) {
        return faults.leader;
    }
    return 1 + (uint32_t)machine_draw(faults.cluster->count);
}

static void after(void (*happen)(void *ctx), uint32_t node, uint32_t other)
{
    struct later *later = malloc(sizeof(*later));

    *later = (struct later){.node = node, .other = other, .life = machine_host(node)->life};
    machine_at(machine_now_us() + AWAY_US_MIN + machine_draw(1 + machine_draw(AWAY_US_MAX)), happen,
               later); /* short ones above all */
}

/* ---- the ends of them */

static void start_again(void *ctx)
{
    const struct later *later = ctx;

    if (!machine_host(later->node)->is_up && !replace_is_of(later->node)) {
        say("node %u starts", later->node);
        room_start(faults.cluster, later->node);
    }
    free(ctx);
}

static void thaw(void *ctx)
{
    const struct later *later = ctx;

    if (machine_host(later->node)->is_frozen) {
        say("node %u goes on", later->node);
        machine_freeze(machine_host(later->node), false);
    }
    free(ctx);
}

static void let_disk_go(void *ctx)
{
    const struct later *later = ctx;

    disk_hold(machine_host(later->node), false);
    free(ctx);
}

static void mend(void *ctx)
{
    const struct later *later = ctx;

    say("ways of node %u are mended", later->node);
    net_cut(later->node, 0, false);
    net_cut(0, later->node, false);
    free(ctx);
}

static void mend_all(void *ctx)
{
    say("all ways are mended");
    net_mend_all();
    free(ctx);
}

static void make_room(void *ctx)
{
    const struct later *later = ctx;

    say("the disk of node %u has room again", later->node);
    machine_host(later->node)->is_full = false;
    free(ctx);
}

static void calm_network(void *ctx)
{
    net_set_delay(100, 100, 0);
    free(ctx);
}

static void calm_disk(void *ctx)
{
    const struct later *later = ctx;

    disk_set_delay(machine_host(later->node), 200, 300);
    free(ctx);
}

/* ---- the faults */

static void kill_node(uint32_t node)
{
    if (machine_host(node)->is_up) {
        say("node %u is killed", node);
        room_kill(node);
        after(start_again, node, 0);
    }
}

static void lose_power(uint32_t node)
{
    if (machine_host(node)->is_up) {
        say("node %u loses power", node);
        room_lose_power(node);
        after(start_again, node, 0);
    }
}

static void freeze(uint32_t node)
{
    if (machine_host(node)->is_up) {
        say("node %u stands still", node);
        machine_freeze(machine_host(node), true);
        after(thaw, node, 0);
    }
}

static void stop(uint32_t node)
{
    if (machine_host(node)->is_up) {
        say("node %u is stopped", node);
        room_stop(node);
        after(start_again, node, 0);
    }
}

static void cut_ways(uint32_t node)
{
    uint64_t shape = machine_draw(4);
    uint32_t other = draw_node();

    say("ways of node %u are cut, shape %llu", node, (unsigned long long)shape);
    if (shape == 0) {
        net_cut(node, 0, true);
        net_cut(0, node, true);
    } else if (shape == 1) {
        net_cut(node, 0, true); /* mute */
    } else if (shape == 2) {
        net_cut(0, node, true); /* deaf */
    } else if (other != node) {
        net_cut(node, other, true);
        net_cut(other, node, true);
    }
    after(mend, node, other);
}

/* The clients' ways stay: they go on with whom they have. */
static void split(uint32_t node)
{
    const uint32_t count = faults.cluster->count;
    uint64_t side = machine_chance(500) ? UINT64_C(1) << node : machine_draw(UINT64_C(2) << count);

    say("the network is split, side %llx", (unsigned long long)side);
    for (uint32_t i = 1; i <= count; i++) {
        for (uint32_t j = 1; j <= count; j++) {
            if (i != j && ((side >> i ^ side >> j) & 1) != 0) {
                net_cut(i, j, true);
            }
        }
    }
    after(mend_all, node, 0);
}

static void kill_all(uint32_t node)
{
    bool is_power = machine_chance(500);

    (void)node;
    for (uint32_t i = 1; i <= faults.cluster->count; i++) {
        if (is_power) {
            lose_power(i);
        } else {
            kill_node(i);
        }
    }
}

/* It ends, is started in vain now and then, and in earnest when there is room. */
static void fill_disk(uint32_t node)
{
    say("the disk of node %u is full", node);
    machine_host(node)->is_full = true;
    after(make_room, node, 0);
    after(start_again, node, 0);
    after(start_again, node, 0);
}

static void hold_disk(uint32_t node)
{
    say("the disk of node %u stands still", node);
    disk_hold(machine_host(node), true);
    after(let_disk_go, node, 0);
}

static void break_disk(uint32_t node)
{
    say("a write of node %u fails", node);
    disk_fail_next(machine_host(node));
    after(start_again, node, 0);
}

static void slow_disk(uint32_t node)
{
    say("the disk of node %u is slow", node);
    disk_set_delay(machine_host(node), machine_draw(50000), machine_draw(100000));
    after(calm_disk, node, 0);
}

static void slow_network(uint32_t node)
{
    say("the network is slow");
    net_set_delay(machine_draw(30000), machine_draw(60000), (unsigned)machine_draw(50));
    after(calm_network, node, 0);
}

static void step_clock(uint32_t node)
{
    say("the wall clock of node %u is set", node);
    machine_host(node)->wall_offset_us =
        (int64_t)machine_draw(2 * STEP_US_MAX) - (int64_t)STEP_US_MAX;
}

static void something_happens(void *ctx)
{
    static void (*const kinds[])(uint32_t node) = {
        kill_node,    kill_node,  kill_node,  lose_power, lose_power, freeze,    freeze,
        stop,         stop,       cut_ways,   cut_ways,   cut_ways,   split,     hold_disk,
        hold_disk,    fill_disk,  fill_disk,  break_disk, break_disk, slow_disk, slow_disk,
        slow_network, step_clock, step_clock, kill_all};

    if (!faults.is_on || faults.count == faults.max) {
        return;
    }
    faults.count++;
    kinds[machine_draw(sizeof(kinds) / sizeof(kinds[0]))](draw_node());
    machine_at(machine_now_us() + 1 + machine_draw(faults.pause_us), something_happens, ctx);
}

static void happen_now(void *ctx)
{
    static void (*const kinds[])(uint32_t node) = {kill_node, lose_power, freeze,
                                                   cut_ways,  split,      hold_disk};
    struct later *later = ctx;

    if (faults.is_on) {
        kinds[machine_draw(sizeof(kinds) / sizeof(kinds[0]))](later->node);
    }
    free(later);
}

void faults_moment(uint32_t node, uint64_t within_us)
{
    struct later *later;

    if (!faults.is_on || faults.count == faults.max || !machine_chance(MOMENT_PER_MIL)) {
        return;
    }
    faults.count++;
    later = malloc(sizeof(*later));
    *later = (struct later){.node = machine_chance(500) ? node : draw_node()};
    machine_at(machine_now_us() + machine_draw(within_us), happen_now, later);
}

void faults_elected(uint32_t node)
{
    faults.leader = node;
    faults_moment(node, ELECTED_US);
}

/* The log takes nothing new where a store is nearly full (--wrap). */
bool __real_room_refuse(struct slice command, enum err reason, struct buf *out);
bool __wrap_room_refuse(struct slice command, enum err reason, struct buf *out);
bool __wrap_room_refuse(struct slice command, enum err reason, struct buf *out)
{
    bool is_refused = __real_room_refuse(command, reason, out);

    faults.refused += is_refused;
    return is_refused;
}

/* A node asks another one for a copy of the store (--wrap). */
void __real_snapshot_fetch(struct snapshot *snapshot, uint32_t from_node, uint64_t index_min);
void __wrap_snapshot_fetch(struct snapshot *snapshot, uint32_t from_node, uint64_t index_min);
void __wrap_snapshot_fetch(struct snapshot *snapshot, uint32_t from_node, uint64_t index_min)
{
    faults.copies++;
    faults_moment(from_node != 0 && machine_chance(500) ? from_node : machine_here()->number,
                  COPY_US);
    __real_snapshot_fetch(snapshot, from_node, index_min);
}

unsigned faults_refused(void)
{
    return faults.refused;
}

unsigned faults_copies(void)
{
    return faults.copies;
}

void faults_begin(struct sim_cluster *cluster, uint64_t pause_us, unsigned max, bool is_loud)
{
    faults.cluster = cluster;
    faults.pause_us = pause_us;
    faults.is_on = true;
    faults.max = max;
    faults.is_loud = is_loud;
    faults.count = 0;
    machine_at(machine_now_us() + machine_draw(pause_us), something_happens, NULL);
}

/* As a service manager does: one that is being stopped ends later. */
static void keep_running(void *ctx)
{
    for (uint32_t i = 1; i <= faults.cluster->count; i++) {
        if (!machine_host(i)->is_up && !replace_is_of(i)) {
            say("node %u starts", i);
            room_start(faults.cluster, i);
        }
    }
    machine_at(machine_now_us() + KEEP_US, keep_running, ctx);
}

void faults_end(void)
{
    faults.is_on = false;
    say("all is mended");
    net_set_delay(100, 100, 0);
    net_mend_all();
    for (uint32_t i = 1; i <= faults.cluster->count; i++) {
        struct sim_host *host = machine_host(i);

        machine_freeze(host, false);
        host->is_full = false;
        disk_hold(host, false);
        disk_set_delay(host, 200, 300);
    }
    keep_running(NULL);
}

bool faults_are_on(void)
{
    return faults.is_on;
}

unsigned faults_count(void)
{
    return faults.count;
}
