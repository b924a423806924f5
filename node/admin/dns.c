#include "node/admin/dns.h"

#include "node/base/address.h"
#include "node/base/jid.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES_MAX (JID_PART_BYTES_MAX + 64)

static size_t count_alike(const struct dns_node *nodes, size_t count, bool stands_by)
{
    size_t alike = 0;

    for (size_t i = 0; i < count; i++) {
        alike += nodes[i].stands_by == stands_by;
    }
    return alike;
}

/* The host as a name in a zone file, complete with its last dot. */
static void name_of_host(const char *host, char out[NAME_BYTES_MAX])
{
    char prepared[JID_PART_BYTES_MAX + 1];
    char dns[JID_PART_BYTES_MAX + 1];
    size_t len;

    if (jid_prep_domain(slice_str(host), prepared) == 0) {
        jid_domain_to_dns(prepared, dns);
        host = dns;
    }
    len = strlen(host);
    (void)snprintf(out, NAME_BYTES_MAX, "%s%s", host, len > 0 && host[len - 1] == '.' ? "" : ".");
}

static json_t *address_record(const char *domain, const char *name,
                              const struct sockaddr_storage *numeric)
{
    bool is_six = numeric->ss_family == AF_INET6;
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(numeric->ss_family,
                    is_six ? (const void *)&((const struct sockaddr_in6 *)numeric)->sin6_addr
                           : (const void *)&((const struct sockaddr_in *)numeric)->sin_addr,
                    text, sizeof(text));
    return json_pack("{s:s,s:s,s:s,s:s}", "domain", domain, "name", name, "type",
                     is_six ? "AAAA" : "A", "address", text);
}

/* Nodes that are tried alike get the same weight; one that is alone needs none (RFC 2782). */
static json_t *service_record(const char *domain, const char *dns, const struct dns_node *node,
                              bool is_alone, uint16_t port, const char *target)
{
    char name[NAME_BYTES_MAX];

    (void)snprintf(name, sizeof(name), "_xmpp-client._tcp.%s.", dns);
    return json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:s}", "domain", domain, "name", name, "type", "SRV",
                     "priority", node->stands_by ? DNS_PRIORITY_STANDBY : DNS_PRIORITY, "weight",
                     is_alone ? 0 : 1, "port", (int)port, "target", target);
}

void dns_add_records(const char *domain, const struct dns_node *nodes, size_t count, json_t *rows)
{
    char dns[JID_PART_BYTES_MAX + 1];
    json_t *addresses = json_array();

    jid_domain_to_dns(domain, dns);
    for (size_t i = 0; i < count; i++) {
        bool is_alone = count_alike(nodes, count, nodes[i].stands_by) == 1;
        struct sockaddr_storage numeric;
        struct address address;
        char target[NAME_BYTES_MAX];

        if (address_parse(nodes[i].address, &address) != 0) {
            continue; /* no node says so: it comes from a configuration that was checked */
        }
        if (address_numeric(&address, &numeric)) {
            (void)snprintf(target, sizeof(target), "node-%u.%s.", nodes[i].node, dns);
            (void)json_array_append_new(addresses, address_record(domain, target, &numeric));
        } else {
            name_of_host(address.host, target);
        }
        (void)json_array_append_new(
            rows, service_record(domain, dns, &nodes[i], is_alone, address.port, target));
    }
    (void)json_array_extend(rows, addresses);
    json_decref(addresses);
}
