#include "tests/sim/machine.h"

#include "tests/sim/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_BYTES  (512 * 1024)
#define THREADS_MAX  512
#define EVENTS_MAX   (1 << 16)
#define SLICE_US_MAX 20 /* what a turn of a thread takes */

enum thread_state { THREAD_FREE, THREAD_READY, THREAD_WAITS, THREAD_OVER };

struct sim_thread {
    enum thread_state state;
    struct sim_host *host;
    uint32_t life; /* of the host, in which it runs */
    char name[SIM_NAME_BYTES];
    struct context context;
    void *stack;
    void *(*run)(void *ctx);
    void *ctx;
    void *result;
    uint64_t until_us;
    bool is_woken;
    struct sim_thread *joins;
};

struct event {
    uint64_t time_us;
    uint64_t order; /* of those at the same time */
    void (*happen)(void *ctx);
    void *ctx;
};

static struct {
    uint64_t now_us;
    uint64_t chance[2];
    struct sim_host hosts[SIM_HOSTS_MAX];
    struct sim_thread threads[THREADS_MAX];
    size_t thread_count; /* those above it were never used */
    struct sim_thread *running;
    struct context director;
    struct event events[EVENTS_MAX]; /* a heap */
    size_t event_count;
    uint64_t event_order;
    uint64_t turns;
    uint64_t trace;
    bool is_stopped;
} room;

/* ---- chance: xorshift128+ */

static uint64_t next_random(void)
{
    uint64_t x = room.chance[0];
    const uint64_t y = room.chance[1];

    room.chance[0] = y;
    x ^= x << 23;
    room.chance[1] = x ^ y ^ (x >> 17) ^ (y >> 26);
    return room.chance[1] + y;
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t machine_draw(uint64_t limit)
{
    return next_random() % limit;
}

bool machine_chance(unsigned of_thousand)
{
    return machine_draw(1000) < of_thousand;
}

/* ---- the room */

void machine_init(uint64_t seed)
{
    memset(&room, 0, sizeof(room));
    room.chance[0] = splitmix(&seed);
    room.chance[1] = splitmix(&seed);
    room.now_us = 1000 * 1000; /* 0 means "never" to much of the product */
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++) {
        room.hosts[i].number = i + 1;
        room.hosts[i].is_powered = true;
    }
}

uint64_t machine_now_us(void)
{
    return room.now_us;
}

uint64_t machine_turns(void)
{
    return room.turns;
}

uint64_t machine_trace(void)
{
    return room.trace;
}

void machine_note(uint64_t what)
{
    room.trace = (room.trace ^ what) * UINT64_C(0x100000001b3);
    room.trace ^= room.trace >> 29;
}

struct sim_host *machine_host(uint32_t number)
{
    return &room.hosts[number - 1];
}

struct sim_host *machine_here(void)
{
    return room.running == NULL ? NULL : room.running->host;
}

static bool is_of(const struct sim_thread *thread, const struct sim_host *host)
{
    return thread->host == host && thread->state != THREAD_FREE;
}

static void end_turn(void)
{
    context_switch(&room.running->context, &room.director);
}

void machine_kill(struct sim_host *host)
{
    struct sim_thread *self = room.running;
    bool is_own = self != NULL && self->host == host;

    host->is_up = false;
    host->is_frozen = false;
    host->life++;
    for (size_t i = 0; i < room.thread_count; i++) {
        if (is_of(&room.threads[i], host) && &room.threads[i] != self) {
            room.threads[i].state = THREAD_FREE;
        }
    }
    if (is_own) {
        self->state = THREAD_FREE; /* its stack is used again only after it was left */
        end_turn();
        abort();
    }
}

void machine_freeze(struct sim_host *host, bool is_frozen)
{
    if (host->is_frozen && !is_frozen) {
        host->thawed_us = room.now_us;
    }
    host->is_frozen = is_frozen;
}

/* ---- threads */

static void enter(void *ctx)
{
    struct sim_thread *self = ctx;

    self->result = self->run(self->ctx);
    self->state = THREAD_OVER;
    for (size_t i = 0; i < room.thread_count; i++) {
        if (room.threads[i].state == THREAD_WAITS && room.threads[i].joins == self) {
            machine_wake(&room.threads[i]);
        }
    }
    end_turn();
    abort(); /* nobody gives it another turn */
}

static struct sim_thread *find_free(void)
{
    for (size_t i = 0; i < room.thread_count; i++) {
        if (room.threads[i].state == THREAD_FREE) {
            return &room.threads[i];
        }
    }
    if (room.thread_count == THREADS_MAX) {
        (void)fprintf(stderr, "sim: too many threads\n");
        abort();
    }
    return &room.threads[room.thread_count++];
}

static void *new_stack(void)
{
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED) {
        perror("sim: stack");
        abort();
    }
    return stack;
}

struct sim_thread *machine_spawn(struct sim_host *host, void *(*run)(void *ctx), void *ctx)
{
    struct sim_thread *thread = find_free();
    void *stack = thread->stack == NULL ? new_stack() : thread->stack;

