#include "tools/ctl/pie_user.h"

#include "node/base/crypto.h"
#include "node/base/jid.h"
#include "node/base/mem.h"
#include "tools/ctl/pie.h"
#include "xmpp/sasl/sasl.h"
#include "xmpp/xml/ns.h"
#include "xmpp/xml/writer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_DELAY_OLD "jabber:x:delay"

static json_t *list_of(json_t *user, const char *name)
{
    json_t *list = json_object_get(user, name);

    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(user, name, list);
    }
    return list;
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* ---- times */

/* ".928509": milliseconds; what is finer is cut. */
static const char *read_fraction(const char *at, uint64_t *ms_out)
{
    uint64_t weight = 100;

    if (*at != '.') {
        return at;
    }
    for (at++; isdigit((unsigned char)*at); at++) {
        *ms_out += weight * (uint64_t)(*at - '0');
        weight /= 10;
    }
    return at;
}

static bool read_offset(const char *at, int *minutes_out)
{
    int hours = 0;
    int minutes = 0;
    char sign = '+';
    int len = 0;

    *minutes_out = 0;
    if (*at == '\0' || strcmp(at, "Z") == 0) { /* XEP-0091 has UTC without saying so */
        return true;
    }
    if (sscanf(at, "%c%2d:%2d%n", &sign, &hours, &minutes, &len) != 3 || at[len] != '\0' ||
        (sign != '+' && sign != '-')) {
        return false;
    }
    *minutes_out = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool pie_read_time(const char *text, uint64_t *wall_ms_out)
{
    struct tm parts = {0};
    uint64_t ms = 0;
    int offset = 0;
    time_t seconds;
    int len = 0;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
               &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &len) != 6 &&
        sscanf(text, "%4d%2d%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
               &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &len) != 6) {
        return false;
    }
    if (!read_offset(read_fraction(text + len, &ms), &offset)) {
        return false;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    seconds = timegm(&parts) - (time_t)offset * 60;
    if (seconds < 0) {
        return false;
    }
    *wall_ms_out = (uint64_t)seconds * 1000 + ms;
    return true;
}

/* ---- credentials */

/* Base64 that decodes to size bytes (0: any), as base64 again; NULL: it is none. ejabberd 23.01
 * writes base64 of the base64 that it has. */
static json_t *key_part(const char *text, size_t size, bool *twice)
{
    struct buf once = BUF_EMPTY;
    struct buf bytes = BUF_EMPTY;
    struct buf out = BUF_EMPTY;
    json_t *item = NULL;

    if (base64_decode(slice_str(text_or_empty(text)), &once) == 0) {
        if (size != 0) {
            *twice = buf_len(&once) != size;
        }
        if (!*twice) {
            buf_append(&bytes, buf_slice(&once));
        } else if (base64_decode(buf_slice(&once), &bytes) != 0) {
            buf_clear(&bytes);
        }
    }
    if (buf_len(&bytes) > 0 && (size == 0 || buf_len(&bytes) == size)) {
        base64_encode(buf_slice(&bytes), &out);
        item = json_string(buf_text(&out));
    }
    buf_deinit(&once);
    buf_deinit(&bytes);
    buf_deinit(&out);
    return item;
}

static json_t *read_key(const struct xml_element *element, const char *mechanism, size_t size)
{
    const char *count = text_or_empty(xml_child_text(element, NS_PIE_SCRAM, "iter-count"));
    long iterations = strtol(count, NULL, 10);
    bool twice = false;
    json_t *stored = key_part(xml_child_text(element, NS_PIE_SCRAM, "stored-key"), size, &twice);
    json_t *server = key_part(xml_child_text(element, NS_PIE_SCRAM, "server-key"), size, &twice);
    json_t *salt = key_part(xml_child_text(element, NS_PIE_SCRAM, "salt"), 0, &twice);

    if (stored == NULL || server == NULL || salt == NULL || iterations < SASL_ITERATIONS_MIN ||
        iterations > SASL_ITERATIONS_MAX) {
        json_decref(stored);
        json_decref(server);
        json_decref(salt);
        return NULL;
    }
    return json_pack("{s:s,s:I,s:o,s:o,s:o}", "mechanism", mechanism, "iterations",
                     (json_int_t)iterations, "stored_key", stored, "server_key", server, "salt",
                     salt);
}

bool pie_add_credentials(json_t *user, const struct xml_element *element)
{
    const char *mechanism = text_or_empty(xml_attr(element, "mechanism"));
    json_t *keys = list_of(user, "keys");
    json_t *key = NULL;
    const json_t *other;
    size_t i;

    if (strcmp(mechanism, "SCRAM-SHA-1") == 0) {
        key = read_key(element, mechanism, hash_size(HASH_SHA1));
    } else if (strcmp(mechanism, "SCRAM-SHA-256") == 0) {
        key = read_key(element, mechanism, hash_size(HASH_SHA256));
    }
    json_array_foreach(keys, i, other)
    {
        if (strcmp(json_string_value(json_object_get(other, "mechanism")), mechanism) == 0) {
            json_decref(key);
            return false;
        }
    }
    return key != NULL && json_array_append_new(keys, key) == 0;
}

/* ---- contacts */

static const char *subscription_of(const struct xml_element *item)
{
    static const char *const known[] = {"to", "from", "both"};
    const char *text = text_or_empty(xml_attr(item, "subscription"));

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(text, known[i]) == 0) {
            return text;
        }
    }
    return "none";
}

static bool is_address(const char *text)
{
    struct jid jid;

    return text != NULL && jid_parse(slice_str(text), &jid) == 0;
}

