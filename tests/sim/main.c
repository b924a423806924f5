/* sim - whole clusters in one process on virtual time: one seed, one run.
 *
 *   sim [--loud] [--plant NAME] [--faults MAX] [--first] FIRST [LAST]
 *   sim [--plant NAME] --shrink SEED
 *
 * Each seed runs in a process of its own. */
#include "tests/sim/course.h"
#include "tests/sim/plant.h"
#include "tests/sim/room.h"

#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAULTS_SHRUNK_MAX 200
#define HEAP_BYTES        (256 * 1024 * 1024)

static struct {
    unsigned faults_max;
    bool is_loud;
    bool is_first; /* failure: the last seed */
} run;

static int run_apart(uint64_t seed)
{
    pid_t child;
    int status = 0;

    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        exit(course_run(seed, run.faults_max, run.is_loud) ? 0 : 1);
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
    uint64_t seed = first;

    while (seed <= last && !(run.is_first && failed > 0)) {
        failed += run_apart(seed++) != 0;
    }
    (void)printf("%llu seeds, %u failed\n", (unsigned long long)(seed - first), failed);
    return failed > 0;
}

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: sim [--loud] [--plant NAME] [--faults MAX] [--first] FIRST [LAST]\n"
                  "       sim [--plant NAME] --shrink SEED\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"loud", no_argument, NULL, 'l'},         {"plant", required_argument, NULL, 'p'},
        {"faults", required_argument, NULL, 'f'}, {"shrink", no_argument, NULL, 's'},
        {"first", no_argument, NULL, '1'},        {0}};
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
        } else if (option == '1') {
            run.is_first = true;
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
