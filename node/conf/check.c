#include "node/conf/check.h"

#include "node/base/address.h"
#include "node/base/assert.h"
#include "node/base/jid.h"
#include "node/base/mem.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS     "0123456789"
#define HEX_DIGITS DIGITS "ABCDEFabcdef"
#define URI_BYTES  LETTERS DIGITS "-._~:/?#[]@!$&'()*+,;=" /* and '%', with two digits */

int check_tell_at(const char *file, struct place place, const char *path, const char *text,
                  char fault[CONF_FAULT_BYTES_MAX])
{
    if (place.line != 0) {
        (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s:%zu:%zu: %s: %s", file, place.line,
                       place.column, path, text);
    } else {
        (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s: %s: %s", file, path, text);
    }
    return ERR_CONFIG;
}

int check_tell(const char *file, const char *path, const char *text,
               char fault[CONF_FAULT_BYTES_MAX])
{
    struct place place = {0};

    (void)place_of_path(file, path, &place);
    return check_tell_at(file, place, path, text, fault);
}

/* ---- addresses */

static int check_address(const char *file, const char *path, const char *text, char *fault)
{
    struct address address;

    return address_parse(text, &address) == 0 ? 0
                                              : check_tell(file, path, "is not host:port", fault);
}

static void replace(char **text, const char *value)
{
    mem_free(text);
    *text = mem_strdup(value);
}

/* "0.0.0.0", "::": good to listen on, but nobody gets there. */
static bool is_any(const struct address *address)
{
    struct sockaddr_storage numeric;

    if (!address_numeric(address, &numeric)) {
        return false;
    }
    if (numeric.ss_family == AF_INET) {
        return ((const struct sockaddr_in *)&numeric)->sin_addr.s_addr == INADDR_ANY;
    }
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&numeric)->sin6_addr);
}

static bool is_any_host(const char *host)
{
    struct address address = {.port = 0};

    (void)snprintf(address.host, sizeof(address.host), "%s", host);
    return is_any(&address);
}

/* ---- cluster */

static int check_member(const struct conf_cluster *cluster, uint32_t index, const char *file,
                        char *fault)
{
    const struct conf_member *member = &cluster->members[index];

    if (member->node == 0 || member->node > CONF_NODE_ID_MAX) {
        return check_tell(file, "cluster.members", "a node is not between 1 and 2147483647", fault);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (cluster->members[i].node == member->node ||
            strcmp(cluster->members[i].address, member->address) == 0) {
            return check_tell(file, "cluster.members", "a node or an address is there twice",
                              fault);
        }
    }
    return check_address(file, "cluster.members", member->address, fault);
}

static int check_members(const struct conf *conf, const char *file, char *fault)
{
    bool has_own = conf->cluster.members_count == 0;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < conf->cluster.members_count; i++) {
        rc = check_member(&conf->cluster, i, file, fault);
        has_own = has_own || conf->cluster.members[i].node == conf->node.id;
    }
    if (rc == 0 && !has_own) {
        rc = check_tell(file, "cluster.members", "this node (node.id) is not there", fault);
    }
    return rc;
}

static int check_cluster(struct conf *conf, const char *file, char *fault)
{
    char domain[JID_PART_BYTES_MAX + 1];
    struct address address;
    int rc;

    if (conf->node.id == 0 || conf->node.id > CONF_NODE_ID_MAX) {
        return check_tell(file, "node.id", "is not between 1 and 2147483647", fault);
    }
    if (jid_prep_domain(slice_str(conf->cluster.domain), domain) != 0) {
        return check_tell(file, "cluster.domain", "is not a domain", fault);
    }
    replace(&conf->cluster.domain, domain); /* the form that accounts are compared in */
    rc = check_address(file, "cluster.bind", conf->cluster.bind, fault);
    if (rc == 0) {
        rc = check_address(file, "cluster.address", conf->cluster.address, fault);
    }
    if (rc == 0 && address_parse(conf->cluster.address, &address) == 0 && is_any(&address)) {
        rc = check_tell(file, "cluster.address", "is no address that other nodes can reach", fault);
    }
    return rc != 0 ? rc : check_members(conf, file, fault);
}

/* ---- c2s */

/* TLS and certificates know a domain by its name in DNS. */
static int check_certificates(struct conf *conf, const char *file, char *fault)
{
    for (uint32_t i = 0; i < conf->c2s.certificates_count; i++) {
        char **domain = &conf->c2s.certificates[i].domain;
        char prepared[JID_PART_BYTES_MAX + 1];
        char dns[JID_PART_BYTES_MAX + 1];

        if (jid_prep_domain(slice_str(*domain), prepared) != 0) {
            return check_tell(file, "c2s.certificates", "of what is not a domain", fault);
        }
        jid_domain_to_dns(prepared, dns);
        replace(domain, dns);
    }
    return 0;
}