bool pie_add_contact(json_t *user, const struct xml_element *item)
{
    const char *address = xml_attr(item, "jid");
    json_t *groups;

    if (!is_address(address)) {
        return false;
    }
    groups = json_array();
    for (const struct xml_element *group = xml_child(item, item->ns, "group"); group != NULL;
         group = xml_sibling(group, item->ns, "group")) {
        if (xml_text(group)[0] != '\0') {
            (void)json_array_append_new(groups, json_string(xml_text(group)));
        }
    }
    return json_array_append_new(
               list_of(user, "contacts"),
               json_pack("{s:s,s:s,s:s,s:b,s:o}", "jid", address, "name",
                         text_or_empty(xml_attr(item, "name")), "subscription",
                         subscription_of(item), "ask",
                         (int)(strcmp(text_or_empty(xml_attr(item, "ask")), "subscribe") == 0),
                         "groups", groups)) == 0;
}

/* ---- stanzas */

/* What the other server added when it kept the stanza; this one adds its own. */
static bool is_servers(const struct xml_element *child, const char *address)
{
    const char *from = text_or_empty(xml_attr(child, "from"));
    const char *at = strchr(address, '@');

    if (xml_is(child, NS_DELAY, "delay") || xml_is(child, NS_DELAY_OLD, "x")) {
        return from[0] == '\0' || (at != NULL && strcmp(from, at + 1) == 0) ||
               strcmp(from, address) == 0;
    }
    return xml_is(child, NS_STANZA_ID, "stanza-id") &&
           strcmp(text_or_empty(xml_attr(child, "by")), address) == 0;
}

/* Children as they stand in a stanza, whatever the file's default namespace is. */
static json_t *inner_of(const struct xml_element *stanza, const char *address, uint64_t *wall_ms)
{
    struct buf out = BUF_EMPTY;
    json_t *text;

    for (const struct xml_node *node = stanza->nodes; node != NULL; node = node->next) {
        if (node->element == NULL) {
            continue; /* there is no text between the children of a stanza */
        }
        if (!is_servers(node->element, address)) {
            xml_write_element(&out, node->element, stanza->ns);
        } else if (xml_attr(node->element, "stamp") != NULL) {
            (void)pie_read_time(xml_attr(node->element, "stamp"), wall_ms);
        }
    }
    text = json_string(buf_text(&out));
    buf_deinit(&out);
    return text;
}

static const char *address_of(const json_t *user)
{
    return json_string_value(json_object_get(user, "user"));
}

bool pie_add_request(json_t *user, const struct xml_element *presence)
{
    const char *from = xml_attr(presence, "from");
    uint64_t wall_ms = 0;

    if (!is_address(from) || strcmp(text_or_empty(xml_attr(presence, "type")), "subscribe") != 0) {
        return false;
    }
    return json_array_append_new(list_of(user, "requests"),
                                 json_pack("{s:s,s:o}", "jid", from, "inner",
                                           inner_of(presence, address_of(user), &wall_ms))) == 0;
}

bool pie_add_kept(json_t *user, const struct xml_element *element, bool is_vcard)
{
    struct buf text = BUF_EMPTY;
    bool is_kept = (element->nodes != NULL || element->attributes != NULL) &&
                   element->ns[0] != '\0' && strcmp(element->ns, NS_PRIVATE) != 0;

    if (is_kept) {
        xml_write_element(&text, element, "");
        (void)json_array_append_new(list_of(user, "kept"),
                                    json_pack("{s:s,s:s}", "kind", is_vcard ? "vcard" : "private",
                                              "element", buf_text(&text)));
        buf_deinit(&text);
    }
    return is_kept;
}

static bool may_wait(const char *type)
{
    return type[0] == '\0' || strcmp(type, "chat") == 0 || strcmp(type, "normal") == 0;
}

/* One without a time has that of the one before it. */
static uint64_t last_time(const json_t *messages)
{
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);

    return (uint64_t)json_integer_value(json_object_get(last, "wall_ms"));
}

bool pie_add_message(json_t *user, const struct xml_element *message)
{
    const char *type = text_or_empty(xml_attr(message, "type"));
    json_t *messages = list_of(user, "messages");
    uint64_t wall_ms = last_time(messages);
    json_t *inner;

    if (!is_address(xml_attr(message, "from")) || !may_wait(type)) {
        return false;
    }
    inner = inner_of(message, address_of(user), &wall_ms);
    return json_array_append_new(
               messages, json_pack("{s:s,s:s,s:s,s:s,s:o,s:I}", "from", xml_attr(message, "from"),
                                   "type", type, "id", text_or_empty(xml_attr(message, "id")),
                                   "lang", text_or_empty(xml_attr_ns(message, XML_NS_XML, "lang")),
                                   "inner", inner, "wall_ms", (json_int_t)wall_ms)) == 0;
}

struct place {
    json_t *message;
    json_int_t wall_ms;
    size_t index;
};

static int compare(const void *a, const void *b)
{
    const struct place *one = a;
    const struct place *other = b;

    if (one->wall_ms != other->wall_ms) {
        return one->wall_ms < other->wall_ms ? -1 : 1;
    }
    return one->index < other->index ? -1 : 1;
}

void pie_sort_messages(json_t *user)
{
    json_t *messages = json_object_get(user, "messages");
    size_t count = json_array_size(messages);
    struct place *places = mem_alloc((count + 1) * sizeof(*places));
    json_t *sorted = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *message = json_array_get(messages, i);

        places[i] =
            (struct place){.message = message,
                           .wall_ms = json_integer_value(json_object_get(message, "wall_ms")),
                           .index = i};
    }
    qsort(places, count, sizeof(*places), compare);
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append(sorted, places[i].message);
    }
    mem_free(&places);
    if (count > 0) {
        (void)json_object_set(user, "messages", sorted);
    }
    json_decref(sorted);
}
