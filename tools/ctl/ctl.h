/* ctl - what the commands of musterctl share: the command line as parsed, the nodes to talk to, and
 * the answers' way out. One thread, blocking; of a node only the reader of its
 * configuration is linked in. */
#ifndef TOOLS_CTL_CTL_H
#define TOOLS_CTL_CTL_H

#include "node/base/paths.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMEOUT_S_DEFAULT 30

/* Documented in musterctl(1). */
enum exit_code {
    EXIT_OK = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3, /* no node could be asked */
    EXIT_UNKNOWN = 4,     /* sent, but nobody knows whether it was carried out */
    EXIT_UNWRITTEN = 5    /* done, but standard output did not take the answer */
};

/* Options that only some commands take; each command names its own. */
enum option_flag {
    OPTION_PASSWORD_FILE = 1 << 0,
    OPTION_DOMAIN = 1 << 1,
    OPTION_DIR = 1 << 2,
    OPTION_DATA = 1 << 3,
    OPTION_NAME = 1 << 4,
    OPTION_REPLACE = 1 << 5,
    OPTION_CSV = 1 << 6,
    OPTION_DRY_RUN = 1 << 7,
    OPTION_HOME = 1 << 8, /* --node is what the command is about, not whom to ask */
    OPTION_RATE = 1 << 9,
    OPTION_DEADLINE = 1 << 10,
    OPTION_WATCH = 1 << 11,
    OPTION_ALL = 1 << 12,
    OPTION_WITNESS = 1 << 13,
    OPTION_NEEDS_DOMAIN = 1 << 14, /* beside OPTION_DOMAIN: it cannot be left out */
    OPTION_OUT = 1 << 15           /* never left out */
};

struct options {
    const char *cluster_dir;
    const char *control_path;
    long node;     /* 0: not given */
    long not_node; /* of several, one that is not to be asked: what is said is about it */
    long timeout_s;
    bool json;
    bool help;
    bool version;
    unsigned given; /* option_flag */
    const char *password_file;
    const char *domain;
    const char *dir;
    const char *data;
    const char *name;
    const char *csv;
    const char *out;
    long rate;       /* sessions a second; 0: not given */
    long deadline_s; /* 0: not given */
};

struct command {
    const char *noun;
    const char *verb;      /* NULL: the noun is all */
    const char *arguments; /* as in the help; a word in brackets may be left out */
    const char *summary;
    unsigned options; /* option_flag taken */
    int (*run)(const struct options *options, char **arguments, int count);
};

extern const struct command commands[];
extern const size_t command_count;

/** Every option, for help and completion; one that some commands mean otherwise is there once more,
 * with their flag. */
struct option_help {
    const char *name;
    const char *value; /* NULL: a switch */
    const char *text;
    unsigned flag; /* 0: any command takes it */
};
extern const struct option_help option_helps[];
extern const size_t option_help_count;

/** Print the completion script of a shell. */
int run_completion(const struct options *options, char **arguments, int count);

int run_cluster_init(const struct options *options, char **arguments, int count);
int run_node_add(const struct options *options, char **arguments, int count);
int run_node_join(const struct options *options, char **arguments, int count);
int run_alarm_list(const struct options *options, char **arguments, int count);
int run_assignment_show(const struct options *options, char **arguments, int count);
int run_assignment_mode(const struct options *options, char **arguments, int count);
int run_assignment_policy(const struct options *options, char **arguments, int count);
int run_assignment_rebalance(const struct options *options, char **arguments, int count);
int run_backup_create(const struct options *options, char **arguments, int count);
int run_backup_verify(const struct options *options, char **arguments, int count);
int run_cluster_restore(const struct options *options, char **arguments, int count);
int run_user_add(const struct options *options, char **arguments, int count);
int run_user_passwd(const struct options *options, char **arguments, int count);
int run_user_assign(const struct options *options, char **arguments, int count);
int run_user_remove(const struct options *options, char **arguments, int count);
int run_user_list(const struct options *options, char **arguments, int count);
int run_user_show(const struct options *options, char **arguments, int count);
int run_user_import(const struct options *options, char **arguments, int count);
int run_user_import_xml(const struct options *options, char **arguments, int count);
int run_user_export(const struct options *options, char **arguments, int count);
int run_dns_records(const struct options *options, char **arguments, int count);
int run_domain_add(const struct options *options, char **arguments, int count);
int run_domain_remove(const struct options *options, char **arguments, int count);
int run_domain_list(const struct options *options, char **arguments, int count);
int run_group_create(const struct options *options, char **arguments, int count);
int run_group_delete(const struct options *options, char **arguments, int count);
int run_group_enable(const struct options *options, char **arguments, int count);
int run_group_disable(const struct options *options, char **arguments, int count);
int run_group_add_node(const struct options *options, char **arguments, int count);
int run_group_remove_node(const struct options *options, char **arguments, int count);
int run_group_list(const struct options *options, char **arguments, int count);
int run_group_show(const struct options *options, char **arguments, int count);
int run_ha_status(const struct options *options, char **arguments, int count);
int run_ha_abort(const struct options *options, char **arguments, int count);
int run_ha_drain(const struct options *options, char **arguments, int count);
int run_ha_failover(const struct options *options, char **arguments, int count);
int run_ha_fallback(const struct options *options, char **arguments, int count);
int run_ha_recover(const struct options *options, char **arguments, int count);
int run_session_list(const struct options *options, char **arguments, int count);
int run_session_show(const struct options *options, char **arguments, int count);
int run_session_kill(const struct options *options, char **arguments, int count);
int run_node_list(const struct options *options, char **arguments, int count);
int run_node_promote(const struct options *options, char **arguments, int count);
int run_node_remove(const struct options *options, char **arguments, int count);
int run_node_replace(const struct options *options, char **arguments, int count);
int run_node_status(const struct options *options, char **arguments, int count);
int run_state_hash(const struct options *options, char **arguments, int count);
int run_state_scrub(const struct options *options, char **arguments, int count);
int run_state_mark(const struct options *options, char **arguments, int count);
int run_cluster_status(const struct options *options, char **arguments, int count);
int run_cluster_transfer(const struct options *options, char **arguments, int count);
int run_cluster_upgrade_check(const struct options *options, char **arguments, int count);
int run_cluster_upgrade_finish(const struct options *options, char **arguments, int count);
int run_member_assign(const struct options *options, char **arguments, int count);
int run_replication_monitor(const struct options *options, char **arguments, int count);
int run_replication_runtimestate(const struct options *options, char **arguments, int count);
int run_reload(const struct options *options, char **arguments, int count);
int run_log_level(const struct options *options, char **arguments, int count);

#endif