/* Where clients find the node, when nobody said: where they can, of all that it listens on. */
static void fill_client_address(struct conf *conf)
{
    struct address link;

    if (conf->c2s.address == NULL && is_any_host(conf->c2s.bind) &&
        address_parse(conf->cluster.address, &link) == 0) {
        conf->c2s.address = mem_strdup(link.host);
    } else if (conf->c2s.address == NULL) {
        conf->c2s.address = mem_strdup(conf->c2s.bind);
    }
}

/* The schema asks for certificates where there is a section: without them there is none. */
static int check_c2s(struct conf *conf, const char *file, char *fault)
{
    if (conf->c2s.certificates_count == 0 && conf->node.witness != CONF_YES) {
        return check_tell(file, "c2s", "is missing: only a witness has no clients", fault);
    }
    fill_client_address(conf);
    if (is_any_host(conf->c2s.address)) {
        return check_tell(file, "c2s.address", "is no address that clients can reach", fault);
    }
    if (conf->c2s.port == 0) {
        return check_tell(file, "c2s.port", "0 is not between 1 and 65535", fault);
    }
    if (conf->c2s.tls_port == conf->c2s.port) {
        return check_tell(file, "c2s.tls_port", "is that of STARTTLS (c2s.port)", fault);
    }
    return check_certificates(conf, file, fault);
}

/* ---- about */

#define NUMBER_TEXT(number)  #number
#define NUMBER_VALUE(number) NUMBER_TEXT(number)

/* RFC 3986 §3.1 */
static size_t scheme_len(const char *text)
{
    size_t len = 0;

    if (text[0] != '\0' && strchr(LETTERS, text[0]) != NULL) {
        len = strspn(text, LETTERS DIGITS "+-.");
    }
    return text[len] == ':' ? len : 0;
}

/* Nothing that RFC 3986 §2 lets no URI have: so no blank, quote or '<' either. */
static bool is_uri(const char *text)
{
    size_t scheme = scheme_len(text);
    const char *at = text + scheme + 1;

    if (scheme == 0 || *at == '\0') {
        return false;
    }
    while (*at != '\0') {
        if (*at == '%' ? strspn(at + 1, HEX_DIGITS) < 2 : strchr(URI_BYTES, *at) == NULL) {
            return false;
        }
        at++;
    }
    return true;
}

static int check_contacts(char **contacts, uint32_t count, const char *file, const char *path,
                          char *fault)
{
    if (count > CONF_CONTACTS_MAX) {
        return check_tell(file, path, "has more than " NUMBER_VALUE(CONF_CONTACTS_MAX) " addresses",
                          fault);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strlen(contacts[i]) > CONF_CONTACT_BYTES_MAX || !is_uri(contacts[i])) {
            return check_tell(
                file, path,
                "has what is no URI of up to " NUMBER_VALUE(CONF_CONTACT_BYTES_MAX) " bytes",
                fault);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(contacts[j], contacts[i]) == 0) {
                return check_tell(file, path, "has an address twice", fault);
            }
        }
    }
    return 0;
}

static int check_about(const struct conf_about *about, const char *file, char *fault)
{
    const struct {
        const char *path;
        char **contacts;
        uint32_t count;
    } purposes[] = {
#define PURPOSE(name) {"about." #name, about->name, about->name##_count},
        CONF_PURPOSES_MAP(PURPOSE)
#undef PURPOSE
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(purposes); i++) {
        rc = check_contacts(purposes[i].contacts, purposes[i].count, file, purposes[i].path, fault);
    }
    return rc;
}

/* ---- numbers */

static int check_timers(const struct conf *conf, const char *file, char *fault)
{
    if (conf->timers.heartbeat_ms * 3 > conf->timers.election_ms) {
        return check_tell(file, "timers.heartbeat_ms", "is more than a third of election_ms",
                          fault);
    }
    if (conf->timers.idle_probe_s + conf->timers.idle_dead_s > CONF_SILENCE_S_MAX) {
        return check_tell(file, "timers.idle_probe_s",
                          "and idle_dead_s are more than 600 s together", fault);
    }
    return 0;
}

/* unix(7): one byte more for the end of it. */
static int check_control(const struct conf *conf, const char *file, char *fault)
{
    const struct sockaddr_un *address = NULL;

    return strlen(conf->control.socket) < sizeof(address->sun_path)
               ? 0
               : check_tell(file, "control.socket", "is longer than 107 bytes", fault);
}

static int check_limits(const struct conf *conf, const char *file, char *fault)
{
    if (conf->limits.reserve_mib / 1024 >= conf->limits.map_gib) {
        return check_tell(file, "limits.reserve_mib", "is not less than map_gib", fault);
    }
    return 0;
}

/* ---- */

int check_all(struct conf *conf, const char *file, char fault[CONF_FAULT_BYTES_MAX])
{
    int rc = check_cluster(conf, file, fault);

    if (rc == 0) {
        rc = check_c2s(conf, file, fault);
    }
    if (rc == 0) {
        rc = check_about(&conf->about, file, fault);
    }
    if (rc == 0) {
        rc = check_control(conf, file, fault);
    }
    if (rc == 0) {
        rc = check_timers(conf, file, fault);
    }
    return rc != 0 ? rc : check_limits(conf, file, fault);
}
