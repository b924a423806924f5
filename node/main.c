/* musterd - one node of a cluster: its command line. */
#include "node/base/address.h"
#include "node/process.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

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

static bool is_there(const char *key, const char *host)
{
    char text[RLOG_ADDRESS_MAX + 1];
    struct sockaddr_storage address;

    (void)snprintf(text, sizeof(text), strchr(host, ':') == NULL ? "%s:1" : "[%s]:1", host);
    if (address_lookup(text, &address) == 0) {
        return true;
    }
    (void)fprintf(stderr, "%s: %s is no address, and no name that is known\n", key, host);
    return false;
}

/* All that keeps a node from its start but what only a start tells: a port that is taken, data of
 * another node. */
static int check_only(const struct conf *conf)
{
    struct tls_set *certificates;
    char fault[TLS_FAULT_BYTES_MAX] = "";

    if (process_check_links(conf, fault) != 0 ||
        process_load_certificates(conf, fault, &certificates) != 0) {
        (void)fprintf(stderr, "%s\n", fault);
        return EXIT_START_FAILED;
    }
    tls_set_free(&certificates);
    if (conf->node.witness != CONF_YES && !is_there("c2s.bind", conf->c2s.bind)) {
        return EXIT_START_FAILED;
    }
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
