#include "tools/ctl/pie_write.h"

#include "tools/ctl/pie.h"
#include "xmpp/xml/ns.h"
#include "xmpp/xml/writer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));

    return text == NULL ? "" : text;
}

/* Nothing for an empty value: it was not there. */
static void write_attr(struct buf *out, const char *name, const char *value)
{
    if (*value != '\0') {
        xml_write_attr(out, name, value);
    }
}

static void write_key(const json_t *key, struct buf *out)
{
    buf_append_str(out, "<scram-credentials xmlns='" NS_PIE_SCRAM "'");
    xml_write_attr(out, "mechanism", text_of(key, "mechanism"));
    buf_printf(out, "><iter-count>%" JSON_INTEGER_FORMAT "</iter-count>",
               json_integer_value(json_object_get(key, "iterations")));
    xml_write_text_element(out, "salt", text_of(key, "salt"));
    xml_write_text_element(out, "server-key", text_of(key, "server_key"));
    xml_write_text_element(out, "stored-key", text_of(key, "stored_key"));
    buf_append_str(out, "</scram-credentials>\n");
}

static void write_contact(const json_t *contact, struct buf *out)
{
    const json_t *group;
    size_t i;

    buf_append_str(out, "<item");
    xml_write_attr(out, "jid", text_of(contact, "jid"));
    write_attr(out, "name", text_of(contact, "name"));
    xml_write_attr(out, "subscription", text_of(contact, "subscription"));
    if (json_is_true(json_object_get(contact, "ask"))) {
        xml_write_attr(out, "ask", "subscribe");
    }
    buf_append_str(out, ">");
    json_array_foreach(json_object_get(contact, "groups"), i, group)
    {
        xml_write_text_element(out, "group", json_string_value(group));
    }
    buf_append_str(out, "</item>\n");
}

/* XEP-0203 §2: when the server took it over; the server says so. */
static void write_delay(const json_t *message, const char *domain, struct buf *out)
{
    json_int_t wall_ms = json_integer_value(json_object_get(message, "wall_ms"));
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[32];

    (void)gmtime_r(&seconds, &parts);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    buf_append_str(out, "<delay xmlns='" NS_DELAY "'");
    xml_write_attr(out, "from", domain);
    buf_printf(out, " stamp='%s.%03dZ'/>", text, (int)(wall_ms % 1000));
}

static void write_message(const json_t *message, const char *user, struct buf *out)
{
    buf_append_str(out, "<message xmlns='" XML_NS_CLIENT "'");
    xml_write_attr(out, "from", text_of(message, "from"));
    xml_write_attr(out, "to", user);
    write_attr(out, "type", text_of(message, "type"));
    write_attr(out, "id", text_of(message, "id"));
    write_attr(out, "xml:lang", text_of(message, "lang"));
    buf_append_str(out, ">");
    buf_append_str(out, text_of(message, "inner"));
    write_delay(message, strchr(user, '@') + 1, out);
    buf_append_str(out, "</message>\n");
}

static void write_request(const json_t *request, const char *user, struct buf *out)
{
    buf_append_str(out, "<presence xmlns='" XML_NS_CLIENT "'");
    xml_write_attr(out, "from", text_of(request, "jid"));
    xml_write_attr(out, "to", user);
    buf_append_str(out, " type='subscribe'>");
    buf_append_str(out, text_of(request, "inner"));
    buf_append_str(out, "</presence>\n");
}

static void write_roster(const json_t *contacts, struct buf *out)
{
    const json_t *contact;
    size_t i;

    buf_append_str(out, "<query xmlns='" NS_ROSTER "'>\n");
    json_array_foreach(contacts, i, contact)
    {
        write_contact(contact, out);
    }
    buf_append_str(out, "</query>\n");
}

static void write_messages(const json_t *messages, const char *user, struct buf *out)
{
    const json_t *message;
    size_t i;

    if (json_array_size(messages) == 0) {
        return;
    }
    buf_append_str(out, "<offline-messages>\n");
    json_array_foreach(messages, i, message)
    {
        write_message(message, user, out);
    }
    buf_append_str(out, "</offline-messages>\n");
}

static bool is_vcard(const json_t *kept)
{
    return strcmp(text_of(kept, "kind"), "vcard") == 0;
}

/* A vCard stands by itself, private elements in a query. */
static void write_kept(const json_t *list, struct buf *out)
{
    const json_t *kept;
    bool has_private = false;
    size_t i;

    json_array_foreach(list, i, kept)
    {
        if (is_vcard(kept)) {
            buf_printf(out, "%s\n", text_of(kept, "element"));
        }
        has_private = has_private || !is_vcard(kept);
    }
    if (!has_private) {
        return;
    }
    buf_append_str(out, "<query xmlns='" NS_PRIVATE "'>\n");
    json_array_foreach(list, i, kept)
    {
        if (!is_vcard(kept)) {
            buf_printf(out, "%s\n", text_of(kept, "element"));
        }
    }
    buf_append_str(out, "</query>\n");
}

void pie_write_user(const json_t *user, const char *name, struct buf *out)
{
    const char *address = text_of(user, "user");
    const json_t *item;
    size_t i;

    buf_append_str(out, "<user");
    xml_write_attr(out, "name", name);
    buf_append_str(out, ">\n");
    json_array_foreach(json_object_get(user, "keys"), i, item)
    {
        write_key(item, out);
    }
    write_roster(json_object_get(user, "contacts"), out);
    json_array_foreach(json_object_get(user, "requests"), i, item)
    {
        write_request(item, address, out);
    }
    write_kept(json_object_get(user, "kept"), out);
    write_messages(json_object_get(user, "messages"), address, out);
    buf_append_str(out, "</user>\n");
}
