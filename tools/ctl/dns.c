/* musterctl dns records: what to put into the zone of a domain, so that clients find the nodes. */
#include "tools/ctl/ask.h"

#include <stdio.h>
#include <string.h>

static const char *text(const json_t *record, const char *key)
{
    const char *value = json_string_value(json_object_get(record, key));

    return value == NULL ? "" : value;
}

static long long number(const json_t *record, const char *key)
{
    return json_integer_value(json_object_get(record, key));
}

/* One line of a zone file (RFC 1035 §5.1); the zone's own TTL holds. */
static void print_record(const json_t *record)
{
    if (strcmp(text(record, "type"), "SRV") == 0) {
        (void)printf("%s IN SRV %lld %lld %lld %s\n", text(record, "name"),
                     number(record, "priority"), number(record, "weight"), number(record, "port"),
                     text(record, "target"));
    } else {
        (void)printf("%s IN %s %s\n", text(record, "name"), text(record, "type"),
                     text(record, "address"));
    }
}

static void print_records(const json_t *result)
{
    const json_t *record;
    size_t i;

    json_array_foreach(json_object_get(result, "records"), i, record)
    {
        print_record(record);
    }
}

int run_dns_records(const struct options *options, char **arguments, int count)
{
    json_t *args = options->domain == NULL ? NULL : json_pack("{s:s}", "domain", options->domain);

    (void)arguments;
    (void)count;
    return ask_show(options, "dns.records", args, print_records);
}
