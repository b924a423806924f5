/* The threads, locks and clocks of the product on the machine: the linker puts these in the place
 * of those of libc (--wrap). Libraries of others keep theirs: they never wait in a simulation. */
#include "tests/sim/machine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What is held is seen by others only where a thread waits: every call is a place where others may
 * come first, now and then. */
#define YIELD_OF_THOUSAND 20

static void give_way(void)
{
    if (machine_self() != NULL && machine_chance(YIELD_OF_THOUSAND)) {
        machine_yield();
    }
}

static struct sim_thread *thread_of(pthread_t id)
{
    return (struct sim_thread *)id;
}

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*run)(void *),
                          void *ctx);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*run)(void *),
                          void *ctx)
{
    struct sim_thread *thread = machine_spawn(machine_here(), run, ctx);

    (void)attr;
    *id = (pthread_t)thread;
    return 0;
}

int __wrap_pthread_join(pthread_t id, void **result_out);
int __wrap_pthread_join(pthread_t id, void **result_out)
{
    void *result = machine_join(thread_of(id));

    if (result_out != NULL) {
        *result_out = result;
    }
    return 0;
}

int __wrap_pthread_detach(pthread_t id);
int __wrap_pthread_detach(pthread_t id)
{
    (void)id; /* it keeps its place until the host's program ends */
    return 0;
}

pthread_t __wrap_pthread_self(void);
pthread_t __wrap_pthread_self(void)
{
    return (pthread_t)machine_self();
}

int __wrap_pthread_setname_np(pthread_t id, const char *name);
int __wrap_pthread_setname_np(pthread_t id, const char *name)
{
    machine_name_thread(thread_of(id), name);
    return 0;
}

/* ---- mutex: one word of it says whether it is held */

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
    (void)attr;
    memset(mutex, 0, sizeof(*mutex));
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    return mutex->__data.__lock == 0 ? 0 : EBUSY;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    give_way();
    while (mutex->__data.__lock != 0) {
        if (machine_self() == NULL) {
            abort(); /* events hold nothing, and wait for nothing */
        }
        machine_yield();
    }
    mutex->__data.__lock = 1;
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    mutex->__data.__lock = 0;
    give_way();
    return 0;
}

/* ---- condition: a list of those that wait */

struct waiter {
    struct waiter *next;
    struct sim_thread *thread;
    bool is_called;
};

/* The condition holds the first of its list in its own memory. */
static struct waiter **list_of(pthread_cond_t *cond)
{
    return (struct waiter **)(void *)cond;
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    (void)attr; /* all times are of the monotonic clock */
    memset(cond, 0, sizeof(*cond));
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *cond);
int __wrap_pthread_cond_destroy(pthread_cond_t *cond)
{
    return *list_of(cond) == NULL ? 0 : EBUSY;
}

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_us)
{
    struct waiter self = {.next = *list_of(cond), .thread = machine_self()};
    struct waiter **at = list_of(cond);

    *at = &self;
    mutex->__data.__lock = 0;
    while (!self.is_called && machine_now_us() < until_us) {
        (void)machine_wait(until_us);
    }
    while (*at != NULL && *at != &self) {
        at = &(*at)->next;
    }
    if (*at == &self) {
        *at = self.next;
    }
    (void)__wrap_pthread_mutex_lock(mutex);
    return self.is_called ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return wait_until(cond, mutex, SIM_FOREVER);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    return wait_until(cond, mutex,
                      (uint64_t)until->tv_sec * 1000000 + (uint64_t)until->tv_nsec / 1000);
}

static void call(struct waiter *waiter)
{
    waiter->is_called = true;
    machine_wake(waiter->thread);
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    for (struct waiter *waiter = *list_of(cond); waiter != NULL; waiter = waiter->next) {
        if (!waiter->is_called) {
            call(waiter);
            return 0;
        }
    }
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    for (struct waiter *waiter = *list_of(cond); waiter != NULL; waiter = waiter->next) {
        call(waiter);
    }
    return 0;
}

/* ---- time */

/* So that the wall clock of a host is one of today, whatever it is. */
#define WALL_BASE_US INT64_C(1800000000000000)

int __wrap_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
    const struct sim_host *host = machine_here();
    uint64_t us = machine_now_us();

    if (id == CLOCK_REALTIME) {
        us = (uint64_t)((int64_t)us + WALL_BASE_US + (host == NULL ? 0 : host->wall_offset_us));
    }
    *out =
        (struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    return 0;
}

int __wrap_usleep(useconds_t us);
int __wrap_usleep(useconds_t us)
{
    machine_sleep_us(us);
    return 0;
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)left;
    machine_sleep_us((uint64_t)wanted->tv_sec * 1000000 + (uint64_t)wanted->tv_nsec / 1000);
    return 0;
}
