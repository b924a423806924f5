/* The configuration file: what is taken, and how faults are told. */
#include "node/conf/conf.h"

#include "node/base/assert.h"
#include "node/base/log.h"
#include "tests/lib/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The cluster's domain, and that of a certificate. */
#define GOOD_WITH(domain, other)                                                                   \
    "node: {id: 2, data: /var/lib/muster}\n"                                                       \
    "cluster:\n"                                                                                   \
    "  domain: " domain "\n"                                                                       \
    "  bind: \"[::]:7101\"\n"                                                                      \
    "  address: a.example.org:7101\n"                                                              \
    "  ca: ca.pem\n"                                                                               \
    "  certificate: node.pem\n"                                                                    \
    "  key: node.key\n"                                                                            \
    "  members: [{node: 1, address: \"b:7101\"}, {node: 2, address: \"a:7101\"}]\n"                \
    "c2s:\n"                                                                                       \
    "  certificates: [{domain: " other ", certificate: c.pem, key: c.key}]\n"
#define GOOD GOOD_WITH("example.org", "example.org")

static char path[SCRATCH_BYTES];

static void write_conf(const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static int load(const char *text, struct conf **conf, char *fault)
{
    write_conf(text);
    return conf_load(path, conf, fault);
}

/* Goal: what is not given has its documented default.
 * Method: the least configuration. */
static void test_defaults(void **state)
{
    char fault[CONF_FAULT_BYTES_MAX] = "";
    struct conf *conf = NULL;

    (void)state;
    assert_int_equal(load(GOOD, &conf, fault), 0);
    assert_string_equal(conf->node.name, "node-2");
    assert_int_equal(conf->node.witness, CONF_NO);
    assert_int_equal(conf->c2s.port, 5222);
    assert_int_equal(conf->c2s.tls_port, 0);
    assert_int_equal(conf->c2s.tls_unique_on_tls13, CONF_YES);
    assert_int_equal(conf->about.version, CONF_YES);
    assert_int_equal(conf->about.abuse_count, 0);
    assert_string_equal(conf->control.socket, "/run/muster/control.sock");
    assert_int_equal(conf->log.level, LOG_INFO);
    assert_int_equal(conf->timers.lease_ms, 1000);
    assert_int_equal(conf->limits.workers, 0);
    assert_int_equal(conf->cluster.members_count, 2);
    conf_free(&conf);
    assert_null(conf);
}

/* One fault at a time after a good file; line and column counted by hand. */
static const struct {
    const char *text;
    const char *fault;
} faults[] = {
    {GOOD "timers:\n  lease_ms: 2000\n  lease: 1\n", ":14:3: Unexpected key: lease"},
    {GOOD "time: {}\n", ":12:1: Unexpected key: time"},
    {GOOD "timers: {lease_ms: 5}\n", ":12:10: timers.lease_ms: 5 is not between 200 and 60000"},
    {GOOD "timers: {lease_ms: 0}\n", ":12:10: timers.lease_ms: 0 is not between 200 and 60000"},
    {GOOD "timers: {lease_ms: -1}\n",
     ":12:20: timers.lease_ms: '-1' is not a decimal number between 200 and 60000"},
    {GOOD "timers: {lease_ms: soon}\n",
     ":12:20: timers.lease_ms: 'soon' is not a decimal number between 200 and 60000"},
    {GOOD "limits: {map_gib: 1, reserve_mib: 1024}\n",
     ":12:22: limits.reserve_mib: is not less than map_gib"},
    {GOOD "timers: {resume_window_s: 3601}\n",
     ":12:10: timers.resume_window_s: 3601 is not between 10 and 3600"},
    {GOOD "timers: {confirm_s: 26}\n", ":12:10: timers.confirm_s: 26 is not between 5 and 25"},
    {GOOD "timers: {heartbeat_ms: 300}\n",
     ":12:10: timers.heartbeat_ms: is more than a third of election_ms"},
    {GOOD "timers: {idle_probe_s: 571}\n",
     ":12:10: timers.idle_probe_s: and idle_dead_s are more than 600 s together"},
    {GOOD "timers: {lease_ms: 4294967296}\n",
     ":12:20: timers.lease_ms: 4294967296 is not between 200 and 60000"},
    {GOOD "timers: {lease_ms: 99999999999999999999}\n",
     ":12:20: timers.lease_ms: 99999999999999999999 is not between 200 and 60000"},
    {GOOD "  port: 70000\n", ":12:9: c2s.port: 70000 is not between 1 and 65535"},
    {GOOD "  tls_port: x\n",
     ":12:13: c2s.tls_port: 'x' is not a decimal number between 0 and 65535"},
    {GOOD "log: {level: loud}\n",
     ":12:14: log.level: 'loud' is not one of debug, info, warn, error"},
    {GOOD "log: {level: 1}\n", ":12:14: log.level: '1' is not one of debug, info"},
    {"node: {id: 2, data: d, witness: yes}\n",
     ":1:33: node.witness: 'yes' is not one of true, false"},
    {GOOD "timers: {scrub_s: 10m}\n", ":12:19: timers.scrub_s: '10m' is not a decimal number"},
    {GOOD "timers:\n  mark_ms: 1000.7\n",
     ":13:12: timers.mark_ms: '1000.7' is not a decimal number"},
    {GOOD "timers: {lease_ms: 01750}\n", "lease_ms: '01750' is not a decimal number"},
    {GOOD "timers: {lease_ms: 0x400}\n", "lease_ms: '0x400' is not a decimal number"},
    {GOOD "limits: {map_gib: \"2 \"}\n", ":12:19: limits.map_gib: '2 ' is not a decimal number"},
    {GOOD "limits: [{[x]: 1}]\n", ":12:9: Expecting MAPPING"},
    {GOOD "about: {version: no}\n", ":12:18: about.version: 'no' is not one of true, false"},
    {GOOD "about: {owner: [\"a:b\"]}\n", "Unexpected key: owner"},
    {GOOD "about: {admin: \"a:b\"}\n", "Expecting SEQUENCE"},
    {GOOD "about: {admin: [\"a:b\", \"a:c\", \"a:b\"]}\n",
     ":12:9: about.admin: has an address twice"},
    {GOOD "---\nlog: {level: debug}\n", ":12:1: more follows the first document"},
    {GOOD "---\nlog: [\n", ":14:1: more follows the first document"},
    {"node: {id: 1}\n", "Missing required mapping field: data"},
    {"node: [\n", ":"},
    {"", ": is empty"},
};

/* Goal: each fault is told with file, line and column, and of a value also the key and what is
 * allowed.
 * Method: load each of the table. */
static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
        char fault[CONF_FAULT_BYTES_MAX] = "";
        struct conf *conf = NULL;

        assert_int_equal(load(faults[i].text, &conf, fault), ERR_CONFIG);
        assert_int_equal(strncmp(fault, path, strlen(path)), 0);
        if (strstr(fault, faults[i].fault) == NULL) {
            fail_msg("case %zu: '%s' lacks '%s'", i, fault, faults[i].fault);
        }
    }
}

