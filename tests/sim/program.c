#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_METHOD: the one way to be asked for every byte */
/* What the program asks of its surroundings, on the machine: chance, names, processors, its
 * end, and where its lines go. */
#include "tests/sim/program.h"
#include "node/base/buf.h"
#include "node/base/crypto.h"
#include "node/base/log_writer.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/net.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_loud;
static unsigned broken; /* assertions of the product that failed */

static void draw(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)machine_draw(256);
    }
}

/* ---- OpenSSL's chance, too: sizes of what it signs depend on it */

static int rand_bytes(unsigned char *out, int len)
{
    draw(NULL, out, (size_t)len);
    return 1;
}

static int rand_status(void)
{
    return 1;
}

void program_init(bool loud)
{
    static RAND_METHOD method = {
        .bytes = rand_bytes, .pseudorand = rand_bytes, .status = rand_status};

    is_loud = loud;
    broken = 0;
    random_set_source(draw, NULL);
    (void)RAND_set_rand_method(&method);
}

unsigned program_broken(void)
{
    return broken;
}

/* ---- passwords: the cost of a guess is none of what is simulated */

void __real_hash_pbkdf2(enum hash_kind kind, struct slice password, struct slice salt,
                        uint32_t iterations, uint8_t *out);
void __wrap_hash_pbkdf2(enum hash_kind kind, struct slice password, struct slice salt,
                        uint32_t iterations, uint8_t *out);
void __wrap_hash_pbkdf2(enum hash_kind kind, struct slice password, struct slice salt,
                        uint32_t iterations, uint8_t *out)
{
    (void)iterations;
    __real_hash_pbkdf2(kind, password, salt, 1, out);
}

/* ---- names: "node2.sim.test" is host 2, says the name server, or nothing for long */

#define NAME_US        2000
#define SILENT_US_MAX  8000000
#define SILENT_PER_MIL 300

int __real_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    char number[16];
    unsigned host;

    if (sscanf(name, "node%u." SIM_DOMAIN, &host) != 1) {
        return __real_getaddrinfo(name, service, hints, out);
    }
    if (faults_are_on() && machine_chance(SILENT_PER_MIL)) {
        machine_sleep_us(machine_draw(SILENT_US_MAX));
        return EAI_AGAIN;
    }
    machine_sleep_us(machine_draw(NAME_US));
    (void)snprintf(number, sizeof(number), "10.0.0.%u", host);
    return __real_getaddrinfo(number, service, hints, out);
}

/* ---- lines */

void log_writer_start(void (*append_lost)(struct buf *line, uint64_t count))
{
    (void)append_lost;
}

void log_writer_put(struct slice line)
{
    const struct sim_host *host = machine_here();

    machine_note(line.len);
    if (is_loud) {
        (void)fprintf(stderr, "%9.6f n%u %.*s", (double)machine_now_us() / 1e6,
                      host == NULL ? 0 : host->number, (int)line.len - 25,
                      (const char *)line.data + 25);
    }
}

void log_writer_flush(void)
{
}

/* ---- the kernel */

long __wrap_sysconf(int name);
long __real_sysconf(int name);
long __wrap_sysconf(int name)
{
    return name == _SC_NPROCESSORS_ONLN ? 1 : __real_sysconf(name);
}

int __wrap_rlog_check_aio(void);
int __wrap_rlog_check_aio(void)
{
    return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    const struct ucred self = {.pid = getpid(), .uid = getuid(), .gid = getgid()};

    (void)fd;
    if (level != SOL_SOCKET || name != SO_PEERCRED || *len < sizeof(self)) {
        errno = ENOPROTOOPT;
        return -1;
    }
    memcpy(value, &self, sizeof(self));
    return 0;
}

/* ---- the end of a program */

static _Noreturn void end_here(void)
{
    struct sim_host *host = machine_here();

    net_lose_program(host);
    disk_lose(host);
    machine_kill(host);
    abort();
}

void __wrap__exit(int code);
void __wrap__exit(int code)
{
    if (is_loud) {
        (void)fprintf(stderr, "%9.6f n%u ends itself with %d\n", (double)machine_now_us() / 1e6,
                      machine_here()->number, code);
    }
    end_here();
}

void __wrap_abort(void);
void __wrap_abort(void)
{
    broken++;
    machine_stop();
    end_here();
}
