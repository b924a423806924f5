#include "node/base/jid.h"

#include "node/base/assert.h"
#include "node/base/utf8.h"

#include <arpa/inet.h>
#include <idn-free.h>
#include <idna.h>
#include <stdio.h>
#include <stringprep.h>

/* The limit of a part counts after preparation (RFC 6122 §2.3), which may shorten it; but longer
 * input that no person types costs milliseconds, for stringprep writes a character anew for each
 * one that it replaces: what is too long at first is refused unread. */
#define PART_WORK_BYTES_MAX (4 * JID_PART_BYTES_MAX) /* it may also grow on the way */
#define LABEL_BYTES_MAX     63                       /* RFC 1035 §2.3.4 */
#define DNS_NAME_BYTES_MAX  253                      /* the same, as text without the final dot */

static bool is_lower_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Every printable ASCII character passes a profile but those in prohibited, upper case is folded on
 * request: what Nodeprep, Resourceprep and SASLprep do to ASCII, without their tables. */
static int prep_ascii(struct slice text, const char *prohibited, bool fold, char *out)
{
    if (text.len == 0 || text.len > JID_PART_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c < 0x20 || c == 0x7f || strchr(prohibited, c) != NULL) {
            return ERR_MALFORMED;
        }
        out[i] = (char)(fold && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out[text.len] = '\0';
    return 0;
}

static int prep_unicode(struct slice text, const Stringprep_profile *profile,
                        Stringprep_profile_flags flags, char out[JID_PART_BYTES_MAX + 1])
{
    char work[PART_WORK_BYTES_MAX + 1];
    size_t len;

    if (text.len > JID_PART_BYTES_MAX || !utf8_valid_text(text)) {
        return ERR_MALFORMED;
    }
    memcpy(work, text.data, text.len);
    work[text.len] = '\0';
    if (stringprep(work, sizeof(work), flags, profile) != STRINGPREP_OK) {
        return ERR_MALFORMED;
    }
    len = strlen(work);
    if (len == 0 || len > JID_PART_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    memcpy(out, work, len + 1);
    return 0;
}

int jid_prep_local(struct slice text, char out[JID_PART_BYTES_MAX + 1])
{
    if (utf8_is_ascii(text)) {
        return prep_ascii(text, " \"&'/:<>@", true, out); /* RFC 6122 §A.5 */
    }
    return prep_unicode(text, stringprep_xmpp_nodeprep, STRINGPREP_NO_UNASSIGNED, out);
}

/* Code points that Unicode 3.2 did not know are let through, as in a query (RFC 3454 §7): resources
 * and nicknames hold emoji, and nothing is stored under them that outlives a session. */
int jid_prep_resource(struct slice text, char out[JID_PART_BYTES_MAX + 1])
{
    if (utf8_is_ascii(text)) {
        return prep_ascii(text, "", false, out);
    }
    return prep_unicode(text, stringprep_xmpp_resourceprep, 0, out);
}

int jid_saslprep(struct slice text, struct buf *out)
{
    char work[PART_WORK_BYTES_MAX + 1];
    int rc;

    if (text.len > JID_SASLPREP_BYTES_MAX || !utf8_valid_text(text)) {
        return ERR_MALFORMED;
    }
    if (text.len > 0) {
        memcpy(work, text.data, text.len);
    }
    work[text.len] = '\0';
    rc = stringprep(work, sizeof(work), STRINGPREP_NO_UNASSIGNED, stringprep_saslprep);
    if (rc == STRINGPREP_OK) {
        buf_append_str(out, work);
    }
    explicit_bzero(work, sizeof(work)); /* it may be a password */
    return rc == STRINGPREP_OK ? 0 : ERR_MALFORMED;
}

/* Bytes of the label separator at the front of text, 0 if there is none (RFC 3490 §3.1). */
static size_t separator_len(struct slice text)
{
    if (text.len >= 1 && text.data[0] == '.') {
        return 1;
    }
    return slice_starts_with(text, slice_str("\u3002")) ||
                   slice_starts_with(text, slice_str("\uff0e")) ||
                   slice_starts_with(text, slice_str("\uff61"))
               ? 3
               : 0;
}

static size_t label_len(struct slice text)
{
    size_t at = 0;

    while (at < text.len && separator_len(slice_sub(text, at, text.len)) == 0) {
        at++;
    }
    return at;
}

/* A label that every step of IDNA leaves as it is. */
static bool label_is_plain(struct slice label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MAX || label.data[0] == '-' ||
        label.data[label.len - 1] == '-' || slice_starts_with(label, slice_str("xn--"))) {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!is_lower_alnum(label.data[i]) && label.data[i] != '-') {
            return false;
        }
    }
    return true;
}

