#include "tests/sim/room.h"

#include "tests/lib/pki/pki.h"
#include "tests/sim/disk.h"
#include "tests/sim/keys.h"
#include "tests/sim/loop.h"
#include "tests/sim/net.h"

#include <dirent.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int musterd_main(int argc, char **argv);

struct program {
    struct sim_cluster *cluster;
    uint32_t number;
    uv_signal_t *on_term;
    uv_signal_cb term;
};

static struct program programs[SIM_HOSTS_MAX];

/* Made once, for all runs: they cost more than a second of a cluster's life. */
static struct pki *authority;
static struct pki_files node_files[NODES_MAX];
static struct pki_files domain_files;

static char folder[64]; /* of the runs, one after the other */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* it may not be there */
}

/* ---- folders */

static FILE *open_file(const struct sim_cluster *cluster, uint32_t number, const char *name)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/n%u/%s", cluster->dir, number, name);
    file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        abort();
    }
    return file;
}

static bool is_witness(const struct sim_cluster *cluster, uint32_t number)
{
    return number > cluster->count - cluster->witnesses;
}

static void write_clients(FILE *file, uint32_t number)
{
    (void)fprintf(file,
                  "c2s:\n  bind: \"10.0.0.%u\"\n  port: %d\n  certificates:\n"
                  "    - {domain: \"" SIM_DOMAIN "\", certificate: \"%s\", key: \"%s\"}\n",
                  number, NODE_C2S_PORT, domain_files.cert, domain_files.key);
}

void room_address(const struct sim_cluster *cluster, uint32_t number, char out[ADDRESS_BYTES])
{
    (void)snprintf(out, ADDRESS_BYTES,
                   cluster->has_names ? "node%u." SIM_DOMAIN ":%d" : "10.0.0.%u:%d", number,
                   NODE_LINK_PORT);
}

static void write_configuration(const struct sim_cluster *cluster, uint32_t number)
{
    FILE *file = open_file(cluster, number, "muster.yaml");
    const struct pki_files *files = &node_files[number - 1];
    char address[ADDRESS_BYTES];

    room_address(cluster, number, address);

    (void)fprintf(file, "node: {id: %u, name: \"node-%u\", data: \"%s/n%u/data\"%s}\n", number,
                  number, cluster->dir, number,
                  is_witness(cluster, number) ? ", witness: true" : "");
    (void)fprintf(file,
                  "cluster:\n  name: sim\n  domain: \"" SIM_DOMAIN "\"\n"
                  "  bind: \"10.0.0.%u:%d\"\n  address: \"%s\"\n"
                  "  ca: \"%s\"\n  certificate: \"%s\"\n  key: \"%s\"\n  members:\n",
                  number, NODE_LINK_PORT, address, files->ca, files->cert, files->key);
    for (uint32_t i = 1; i <= cluster->count; i++) {
        room_address(cluster, i, address);
        (void)fprintf(file, "    - {node: %u, address: \"%s\"}\n", i, address);
    }
    if (!is_witness(cluster, number)) {
        write_clients(file, number);
    }
    (void)fprintf(file,
                  "control: {socket: \"%s/n%u/control\"}\n"
                  "limits: {workers: 1, map_gib: 1, reserve_mib: 256, log_entries: %u}\n"
                  "timers: {fallback_s: 5, replace_s: 10, idle_probe_s: 5, idle_dead_s: 5}\n",
                  cluster->dir, number, cluster->log_entries);
    (void)fclose(file);
}

static void make_folder(const struct sim_cluster *cluster, uint32_t number)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/n%u", cluster->dir, number);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/n%u/data", cluster->dir, number);
    (void)mkdir(path, 0700);
    write_configuration(cluster, number);
    file = open_file(cluster, number, "data/node.json");
    (void)fprintf(file, "{\"node\": %u, \"raft_id\": %llu, \"bootstrap\": true}\n", number,
                  (unsigned long long)number << 32 | 1);
    (void)fclose(file);
}

void room_make_certificates(void)
{
    char name[16];

    (void)snprintf(folder, sizeof(folder), "%s/muster-sim-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror("sim: folder");
        abort();
    }
    authority = pki_new();
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "node-%u", i + 1);
        pki_issue(authority, 0, name, NULL, &node_files[i]);
        keys_warm(&node_files[i]);
    }
    pki_issue(authority, 1, SIM_DOMAIN, SIM_DOMAIN, &domain_files);
    keys_warm(&domain_files);
}

void room_remove_certificates(void)
{
    pki_free(&authority);
    remove_tree(folder);
}

void room_init(struct sim_cluster *cluster, uint32_t count, uint32_t witnesses,
               uint32_t log_entries, bool has_names)
{
    *cluster = (struct sim_cluster){
        .count = count, .witnesses = witnesses, .log_entries = log_entries, .has_names = has_names};
    (void)snprintf(cluster->dir, sizeof(cluster->dir), "%s/run", folder);
    remove_tree(cluster->dir); /* of a run that died */
    (void)mkdir(cluster->dir, 0700);
    for (uint32_t i = 1; i <= count; i++) {
        make_folder(cluster, i);
    }
}

