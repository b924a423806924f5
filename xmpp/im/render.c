#include "xmpp/im/render.h"

#include "node/base/jid.h"
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

void render_attr(const char *name, const char *value, struct buf *out)
{
    if (value != NULL && value[0] != '\0') {
        buf_printf(out, " %s='", name);
        xml_escape(slice_str(value), out);
        buf_append_u8(out, '\'');
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

/* XEP-0359 §3: by is the account (the bare address) whose server gave the id. */
static void append_stanza_id(const Pb__Stanza *stanza, struct buf *out)
{
    struct slice by = jid_text_bare(slice_str(stanza->to));

    buf_append_str(out, "<stanza-id xmlns='urn:xmpp:sid:0' by='");
    xml_escape(by, out);
    buf_printf(out, "' id='%" PRIu64 "'/>", stanza->position);
}

static void append_delay(const Pb__Stanza *stanza, struct buf *out)
{
    buf_append_str(out, "<delay xmlns='urn:xmpp:delay' from='");
    xml_escape(jid_text_domain(slice_str(stanza->to)), out);
    buf_append_str(out, "' stamp='");
    render_time(stanza->wall_ms, out);
    buf_append_str(out, "'/>");
}

void render_stanza(const Pb__Stanza *stanza, const char *to, struct buf *out)
{
    const char *name = stanza_name(stanza->kind);

    buf_printf(out, "<%s", name);
    render_attr("from", stanza->from, out);
    render_attr("to", to != NULL ? to : stanza->to, out);
    render_attr("type", stanza->type, out);
    render_attr("id", stanza->id, out);
    render_attr("xml:lang", stanza->lang, out);
    buf_append_u8(out, '>');
    buf_append(out, slice_make(stanza->inner.data, stanza->inner.len));
    if (stanza->kind == PB__STANZA__KIND__MESSAGE && stanza->position != 0) {
        append_stanza_id(stanza, out);
    }
    if (stanza->delayed) {
        append_delay(stanza, out);
    }
    buf_printf(out, "</%s>", name);
}

void render_unavailable(const char *from, const char *to, struct buf *out)
{
    buf_append_str(out, "<presence");
    render_attr("from", from, out);
    render_attr("to", to, out);
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
    render_attr("jid", item->contact, out);
    if (removed) {
        buf_append_str(out, " subscription='remove'/>");
        return;
    }
    render_attr("name", item->name, out);
    render_attr("subscription", subscription_text(item->subscription), out);
    render_attr("ask", item->ask ? "subscribe" : "", out);
    render_attr("approved", item->approved ? "true" : "", out);
    if (item->n_groups == 0) {
        buf_append_str(out, "/>");
        return;
    }
    buf_append_u8(out, '>');
    for (size_t i = 0; i < item->n_groups; i++) {
        buf_append_str(out, "<group>");
        xml_escape(slice_str(item->groups[i]), out);
        buf_append_str(out, "</group>");
    }
    buf_append_str(out, "</item>");
}

void render_push(const Pb__RosterPush *push, const char *to, struct buf *out)
{
    buf_append_str(out, "<iq type='set'");
    render_attr("to", to, out);
    buf_printf(out, " id='push-%" PRIu64 "'><query xmlns='jabber:iq:roster' ver='%" PRIu64 "'>",
               push->version, push->version);
    render_roster_item(push->item, push->removed, out);
    buf_append_str(out, "</query></iq>");
}