/* ToASCII must be possible (RFC 6122 §2.2). Appends the name as DNS would carry it to ascii. */
static int label_to_ascii(const char *prepared, char ascii[LABEL_BYTES_MAX + 1])
{
    size_t count;
    uint32_t *points = stringprep_utf8_to_ucs4(prepared, -1, &count);
    int rc;

    if (points == NULL) {
        return ERR_MALFORMED;
    }
    rc = idna_to_ascii_4i(points, count, ascii, IDNA_USE_STD3_ASCII_RULES);
    idn_free(points);
    return rc == IDNA_SUCCESS ? 0 : ERR_MALFORMED;
}

/* An ACE label stands for the internationalized one, which is what XMPP compares and sends. */
static int label_from_ace(const char *ascii, struct buf *out)
{
    uint32_t points[LABEL_BYTES_MAX + 1];
    uint32_t decoded[4 * LABEL_BYTES_MAX];
    size_t len = strlen(ascii);
    size_t decoded_count = ARRAY_COUNT(decoded);
    char *text;
    int rc;

    for (size_t i = 0; i < len; i++) {
        points[i] = (uint8_t)ascii[i];
    }
    if (idna_to_unicode_44i(points, len, decoded, &decoded_count, IDNA_USE_STD3_ASCII_RULES) !=
        IDNA_SUCCESS) {
        return ERR_MALFORMED;
    }
    text = stringprep_ucs4_to_utf8(decoded, (ssize_t)decoded_count, NULL, NULL);
    if (text == NULL) {
        return ERR_MALFORMED;
    }
    rc = label_len(slice_str(text)) == strlen(text) ? 0 : ERR_MALFORMED; /* a dot in it is none */
    if (rc == 0) {
        buf_append_str(out, text);
    }
    idn_free(text);
    return rc;
}

/* Append the prepared label to out and add the length DNS would give it to *dns_len. */
static int prep_label(struct slice label, struct buf *out, size_t *dns_len)
{
    char prepared[JID_PART_BYTES_MAX + 1];
    char ascii[LABEL_BYTES_MAX + 1];
    int rc;

    if (label_is_plain(label)) {
        buf_append(out, label);
        *dns_len += label.len;
        return 0;
    }
    rc = prep_unicode(label, stringprep_nameprep, STRINGPREP_NO_UNASSIGNED, prepared);
    if (rc != 0) {
        return rc;
    }
    rc = label_to_ascii(prepared, ascii);
    if (rc != 0) {
        return rc;
    }
    *dns_len += strlen(ascii);
    if (strncmp(ascii, "xn--", 4) == 0) {
        return label_from_ace(ascii, out);
    }
    buf_append_str(out, ascii);
    return 0;
}

static int prep_labels(struct slice text, struct buf *out)
{
    size_t dns_len = 0;

    for (;;) {
        size_t len = label_len(text);
        int rc = prep_label(slice_sub(text, 0, len), out, &dns_len);

        if (rc != 0) {
            return rc;
        }
        text = slice_sub(text, len, text.len);
        text = slice_sub(text, separator_len(text), text.len);
        if (text.len == 0) {
            break; /* a final separator was stripped (RFC 6122 §2.2) */
        }
        buf_append_u8(out, '.');
        dns_len++;
    }
    return dns_len <= DNS_NAME_BYTES_MAX ? 0 : ERR_MALFORMED;
}