/* Goal: a file that cannot be read is told with the reason.
 * Method: one that is not there, and a directory. */
static void test_unreadable(void **state)
{
    char fault[CONF_FAULT_BYTES_MAX] = "";
    struct conf *conf = NULL;

    (void)state;
    assert_int_equal(conf_load("/nix", &conf, fault), ERR_CONFIG);
    assert_string_equal(fault, "/nix: cannot be read: No such file or directory");
    assert_int_equal(conf_load("/", &conf, fault), ERR_CONFIG);
    assert_string_equal(fault, "/: cannot be read: Is a directory");
}

/* Goal: what only shows when keys are looked at together is refused too.
 * Method: change one value of the good file. */
static void test_cluster_faults(void **state)
{
    static const struct {
        const char *from;
        const char *to;
        const char *fault;
    } cases[] = {
        {"id: 2", "id: 0", "is not between 1 and"},
        {"example.org\n", "exa mple\n", "is not a domain"},
        {"{domain: example.org", "{domain: exa mple", ":11:3: c2s.certificates: of what is not"},
        {"a.example.org:7101", "a.example.org", "is not host:port"},
        {"a.example.org:7101", "\"[::0]:7101\"", ":5:3: cluster.address: is no address that other"},
        {"node: 1,", "node: 1x,", ":9:20: cluster.members.node: '1x' is not a decimal number"},
        {"node: 1,", "node: 0,", ":9:3: cluster.members: a node is not between 1 and"},
        {"node: 1,", "node: 2,", ":9:3: cluster.members: a node or an address is there twice"},
        {"\"b:7101\"", "\"a:7101\"", ":9:3: cluster.members: a node or an address is there"},
        {"id: 2", "id: 3", ":9:3: cluster.members: this node (node.id) is not there"},
        {"c2s:\n", "c2s:\n  port: 0\n", ":11:3: c2s.port: 0 is not between 1 and 65535"},
        {"c2s:\n", "c2s:\n  port: 1\n  tls_port: 1\n", ":12:3: c2s.tls_port: is that of STARTTLS"},
        {"c2s:\n", "c2s:\n  tls_port: 5222\n", ":11:3: c2s.tls_port: is that of STARTTLS"},
        {"c2s:\n", "c2s:\n  address: 0.0.0.0\n", ":11:3: c2s.address: is no address that"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *at = strstr(GOOD, cases[i].from);
        char text[2048];
        char fault[CONF_FAULT_BYTES_MAX] = "";
        struct conf *conf = NULL;

        assert_non_null(at);
        (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, cases[i].to,
                       at + strlen(cases[i].from));
        assert_int_equal(load(text, &conf, fault), ERR_CONFIG);
        if (strstr(fault, cases[i].fault) == NULL) {
            fail_msg("case %zu: '%s' lacks '%s'", i, fault, cases[i].fault);
        }
    }
}

/* Goal: whatever the spelling, domains come out as those who look for them have them: accounts in
 * prepared form, TLS by the name in DNS.
 * Method: two spellings each. */
static void test_domains(void **state)
{
    static const struct {
        const char *text;
        const char *prepared;
        const char *dns;
    } cases[] = {
        {"Example.ORG", "example.org", "example.org"},
        {"XN--bcher-kva.example",
         "b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"127.0.0.1", "127.0.0.1", "127.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char fault[CONF_FAULT_BYTES_MAX] = "";
        struct conf *conf = NULL;
        char text[2048];

        (void)snprintf(text, sizeof(text), GOOD_WITH("%s", "%s"), cases[i].text, cases[i].text);
        assert_int_equal(load(text, &conf, fault), 0);
        assert_string_equal(conf->cluster.domain, cases[i].prepared);
        assert_string_equal(conf->c2s.certificates[0].domain, cases[i].dns);
        conf_free(&conf);
    }
}

/* Goal: clients are told an address that they can reach.
 * Method: bind to one address and to all, with and without saying what clients are to be told. */
static void test_client_address(void **state)
{
    static const struct {
        const char *to;
        const char *address;
    } cases[] = {
        {"c2s:\n", "a.example.org"},
        {"c2s:\n  bind: 0.0.0.0\n", "a.example.org"},
        {"c2s:\n  bind: \"::\"\n", "a.example.org"},
        {"c2s:\n  bind: 192.0.2.1\n", "192.0.2.1"},
        {"c2s:\n  bind: \"::\"\n  address: chat.example.org\n", "chat.example.org"},
    };
    const char *at = strstr(GOOD, "c2s:\n");

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char fault[CONF_FAULT_BYTES_MAX] = "";
        struct conf *conf = NULL;
        char text[2048];

        (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, cases[i].to,
                       at + strlen("c2s:\n"));
        assert_int_equal(load(text, &conf, fault), 0);
        assert_string_equal(conf->c2s.address, cases[i].address);
        conf_free(&conf);
    }
}

/* Loads the good file with one address to turn to; is that taken? */
static bool takes_contact(const char *address)
{
    char fault[CONF_FAULT_BYTES_MAX] = "";
    struct conf *conf = NULL;
    char text[2048];
    int rc;

    (void)snprintf(text, sizeof(text), GOOD "about: {support: ['%s']}\n", address);
    rc = load(text, &conf, fault);
    if (rc != 0) {
        assert_non_null(strstr(fault, ":12:9: about.support: has what is no URI of up to 255"));
        return false;
    }
    assert_int_equal(conf->about.support_count, 1);
    assert_string_equal(conf->about.support[0], address);
    conf_free(&conf);
    return true;
}

/* Goal: addresses to turn to are URIs (RFC 3986), as long as is said, and no longer.
 * Method: good and bad ones, the longest and one byte more. */
static void test_contacts(void **state)
{
    static const char *const good[] = {"mailto:xmpp@example.org", "xmpp:a@b?message",
                                       "https://[2001:db8::1]:1/%41~?a=b&c;d#e", "a:b",
                                       "x+y-1.Z:*"};
    static const char *const bad[] = {"xmpp@example.org",
                                      "mailto:",
                                      ":a",
                                      "1a:b",
                                      "a_b:c",
                                      "//example.org/",
                                      "a:b c",
                                      "a:b<c",
                                      "a:b\"c",
                                      "a:b\\c",
                                      "a:{b}",
                                      "a:\xc3\xbc",
                                      "a:%4",
                                      "a:%4g",
                                      "a:%"};
    char text[CONF_CONTACT_BYTES_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_true(takes_contact(good[i]));
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(takes_contact(bad[i]));
    }
    memset(text, 'a', sizeof(text));
    text[1] = ':';
    text[CONF_CONTACT_BYTES_MAX] = '\0';
    assert_true(takes_contact(text));
    text[CONF_CONTACT_BYTES_MAX] = 'a';
    text[CONF_CONTACT_BYTES_MAX + 1] = '\0';
    assert_false(takes_contact(text));
}

/* Goal: a purpose has so many addresses, and no more; it may have none.
 * Method: as many, one more, none. */
static void test_contact_count(void **state)
{
    char fault[CONF_FAULT_BYTES_MAX] = "";
    struct conf *conf = NULL;

    (void)state;
    assert_int_equal(load(GOOD "about: {sales: [\"a:1\", \"a:2\", \"a:3\", \"a:4\", \"a:5\", "
                               "\"a:6\", \"a:7\", \"a:8\"]}\n",
                          &conf, fault),
                     0);
    assert_int_equal(conf->about.sales_count, CONF_CONTACTS_MAX);
    conf_free(&conf);
    assert_int_equal(load(GOOD "about: {sales: [\"a:1\", \"a:2\", \"a:3\", \"a:4\", \"a:5\", "
                               "\"a:6\", \"a:7\", \"a:8\", \"a:9\"]}\n",
                          &conf, fault),
                     ERR_CONFIG);
    assert_non_null(strstr(fault, ":12:9: about.sales: has more than 8 addresses"));
    assert_int_equal(load(GOOD "about: {sales: []}\n", &conf, fault), 0);
    assert_int_equal(conf->about.sales_count, 0);
    conf_free(&conf);
}

/* Goal: a witness needs no section for clients; every other node does, and is told so.
 * Method: the least configuration without that section, for both. */
static void test_witness(void **state)
{
    char fault[CONF_FAULT_BYTES_MAX] = "";
    struct conf *conf = NULL;
    char text[2048];
    const char *at = strstr(GOOD, "c2s:\n");

    (void)state;
    (void)snprintf(text, sizeof(text), "%.*s", (int)(at - GOOD), GOOD);
    assert_int_equal(load(text, &conf, fault), ERR_CONFIG);
    assert_non_null(strstr(fault, "c2s: is missing: only a witness has no clients"));
    (void)snprintf(text, sizeof(text), "node: {id: 2, data: d, witness: true}\n%.*s",
                   (int)(at - strchr(GOOD, '\n') - 1), strchr(GOOD, '\n') + 1);
    assert_int_equal(load(text, &conf, fault), 0);
    assert_int_equal(conf->node.witness, CONF_YES);
    conf_free(&conf);
}

/* Goal: a reload knows what it cannot change.
 * Method: compare the same file with one change at a time, of both kinds and of all shapes. */
static void test_needs_restart(void **state)
{
    static const struct {
        const char *from, *to; /* NULL: to is added */
        const char *key;       /* NULL: a reload can do it */
    } cases[] = {
        {NULL, "log: {level: debug}\n", NULL},
        {NULL, "timers: {resume_window_s: 60}\n", NULL},
        {NULL, "limits: {connections: 10}\n", NULL},
        {NULL, "about: {version: false, admin: [\"a:b\"]}\n", NULL},
        {"c.pem", "d.pem", NULL},
        {"ca.pem", "cb.pem", NULL},
        {NULL, "timers: {lease_ms: 3000}\n", "timers.lease_ms"},
        {NULL, "timers: {scrub_s: 60}\n", "timers.scrub_s"},
        {NULL, "limits: {scram_iterations: 8192}\n", "limits.scram_iterations"},
        {"id: 2", "id: 2, name: other", "node.name"},
        {"id: 2", "id: 2, witness: true", "node.witness"},
        {"id: 2", "id: 2, witness: false", NULL},
        {"domain: example.org\n", "domain: example.org\n  name: other\n", "cluster.name"},
        {"\"b:7101\"", "\"c:7101\"", "cluster.members"},
        {"{node: 1, address: \"b:7101\"}, ", "", "cluster.members"},
        {"c2s:\n", "c2s:\n  address: other\n", "c2s.address"},
    };
    char fault[CONF_FAULT_BYTES_MAX] = "";
    struct conf *old = NULL;

    (void)state;
    assert_int_equal(load(GOOD, &old, fault), 0);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *from = cases[i].from == NULL ? "" : cases[i].from;
        const char *at = cases[i].from == NULL ? strchr(GOOD, '\0') : strstr(GOOD, from);
        struct conf *fresh = NULL;
        const char *key;
        char text[2048];

        assert_non_null(at);
        (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, cases[i].to,
                       at + strlen(from));
        assert_int_equal(load(text, &fresh, fault), 0);
        key = conf_needs_restart(old, fresh);
        if (cases[i].key == NULL) {
            assert_null(key);
        } else {
            assert_non_null(key);
            assert_string_equal(key, cases[i].key);
        }
        conf_free(&fresh);
    }
    conf_free(&old);
}