void room_remove(struct sim_cluster *cluster)
{
    remove_tree(cluster->dir);
}

/* ---- what a program leaves behind when it is killed

 * The kernel would unlock its files; here the process goes on, and holds them. So the store moves
 * to files of its own, as it is: LMDB has written what it has committed. */

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    size_t len;

    if (in == NULL || out == NULL) {
        perror(to);
        abort();
    }
    while ((len = fread(bytes, 1, sizeof(bytes), in)) > 0) {
        (void)fwrite(bytes, 1, len, out);
    }
    (void)fclose(in);
    (void)fclose(out);
}

static void move_files(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    const struct dirent *item;
    char source[600];
    char target[600];

    while ((item = readdir(dir)) != NULL) {
        if (item->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(source, sizeof(source), "%s/%s", from, item->d_name);
        (void)snprintf(target, sizeof(target), "%s/%s", to, item->d_name);
        if (strcmp(item->d_name, "lock.mdb") != 0) {
            copy_file(source, target);
        }
        (void)unlink(source);
    }
    (void)closedir(dir);
    (void)rmdir(from);
}

static void free_store(const struct sim_cluster *cluster, uint32_t number)
{
    char path[256];
    char old[300];

    (void)snprintf(path, sizeof(path), "%s/n%u/data/state", cluster->dir, number);
    (void)snprintf(old, sizeof(old), "%s.old", path);
    if (rename(path, old) == 0) {
        (void)mkdir(path, 0700);
        move_files(old, path);
    }
}

/* ---- the program */

void room_kill(uint32_t number)
{
    struct sim_host *host = machine_host(number);

    net_lose_program(host);
    disk_lose(host);
    machine_kill(host); /* last: it may be this thread that ends by it */
}

static void *run_program(void *ctx)
{
    struct program *program = ctx;
    char conf[256];
    char *arguments[] = {(char[]){"musterd"}, (char[]){"-c"}, conf, NULL};

    (void)snprintf(conf, sizeof(conf), "%s/n%u/muster.yaml", program->cluster->dir,
                   program->number);
    optind = 1;
    (void)musterd_main(3, arguments);
    room_kill(program->number); /* what a process leaves its kernel ends */
    return NULL;
}

void room_start(struct sim_cluster *cluster, uint32_t number)
{
    struct sim_host *host = machine_host(number);
    struct program *program = &programs[number - 1];

    *program = (struct program){.cluster = cluster, .number = number};
    if (!host->is_powered) {
        net_power_on(host);
    }
    free_store(cluster, number);
    host->is_up = true;
    machine_name_thread(machine_spawn(host, run_program, program), "main");
}

void room_lose_power(uint32_t number)
{
    struct sim_host *host = machine_host(number);

    machine_kill(host);
    net_lose_power(host);
    disk_lose(host);
}

void room_wipe(struct sim_cluster *cluster, uint32_t number)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/n%u/data", cluster->dir, number);
    remove_tree(path);
    disk_wipe(machine_host(number));
}

void room_join(struct sim_cluster *cluster, uint32_t number, uint64_t raft_id)
{
    char address[ADDRESS_BYTES];
    const char *comma = "";
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/n%u/data", cluster->dir, number);
    (void)mkdir(path, 0700);
    file = open_file(cluster, number, "data/node.json");
    (void)fprintf(file, "{\"node\": %u, \"raft_id\": %llu, \"members\": [", number,
                  (unsigned long long)raft_id);
    for (uint32_t i = 1; i <= cluster->count; i++) {
        if (i != number) {
            room_address(cluster, i, address);
            (void)fprintf(file, "%s{\"node\": %u, \"address\": \"%s\"}", comma, i, address);
            comma = ", ";
        }
    }
    (void)fprintf(file, "]}\n");
    (void)fclose(file);
    room_start(cluster, number);
}

/* ---- signals: SIGTERM alone is ever sent */

int uv_signal_init(uv_loop_t *loop, uv_signal_t *handle)
{
    loop_add_passive(loop, (uv_handle_t *)handle, sizeof(*handle), UV_SIGNAL);
    return 0;
}

int uv_signal_start(uv_signal_t *handle, uv_signal_cb callback, int number)
{
    struct program *program = &programs[machine_here()->number - 1];

    if (number == SIGTERM) {
        program->on_term = handle;
        program->term = callback;
    }
    return 0;
}

static void raise_term(void *ctx)
{
    struct program *program = ctx;

    program->term(program->on_term, SIGTERM);
}

void room_stop(uint32_t number)
{
    struct program *program = &programs[number - 1];

    if (program->on_term != NULL) {
        loop_post(program->on_term->loop, raise_term, program);
    }
}
