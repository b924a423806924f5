/* The one table that commands, help and completion come from. */
#include "tools/ctl/ctl.h"

#include "node/base/assert.h"

const struct command commands[] = {
    {"cluster", "init", "HOST:PORT", "make the first node: authority, certificates, configuration",
     OPTION_DOMAIN | OPTION_DIR | OPTION_DATA | OPTION_NAME, run_cluster_init},
    {"cluster", "status", "", "the nodes of the cluster and who leads", 0, run_cluster_status},
    {"cluster", "transfer", "[NODE]", "hand leadership to a node, or to any that is up to date", 0,
     run_cluster_transfer},
    {"completion", NULL, "SHELL", "print the completion script of a shell: bash", 0,
     run_completion},
    {"domain", "add", "DOMAIN", "serve a domain", 0, run_domain_add},
    {"domain", "list", "", "the domains served", 0, run_domain_list},
    {"domain", "remove", "DOMAIN", "stop serving a domain that has no accounts", 0,
     run_domain_remove},
    {"log", "level", "LEVEL", "log from debug, info, warn or error on", 0, run_log_level},
    {"member", "add", "NODE HOST:PORT", "add a member; it joins when its node is there", 0,
     run_member_add},
    {"member", "assign", "NODE ROLE", "make a member voter or standby", 0, run_member_assign},
    {"member", "remove", "NODE", "remove a node from the cluster", 0, run_member_remove},
    {"node", "join", "TOKEN-FILE", "make this machine the node that a token is for",
     OPTION_DIR | OPTION_DATA | OPTION_REPLACE, run_node_join},
    {"node", "status", "", "what a node, or each node, says of itself", 0, run_node_status},
    {"node", "token", "ID HOST:PORT", "add a node to the cluster; prints what it joins with",
     OPTION_DIR | OPTION_REPLACE, run_node_token},
    {"reload", NULL, "", "read the configuration again, all or nothing", 0, run_reload},
    {"session", "kill", "ADDRESS", "end the sessions of a user, or one of them", 0,
     run_session_kill},
    {"session", "list", "[ADDRESS]", "sessions, of all or of one user", 0, run_session_list},
    {"session", "show", "ADDRESS", "all that is known of a session", 0, run_session_show},
    {"state", "hash", "", "state hashes of the nodes at one mark; 1 when they differ", 0,
     run_state_hash},
    {"state", "mark", "", "close the checkpoint window now (leader)", 0, run_state_mark},
    {"state", "scrub", "", "read the rows on disk and check them; 1 when some differ", 0,
     run_state_scrub},
    {"user", "add", "ADDRESS", "make an account", OPTION_PASSWORD_FILE, run_user_add},
    {"user", "import", "FILE.csv", "make or replace many accounts", 0, run_user_import},
    {"user", "list", "", "accounts", OPTION_DOMAIN, run_user_list},
    {"user", "passwd", "ADDRESS", "set the password of an account", OPTION_PASSWORD_FILE,
     run_user_passwd},
    {"user", "remove", "ADDRESS", "remove an account and all it has", 0, run_user_remove},
    {"user", "show", "ADDRESS", "an account: keys, contacts, sessions", 0, run_user_show},
};
const size_t command_count = ARRAY_COUNT(commands);

const struct option_help option_helps[] = {
    {"cluster", "DIR", "a cluster of tools/cluster: any node of DIR/cluster.json that serves", 0},
    {"control", "PATH", "control socket of a node (default " CONTROL_PATH_DEFAULT ")", 0},
    {"help", NULL, "print this and exit", 0},
    {"json", NULL, "answers as JSON", 0},
    {"node", "ID", "with --cluster: this node only", 0},
    {"timeout", "SECONDS", "wait so long for an answer (default 30)", 0},
    {"version", NULL, "print the version and exit", 0},
    {"data", "DIR", "data directory of the node (default /var/lib/muster)", OPTION_DATA},
    {"dir", "DIR", "configuration directory (default /etc/muster)", OPTION_DIR},
    {"domain", "DOMAIN", "the domain meant", OPTION_DOMAIN},
    {"name", "NAME", "name of the cluster (default muster)", OPTION_NAME},
    {"password-file", "FILE", "first line is the password; - for standard input",
     OPTION_PASSWORD_FILE},
    {"replace", NULL, "the node was there before and lost its data", OPTION_REPLACE},
};
const size_t option_help_count = ARRAY_COUNT(option_helps);
