/* What a user keeps here (XEP-0049, XEP-0054): an IQ set becomes a Keep. */
#include "xmpp/im/request.h"
#include "xmpp/xml/ns.h"

bool request_is_keep(const struct xml_element *payload)
{
    return xml_is(payload, NS_PRIVATE, "query") || xml_is(payload, NS_VCARD, "vCard");
}

/* An empty element is what is answered when nothing is kept. */
static bool is_empty(const struct xml_element *element)
{
    return element->nodes == NULL && element->attributes == NULL;
}

static Pb__Kept *kept_of(struct request *request, Pb__Kept__Kind kind,
                         const struct xml_element *element)
{
    Pb__Kept *kept = arena_alloc(request->arena, sizeof(*kept));
    struct buf bytes = BUF_EMPTY;

    pb__kept__init(kept);
    kept->kind = kind;
    kept->ns = (char *)(uintptr_t)element->ns;
    kept->name = (char *)(uintptr_t)element->name;
    if (!is_empty(element)) {
        struct slice copy;

        xml_write_element(&bytes, element, "");
        copy = arena_copy(request->arena, buf_slice(&bytes));
        kept->element =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)copy.data, .len = copy.len};
        buf_deinit(&bytes);
    }
    return kept;
}

/* XEP-0049 §2.3: elements of a namespace of their own. */
static int collect_private(struct request *request, const struct xml_element *query, Pb__Keep *keep)
{
    for (const struct xml_element *child = query->child; child != NULL; child = child->sibling) {
        if (keep->n_items == STATE_KEEP_MAX || child->ns[0] == '\0' ||
            strcmp(child->ns, NS_PRIVATE) == 0 || strcmp(child->ns, XML_NS_CLIENT) == 0) {
            return ERR_INVALID;
        }
        for (const struct xml_element *other = query->child; other != child;
             other = other->sibling) {
            if (xml_is(other, child->ns, child->name)) {
                return ERR_INVALID;
            }
        }
        keep->items[keep->n_items++] = kept_of(request, PB__KEPT__KIND__PRIVATE, child);
    }
    return keep->n_items == 0 ? ERR_INVALID : 0;
}

void request_keep(struct request *request, const struct xml_element *payload)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Keep keep = PB__KEEP__INIT;
    Pb__Kept *items[STATE_KEEP_MAX];
    int rc = 0;

    if (!request->to_own) { /* XEP-0049 §2.3, XEP-0054 §3.2: nobody else's */
        request_refuse(request, "auth", "forbidden");
        return;
    }
    keep.items = items;
    if (xml_is(payload, NS_VCARD, NULL)) {
        items[keep.n_items++] = kept_of(request, PB__KEPT__KIND__VCARD, payload);
    } else {
        rc = collect_private(request, payload, &keep);
    }
    if (rc != 0) {
        request_refuse(request, "modify", "not-acceptable");
        return;
    }
    keep.from = &request->from;
    keep.iq_id = request->stanza.id;
    keep.iq_lang = request->stanza.lang;
    command.body_case = PB__COMMAND__BODY_KEEP;
    command.keep = &keep;
    request_pack(request, &command);
}