/* Goal: the file that is installed as an example is good, and says the true defaults.
 * Method: load it, and compare it with a file that says nothing. */
static void test_example(void **state)
{
    char fault[CONF_FAULT_BYTES_MAX] = "";
    struct conf *plain = NULL;
    struct conf *example = NULL;

    (void)state;
    assert_int_equal(load(GOOD, &plain, fault), 0);
    if (conf_load("deploy/muster.yaml.example", &example, fault) != 0) {
        fail_msg("%s", fault);
    }
    assert_memory_equal(&plain->timers, &example->timers, sizeof(plain->timers));
    assert_memory_equal(&plain->limits, &example->limits, sizeof(plain->limits));
    assert_int_equal(plain->c2s.port, example->c2s.port);
    assert_string_equal(plain->control.socket, example->control.socket);
    conf_free(&plain);
    conf_free(&example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_faults),
        cmocka_unit_test(test_cluster_faults), cmocka_unit_test(test_needs_restart),
        cmocka_unit_test(test_domains),        cmocka_unit_test(test_client_address),
        cmocka_unit_test(test_example),        cmocka_unit_test(test_witness),
        cmocka_unit_test(test_unreadable),     cmocka_unit_test(test_contacts),
        cmocka_unit_test(test_contact_count),
    };
    int rc;

    scratch_file(path, "conf");
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return rc;
}