    *thread = (struct sim_thread){.state = THREAD_READY,
                                  .host = host,
                                  .life = host->life,
                                  .run = run,
                                  .ctx = ctx,
                                  .stack = stack};
    context_make(&thread->context, stack, STACK_BYTES, enter, thread);
    return thread;
}

struct sim_thread *machine_self(void)
{
    return room.running;
}

void machine_name_thread(struct sim_thread *thread, const char *name)
{
    (void)snprintf(thread->name, sizeof(thread->name), "%s", name);
}

const char *machine_thread_name(const struct sim_thread *thread)
{
    return thread->name;
}

void machine_yield(void)
{
    if (room.running != NULL) {
        end_turn();
    }
}

bool machine_wait(uint64_t until_us)
{
    struct sim_thread *self = room.running;
    bool was_woken;

    if (!self->is_woken && until_us > room.now_us) {
        self->state = THREAD_WAITS;
        self->until_us = until_us;
        end_turn();
    }
    was_woken = self->is_woken;
    self->is_woken = false;
    return was_woken;
}

void machine_wake(struct sim_thread *thread)
{
    thread->is_woken = true;
    if (thread->state == THREAD_WAITS) {
        thread->state = THREAD_READY;
    }
}

void machine_sleep_us(uint64_t us)
{
    const uint64_t until_us = room.now_us + us;

    while (room.now_us < until_us) {
        (void)machine_wait(until_us);
    }
}

void *machine_join(struct sim_thread *thread)
{
    void *result;

    while (thread->state != THREAD_OVER) {
        room.running->joins = thread;
        (void)machine_wait(SIM_FOREVER);
    }
    room.running->joins = NULL;
    result = thread->result;
    thread->state = THREAD_FREE;
    return result;
}

/* ---- events */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->time_us != b->time_us ? a->time_us < b->time_us : a->order < b->order;
}

static void swap_events(size_t i, size_t j)
{
    struct event event = room.events[i];

    room.events[i] = room.events[j];
    room.events[j] = event;
}

void machine_at(uint64_t time_us, void (*happen)(void *ctx), void *ctx)
{
    size_t i = room.event_count++;

    if (i == EVENTS_MAX) {
        (void)fprintf(stderr, "sim: too many events\n");
        abort();
    }
    room.events[i] = (struct event){
        .time_us = time_us, .order = room.event_order++, .happen = happen, .ctx = ctx};
    while (i > 0 && is_before(&room.events[i], &room.events[(i - 1) / 2])) {
        swap_events(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static struct event take_event(void)
{
    struct event first = room.events[0];
    size_t i = 0;

    room.events[0] = room.events[--room.event_count];
    while (2 * i + 1 < room.event_count) {
        size_t child = 2 * i + 1;

        if (child + 1 < room.event_count &&
            is_before(&room.events[child + 1], &room.events[child])) {
            child++;
        }
        if (!is_before(&room.events[child], &room.events[i])) {
            break;
        }
        swap_events(i, child);
        i = child;
    }
    return first;
}

/* ---- turns */

static bool may_run(struct sim_thread *thread)
{
    if (thread->state == THREAD_WAITS && thread->until_us <= room.now_us) {
        thread->state = THREAD_READY;
    }
    return thread->state == THREAD_READY && !thread->host->is_frozen;
}

static struct sim_thread *draw_thread(void)
{
    static struct sim_thread *ready[THREADS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < room.thread_count; i++) {
        if (may_run(&room.threads[i])) {
            ready[count++] = &room.threads[i];
        }
    }
    return count == 0 ? NULL : ready[machine_draw(count)];
}

static void give_turn(struct sim_thread *thread)
{
    machine_note((uint64_t)(thread - room.threads) << 40 ^ room.now_us);
    room.turns++;
    room.running = thread;
    context_switch(&room.director, &thread->context);
    room.running = NULL;
    room.now_us += 1 + machine_draw(SLICE_US_MAX);
}

/* When the next thing happens that is not due yet. */
static uint64_t next_time_us(void)
{
    uint64_t next_us = room.event_count == 0 ? SIM_FOREVER : room.events[0].time_us;

    for (size_t i = 0; i < room.thread_count; i++) {
        const struct sim_thread *thread = &room.threads[i];

        if (thread->state == THREAD_WAITS && !thread->host->is_frozen &&
            thread->until_us < next_us) {
            next_us = thread->until_us;
        }
    }
    return next_us;
}

static bool step(uint64_t until_us)
{
    struct sim_thread *thread;

    if (room.now_us >= until_us) {
        return false;
    }
    if (room.event_count > 0 && room.events[0].time_us <= room.now_us) {
        struct event event = take_event();

        event.happen(event.ctx);
        return true;
    }
    thread = draw_thread();
    if (thread != NULL) {
        give_turn(thread);
    } else {
        uint64_t next_us = next_time_us();

        room.now_us = next_us < until_us ? next_us : until_us;
    }
    return true;
}

void machine_run(uint64_t until_us)
{
    room.is_stopped = false;
    while (!room.is_stopped && step(until_us)) {
    }
}

void machine_stop(void)
{
    room.is_stopped = true;
}
