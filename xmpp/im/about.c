/* The blob: 'v' or '-', then field and address of each contact, ended by NUL, in the order of their
 * bytes, field first. */
#include "xmpp/im/about.h"

#include "node/base/assert.h"
#include "xmpp/xml/ns.h"
#include "xmpp/xml/xml.h"

#include <stdlib.h>
#include <string.h>

#define FORM_TYPE "http://jabber.org/network/serverinfo"

#define VERSION_TOLD   'v'
#define VERSION_UNTOLD '-'

/* ---- in */

/* strcmp() compares bytes, as XEP-0115 §5.1 asks for (i;octet). */
static int compare(const void *left, const void *right)
{
    const struct about_contact *one = left;
    const struct about_contact *other = right;
    int order = strcmp(one->field, other->field);

    return order != 0 ? order : strcmp(one->address, other->address);
}

static void append_ended(struct buf *out, const char *text)
{
    buf_append_str(out, text);
    buf_append_u8(out, '\0');
}

struct blob *about_new(bool tells_version, struct about_contact *contacts, size_t count)
{
    struct buf bytes = BUF_EMPTY;
    struct blob *about;

    if (count > 0) {
        qsort(contacts, count, sizeof(*contacts), compare);
    }
    buf_append_u8(&bytes, tells_version ? VERSION_TOLD : VERSION_UNTOLD);
    for (size_t i = 0; i < count; i++) {
        append_ended(&bytes, contacts[i].field);
        append_ended(&bytes, contacts[i].address);
    }
    about = blob_new(buf_slice(&bytes));
    buf_deinit(&bytes);
    return about;
}

/* ---- out */

struct reader {
    const char *at;
    const char *end;
};

static struct reader reader_of(const struct blob *about)
{
    struct slice bytes;

    if (about == NULL) {
        return (struct reader){NULL, NULL};
    }
    bytes = blob_slice(about);
    ASSERT(bytes.len > 0);
    return (struct reader){(const char *)bytes.data + 1, (const char *)bytes.data + bytes.len};
}

static const char *next_text(struct reader *reader)
{
    const char *text = reader->at;

    reader->at += strlen(text) + 1;
    return text;
}

static bool next(struct reader *reader, struct about_contact *contact_out)
{
    if (reader->at == reader->end) {
        return false;
    }
    contact_out->field = next_text(reader);
    contact_out->address = next_text(reader);
    return true;
}

bool about_tells_version(const struct blob *about)
{
    return about == NULL || blob_slice(about).data[0] == VERSION_TOLD;
}

void about_append_form(const struct blob *about, struct buf *out)
{
    struct reader reader = reader_of(about);
    struct about_contact contact;
    const char *field = NULL;

    while (next(&reader, &contact)) {
        if (field == NULL) {
            buf_append_str(out, "<x xmlns='" NS_FORM "' type='result'>"
                                "<field var='FORM_TYPE' type='hidden'>"
                                "<value>" FORM_TYPE "</value>");
        }
        if (field == NULL || strcmp(field, contact.field) != 0) {
            field = contact.field;
            buf_append_str(out, "</field><field");
            xml_write_attr(out, "var", field);
            buf_append_str(out, ">");
        }
        xml_write_text_element(out, "value", contact.address);
    }
    buf_append_str(out, field == NULL ? "" : "</field></x>");
}

void about_append_text(const struct blob *about, struct buf *out)
{
    struct reader reader = reader_of(about);
    struct about_contact contact;
    const char *field = NULL;

    while (next(&reader, &contact)) {
        buf_append_str(out, field == NULL ? FORM_TYPE "<" : "");
        if (field == NULL || strcmp(field, contact.field) != 0) {
            field = contact.field;
            buf_printf(out, "%s<", field);
        }
        buf_printf(out, "%s<", contact.address);
    }
}
