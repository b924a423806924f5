/* Commands that are one request and one answer. */
#include "tools/ctl/arguments.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/print.h"

#include "node/base/assert.h"

#include <stdio.h>

/* ---- changes */

int run_domain_add(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "domain.add", json_pack("{s:s}", "domain", arguments[0]));
}

int run_domain_remove(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "domain.remove", json_pack("{s:s}", "domain", arguments[0]));
}

int run_session_kill(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "session.kill", json_pack("{s:s}", "user", arguments[0]));
}

int run_reload(const struct options *options, char **arguments, int count)
{
    (void)arguments;
    (void)count;
    return ask_change(options, "reload", NULL);
}

int run_log_level(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_change(options, "log.level", json_pack("{s:s}", "level", arguments[0]));
}

/* ---- lists */

static void print_domains(const json_t *result)
{
    const json_t *domain;
    size_t i;

    json_array_foreach(json_object_get(result, "domains"), i, domain)
    {
        (void)printf("%s\n", json_string_value(domain));
    }
}

int run_domain_list(const struct options *options, char **arguments, int count)
{
    (void)arguments;
    (void)count;
    return ask_show(options, "domain.list", NULL, print_domains);
}

static void print_sessions(const json_t *result)
{
    static const struct column columns[] = {
        {"ID", "id"},     {"USER", "user"},       {"RESOURCE", "resource"}, {"STATE", "state"},
        {"NODE", "node"}, {"PENDING", "pending"}, {"RESUMES", "resumable"}};

    print_table(json_object_get(result, "sessions"), columns, ARRAY_COUNT(columns));
    if (json_is_true(json_object_get(result, "more"))) {
        (void)printf("(more: name a user)\n");
    }
}

int run_session_list(const struct options *options, char **arguments, int count)
{
    json_t *args = count == 0 ? NULL : json_pack("{s:s}", "user", arguments[0]);

    return ask_show(options, "session.list", args, print_sessions);
}

static void print_session(const json_t *result)
{
    const json_t *session;
    size_t i;

    json_array_foreach(json_object_get(result, "sessions"), i, session)
    {
        print_object(session);
    }
}

int run_session_show(const struct options *options, char **arguments, int count)
{
    (void)count;
    return ask_show(options, "session.show", json_pack("{s:s}", "user", arguments[0]),
                    print_session);
}

static void print_nodes(const json_t *result)
{
    static const struct column columns[] = {
        {"NODE", "node"},         {"NAME", "name"},
        {"MEMBER", "member"},     {"UP", "up"},
        {"WITNESS", "witness"},   {"INCARNATION", "incarnation"},
        {"LINK", "link_address"}, {"CLIENTS", "client_address"}};

    const json_int_t leader = json_integer_value(json_object_get(result, "leader"));

    if (leader == 0) {
        (void)printf("leader: none");
    } else {
        (void)printf("leader: node %" JSON_INTEGER_FORMAT, leader);
    }
    (void)printf(", term %" JSON_INTEGER_FORMAT "\n\n",
                 json_integer_value(json_object_get(result, "term")));
    print_table(json_object_get(result, "nodes"), columns, ARRAY_COUNT(columns));
}

int run_cluster_status(const struct options *options, char **arguments, int count)
{
    (void)arguments;
    (void)count;
    return ask_show(options, "cluster.status", NULL, print_nodes);
}

/* ---- members */

int run_cluster_transfer(const struct options *options, char **arguments, int count)
{
    json_int_t node = 0; /* any */

    if (count > 0 && !arguments_read_node(arguments[0], &node)) {
        return EXIT_USAGE;
    }
    return ask_change(options, "cluster.transfer", json_pack("{s:I}", "node", node));
}

int run_member_assign(const struct options *options, char **arguments, int count)
{
    json_int_t node;

    (void)count;
    if (!arguments_read_node(arguments[0], &node)) {
        return EXIT_USAGE;
    }
    return ask_change(options, "member.assign",
                      json_pack("{s:I,s:s}", "node", node, "role", arguments[1]));
}
