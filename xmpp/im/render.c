#include "xmpp/im/render.h"

#include "node/base/jid.h"
#include "xmpp/xml/ns.h"
#include "xmpp/xml/xml.h"

#include <inttypes.h>
#include <time.h>

static const char *stanza_name(Pb__Stanza__Kind kind)
{
    switch (kind) {
    case PB__STANZA__KIND__MESSAGE:
        return "message";
    case PB__STANZA__KIND__PRESENCE:
        return "presence";
    default:
        return "iq";
    }
}

/* Nothing for an empty value: that is how absent attributes are stored. */
static void append_attr(struct buf *out, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        xml_write_attr(out, name, value);
    }
}

void render_time(uint64_t wall_ms, struct buf *out)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    char text[32];

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(out, "%s.%03uZ", text, (unsigned)(wall_ms % 1000));
}

/* XEP-0359 §3: by is the account (the bare address of owner) whose server gave the id. */
static void append_stanza_id(const Pb__Stanza *stanza, const char *owner, struct buf *out)
{
    buf_append_str(out, "<stanza-id xmlns='" NS_STANZA_ID "' by='");
    xml_write_text(out, jid_text_bare(slice_str(owner)));
    buf_printf(out, "' id='%" PRIu64 "'/>", stanza->position);
}

static void append_delay(const Pb__Stanza *stanza, struct buf *out)
{
    buf_append_str(out, "<delay xmlns='urn:xmpp:delay' from='");
    xml_write_text(out, jid_text_domain(slice_str(stanza->to)));
    buf_append_str(out, "' stamp='");
    render_time(stanza->wall_ms, out);
    buf_append_str(out, "'/>");
}

/* xmlns: where another namespace is the default one, or "". owner: whose stanza it is. */
static void write_stanza(const Pb__Stanza *stanza, const char *xmlns, const char *to,
                         const char *owner, struct buf *out)
{
    const char *name = stanza_name(stanza->kind);

    buf_printf(out, "<%s", name);
    append_attr(out, "xmlns", xmlns);
    append_attr(out, "from", stanza->from);
    append_attr(out, "to", to);
    append_attr(out, "type", stanza->type);
    append_attr(out, "id", stanza->id);
    append_attr(out, "xml:lang", stanza->lang);
    buf_append_u8(out, '>');
    buf_append(out, slice_make(stanza->inner.data, stanza->inner.len));
    if (stanza->kind == PB__STANZA__KIND__MESSAGE && stanza->position != 0) {
        append_stanza_id(stanza, owner, out);
    }
    if (stanza->delayed) {
        append_delay(stanza, out);
    }
    buf_printf(out, "</%s>", name);
}

void render_stanza(const Pb__Stanza *stanza, const char *to, struct buf *out)
{
    write_stanza(stanza, "", to != NULL ? to : stanza->to, stanza->to, out);
}

/* XEP-0280 §7 and §8, in the form of XEP-0297 §3. */
void render_copy(const Pb__Stanza *message, Pb__Copy copy, const char *to, struct buf *out)
{
    const char *name = copy == PB__COPY__SENT ? "sent" : "received";

    buf_append_str(out, "<message from='");
    xml_write_text(out, jid_text_bare(slice_str(to)));
    buf_append_u8(out, '\'');
    append_attr(out, "to", to);
    append_attr(out, "type", message->type);
    buf_printf(out, "><%s xmlns='" NS_CARBONS "'><forwarded xmlns='urn:xmpp:forward:0'>", name);
    write_stanza(message, XML_NS_CLIENT, message->to, to, out);
    buf_printf(out, "</forwarded></%s></message>", name);
}

void render_unavailable(const char *from, const char *to, struct buf *out)
{
    buf_append_str(out, "<presence");
    append_attr(out, "from", from);
    append_attr(out, "to", to);
    buf_append_str(out, " type='unavailable'/>");
}

static const char *subscription_text(Pb__RosterItem__Subscription subscription)
{
    static const char *const texts[] = {"none", "to", "from", "both"};

    return texts[(unsigned)subscription % ARRAY_COUNT(texts)];
}

void render_roster_item(const Pb__RosterItem *item, bool removed, struct buf *out)
{
    buf_append_str(out, "<item");
    append_attr(out, "jid", item->contact);
    if (removed) {
        buf_append_str(out, " subscription='remove'/>");
        return;
    }
    append_attr(out, "name", item->name);
    append_attr(out, "subscription", subscription_text(item->subscription));
    append_attr(out, "ask", item->ask ? "subscribe" : "");
    append_attr(out, "approved", item->approved ? "true" : "");
    if (item->n_groups == 0) {
        buf_append_str(out, "/>");
        return;
    }
    buf_append_u8(out, '>');
    for (size_t i = 0; i < item->n_groups; i++) {
        buf_append_str(out, "<group>");
        xml_write_text(out, slice_str(item->groups[i]));
        buf_append_str(out, "</group>");
    }
    buf_append_str(out, "</item>");
}

void render_push(const Pb__RosterPush *push, const char *to, struct buf *out)
{
    buf_append_str(out, "<iq type='set'");
    append_attr(out, "to", to);
    buf_printf(out, " id='push-%" PRIu64 "'><query xmlns='" NS_ROSTER "' ver='%" PRIu64 "'>",
               push->version, push->version);
    render_roster_item(push->item, push->removed, out);
    buf_append_str(out, "</query></iq>");
}