/* "[" IPv6address "]", in the spelling of RFC 5952. */
static int prep_ipv6(struct slice text, struct buf *out)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr bytes;

    if (text.len < 2 || text.len - 2 >= sizeof(address) || text.data[text.len - 1] != ']') {
        return ERR_MALFORMED;
    }
    memcpy(address, text.data + 1, text.len - 2);
    address[text.len - 2] = '\0';
    if (strlen(address) != text.len - 2 || inet_pton(AF_INET6, address, &bytes) != 1) {
        return ERR_MALFORMED;
    }
    buf_printf(out, "[%s]", inet_ntop(AF_INET6, &bytes, address, sizeof(address)));
    return 0;
}

int jid_prep_domain(struct slice text, char out[JID_PART_BYTES_MAX + 1])
{
    struct buf prepared = BUF_EMPTY;
    int rc;

    if (text.len == 0 || text.len > JID_PART_BYTES_MAX || !utf8_valid_text(text)) {
        return ERR_MALFORMED;
    }
    rc = text.data[0] == '[' ? prep_ipv6(text, &prepared) : prep_labels(text, &prepared);
    if (rc == 0 && buf_len(&prepared) > JID_PART_BYTES_MAX) {
        rc = ERR_MALFORMED;
    }
    if (rc == 0) {
        memcpy(out, buf_text(&prepared), buf_len(&prepared) + 1);
    }
    buf_deinit(&prepared);
    return rc;
}

void jid_domain_to_dns(const char *prepared, char out[JID_PART_BYTES_MAX + 1])
{
    char *ascii = NULL;
    int rc;

    if (prepared[0] == '[') { /* an IPv6 literal */
        (void)snprintf(out, JID_PART_BYTES_MAX + 1, "%s", prepared);
        return;
    }
    rc = idna_to_ascii_8z(prepared, &ascii, IDNA_USE_STD3_ASCII_RULES);
    ASSERT(rc == IDNA_SUCCESS); /* prep_label() has seen that it can be done */
    (void)snprintf(out, JID_PART_BYTES_MAX + 1, "%s", ascii);
    idn_free(ascii);
}

/* Offset of the first byte c, or the length. */
static size_t find(struct slice text, uint8_t c)
{
    const uint8_t *found = text.len == 0 ? NULL : memchr(text.data, c, text.len);

    return found == NULL ? text.len : (size_t)(found - text.data);
}

/* The order of the cuts matters: a resource may hold both separators (RFC 6122 §2.4). */
int jid_parse(struct slice text, struct jid *out)
{
    size_t slash = find(text, '/');
    struct slice bare = slice_sub(text, 0, slash);
    size_t at = find(bare, '@');
    int rc = 0;

    out->local[0] = '\0';
    out->resource[0] = '\0';
    if (slash < text.len) {
        rc = jid_prep_resource(slice_sub(text, slash + 1, text.len), out->resource);
    }
    if (rc == 0 && at < bare.len) {
        rc = jid_prep_local(slice_sub(bare, 0, at), out->local);
        bare = slice_sub(bare, at + 1, bare.len);
    }
    return rc != 0 ? rc : jid_prep_domain(bare, out->domain);
}

void jid_format_bare(const struct jid *jid, struct buf *out)
{
    if (jid->local[0] != '\0') {
        buf_append_str(out, jid->local);
        buf_append_u8(out, '@');
    }
    buf_append_str(out, jid->domain);
}

void jid_format(const struct jid *jid, struct buf *out)
{
    jid_format_bare(jid, out);
    if (jid->resource[0] != '\0') {
        buf_append_u8(out, '/');
        buf_append_str(out, jid->resource);
    }
}

struct slice jid_text_bare(struct slice text)
{
    return slice_sub(text, 0, find(text, '/'));
}

struct slice jid_text_resource(struct slice text)
{
    size_t slash = find(text, '/');

    return slash == text.len ? slice_make(NULL, 0) : slice_sub(text, slash + 1, text.len);
}

struct slice jid_text_domain(struct slice text)
{
    struct slice bare = jid_text_bare(text);
    size_t at = find(bare, '@');

    return at == bare.len ? bare : slice_sub(bare, at + 1, bare.len);
}
