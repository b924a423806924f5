/* musterd - one node of a cluster: its command line. */
#include "node/process.h"

#include <getopt.h>
#include <stdio.h>

#define CONF_FILE_DEFAULT "/etc/muster/muster.yaml"

static int usage(FILE *out, int code)
{
    (void)fprintf(out, "usage: musterd [-c FILE] [-t]\n"
                       "  -c, --config FILE  configuration (default " CONF_FILE_DEFAULT ")\n"
                       "  -t, --test         check the configuration and exit\n"
                       "  -V, --version      print the version and exit\n"
                       "  -h, --help         print this and exit\n");
    return code;
}

static int check_only(const struct conf *conf)
{
    struct tls_set *certificates;
    char fault[TLS_FAULT_BYTES_MAX] = "";

    if (process_load_certificates(conf, fault, &certificates) != 0) {
        (void)fprintf(stderr, "%s\n", fault);
        return EXIT_START_FAILED;
    }
    tls_set_free(&certificates);
    (void)printf("configuration ok\n");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"test", no_argument, NULL, 't'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct process process = {.conf_file = CONF_FILE_DEFAULT};
    char fault[CONF_FAULT_BYTES_MAX];
    bool test = false;
    int option;
    int code;

    while ((option = getopt_long(argc, argv, "c:tVh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            process.conf_file = optarg;
            break;
        case 't':
            test = true;
            break;
        case 'V':
            (void)printf("musterd " MUSTER_VERSION "\n");
            return 0;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, EXIT_USAGE);
        }
    }
    if (optind != argc) {
        return usage(stderr, EXIT_USAGE);
    }
    if (conf_load(process.conf_file, &process.conf, fault) != 0) {
        (void)fprintf(stderr, "%s\n", fault);
        return EXIT_START_FAILED;
    }
    code = test ? check_only(process.conf) : process_run(&process);
    conf_free(&process.conf);
    return code;
}
