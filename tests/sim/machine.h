/* machine - a room of computers in one process: hosts whose threads take turns on one virtual time,
 * in an order that a seed draws. A thread runs until it waits for something; nothing else may
 * happen meanwhile, so that a seed always gives the same run. Threads are contexts with stacks of
 * their own: what runs on them is the product, unchanged. */
#ifndef TESTS_SIM_MACHINE_H
#define TESTS_SIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_FOREVER    UINT64_MAX
#define SIM_HOSTS_MAX  16
#define SIM_NAME_BYTES 16

struct sim_thread;

struct sim_host {
    uint32_t number;    /* from 1; its address is 10.0.0.number */
    bool is_up;         /* its program runs */
    bool is_powered;    /* its kernel does: it answers for a program that does not run */
    bool is_frozen;     /* SIGSTOP: its kernel goes on */
    bool is_full;       /* no file of it can grow */
    uint32_t life;      /* counts starts of the program */
    uint64_t thawed_us; /* it stood still as a whole until then */
    int64_t wall_offset_us;
    void *ctx; /* of the program */
};

void machine_init(uint64_t seed);
/** Since the beginning. */
uint64_t machine_now_us(void);
/** Below limit, from the one source of chance that the machine has; limit > 0. */
uint64_t machine_draw(uint64_t limit);
/** True in so many of a thousand. */
bool machine_chance(unsigned of_thousand);

/* ---- hosts */

struct sim_host *machine_host(uint32_t number);
/** The one whose thread runs; NULL: none, an event does. */
struct sim_host *machine_here(void);
/** The program is gone at once, with all its threads; its memory is lost. May be called by one of
 * them, and does not return then. */
void machine_kill(struct sim_host *host);

/** SIGSTOP, or SIGCONT. */
void machine_freeze(struct sim_host *host, bool is_frozen);

/* ---- threads */

struct sim_thread *machine_spawn(struct sim_host *host, void *(*run)(void *ctx), void *ctx);
struct sim_thread *machine_self(void);
void machine_name_thread(struct sim_thread *thread, const char *name);
const char *machine_thread_name(const struct sim_thread *thread);
/** Give others a turn. */
void machine_yield(void);
/** Wait until woken, or until the time comes. False: the time came. */
bool machine_wait(uint64_t until_us);
/** May be called before it waits: then it does not. */
void machine_wake(struct sim_thread *thread);
void machine_sleep_us(uint64_t us);
/** Wait for the end of a thread; what it returned. */
void *machine_join(struct sim_thread *thread);

/* ---- events: what happens by itself, between the turns of threads */

void machine_at(uint64_t time_us, void (*happen)(void *ctx), void *ctx);

/** Let things happen until the time, or until machine_stop(). */
void machine_run(uint64_t until_us);
void machine_stop(void);
/** So many turns were given. */
uint64_t machine_turns(void);
/** A sum over all that happened and when: equal for equal runs. */
uint64_t machine_trace(void);
/** Take something into it. */
void machine_note(uint64_t what);

#endif
