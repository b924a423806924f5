#include "xmpp/xml/parser.h"

#include "node/base/mem.h"
#include "xmpp/xml/builder.h"

#include <strings.h>

static const XML_Memory_Handling_Suite memory_suite = {
    .malloc_fcn = mem_alloc, .realloc_fcn = mem_realloc, .free_fcn = mem_release};

/* Take note of where the current token lies; false when it must not be handled. */
static bool enter_token(struct xml_parser *parser)
{
    if (parser->error != 0) {
        return false; /* expat may report the rest of a token after a stop */
    }
    parser->token_start = (uint64_t)XML_GetCurrentByteIndex(parser->expat);
    parser->token_end = parser->token_start + (uint64_t)XML_GetCurrentByteCount(parser->expat);
    return true;
}

static bool enter_tag(struct xml_parser *parser)
{
    if (!enter_token(parser)) {
        return false;
    }
    if (parser->token_end - parser->token_start > parser->limits->token_bytes_max) {
        xml_parser_fail(parser, ERR_LIMIT, "policy-violation");
        return false;
    }
    return true;
}

static void on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct xml_parser *parser = ctx;

    if (enter_tag(parser)) {
        parser->sink->start(parser, name, attributes);
    }
}

static void on_end(void *ctx, const XML_Char *name)
{
    struct xml_parser *parser = ctx;

    (void)name;
    if (enter_tag(parser)) {
        parser->sink->end(parser);
    }
}

static void on_text(void *ctx, const XML_Char *text, int len)
{
    struct xml_parser *parser = ctx;

    if (enter_token(parser)) {
        parser->sink->text(parser, slice_make(text, (size_t)len));
    }
}

static void on_ns_start(void *ctx, const XML_Char *prefix, const XML_Char *uri)
{
    struct xml_parser *parser = ctx;

    if (parser->error == 0 && prefix == NULL && parser->sink->default_ns != NULL) {
        parser->sink->default_ns(parser, uri == NULL ? "" : uri);
    }
}

static void refuse(struct xml_parser *parser)
{
    if (parser->error == 0) {
        xml_parser_fail(parser, ERR_RESTRICTED, "restricted-xml");
    }
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                       const XML_Char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    refuse(ctx);
}

static void on_comment(void *ctx, const XML_Char *text)
{
    (void)text;
    refuse(ctx);
}

static void on_pi(void *ctx, const XML_Char *target, const XML_Char *data)
{
    (void)target;
    (void)data;
    refuse(ctx);
}

static void on_xml_declaration(void *ctx, const XML_Char *version, const XML_Char *encoding,
                               int standalone)
{
    struct xml_parser *parser = ctx;

    (void)version;
    (void)standalone;
    if (enter_tag(parser) && encoding != NULL && strcasecmp(encoding, "UTF-8") != 0) {
        xml_parser_fail(parser, ERR_INVALID, "unsupported-encoding"); /* RFC 6120 §11.6 */
    }
}

void xml_parser_init(struct xml_parser *parser, const struct xml_parser_sink *sink,
                     const struct xml_limits *limits)
{
    static const XML_Char separator[] = {XML_NS_SEPARATOR, '\0'};
    XML_Parser expat = XML_ParserCreate_MM("UTF-8", &memory_suite, separator);

    ASSERT(expat != NULL);
#ifdef HAVE_XML_REPARSE_DEFERRAL
    (void)XML_SetReparseDeferralEnabled(expat, XML_FALSE); /* or stanzas come late: token_bytes_max
                                                              bounds the work that this costs */
#endif
    XML_SetUserData(expat, parser);
    XML_SetElementHandler(expat, on_start, on_end);
    XML_SetCharacterDataHandler(expat, on_text);
    XML_SetStartNamespaceDeclHandler(expat, on_ns_start);
    XML_SetStartDoctypeDeclHandler(expat, on_doctype);
    XML_SetCommentHandler(expat, on_comment);
    XML_SetProcessingInstructionHandler(expat, on_pi);
    XML_SetXmlDeclHandler(expat, on_xml_declaration);
    *parser = (struct xml_parser){.expat = expat, .sink = sink, .limits = limits};
}

void xml_parser_deinit(struct xml_parser *parser)
{
    XML_ParserFree(parser->expat);
    parser->expat = NULL;
}

static void fail_by_expat(struct xml_parser *parser)
{
    switch (XML_GetErrorCode(parser->expat)) {
    case XML_ERROR_UNDEFINED_ENTITY: /* without a DTD: any but the five predefined ones */
        parser->error = ERR_RESTRICTED;
        parser->condition = "restricted-xml";
        break;
    case XML_ERROR_UNKNOWN_ENCODING:
    case XML_ERROR_INCORRECT_ENCODING:
        parser->error = ERR_INVALID;
        parser->condition = "unsupported-encoding";
        break;
    default: /* undeclared prefixes too: RFC 6120 §4.9.3.13 names XML-NAMES */
        parser->error = ERR_MALFORMED;
        parser->condition = "not-well-formed";
        break;
    }
}

static enum xml_parser_status settle(struct xml_parser *parser, enum XML_Status status)
{
    if (status == XML_STATUS_ERROR && parser->error == 0) {
        fail_by_expat(parser);
    }
    if (parser->error != 0) {
        return XML_PARSER_FAILED;
    }
    if (status == XML_STATUS_SUSPENDED) {
        return XML_PARSER_SUSPENDED;
    }
    if (parser->fed - parser->token_end > parser->limits->token_bytes_max) {
        parser->error = ERR_LIMIT;
        parser->condition = "policy-violation";
        return XML_PARSER_FAILED;
    }
    return XML_PARSER_HUNGRY;
}

/* Expat takes a document for UTF-16 by its first two bytes, whatever encoding it was told, so they
 * are looked at here (RFC 6120 §11.6): '<', space or the mark that UTF-8 may begin with, then no
 * NUL. */
static bool starts_as_utf8(struct xml_parser *parser, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len && parser->fed + i < 2; i++) {
        uint8_t c = bytes.data[i];

        if (c == 0 || (parser->fed + i == 0 && (c == 0xfe || c == 0xff))) {
            xml_parser_fail(parser, ERR_INVALID, "unsupported-encoding");
            return false;
        }
        if (parser->fed + i == 0 && strchr("<\xef \t\r\n", c) == NULL) {
            xml_parser_fail(parser, ERR_MALFORMED, "not-well-formed");
            return false;
        }
    }
    return true;
}

enum xml_parser_status xml_parser_feed(struct xml_parser *parser, struct slice bytes)
{
    ASSERT(bytes.len <= INT32_MAX);
    if (!starts_as_utf8(parser, bytes)) {
        return XML_PARSER_FAILED;
    }
    parser->fed += bytes.len;
    return settle(parser,
                  XML_Parse(parser->expat, (const char *)bytes.data, (int)bytes.len, XML_FALSE));
}

enum xml_parser_status xml_parser_resume(struct xml_parser *parser)
{
    return settle(parser, XML_ResumeParser(parser->expat));
}

void xml_parser_suspend(struct xml_parser *parser)
{
    XML_ParsingStatus status;

    XML_GetParsingStatus(parser->expat, &status);
    if (status.parsing == XML_PARSING) { /* an empty root tag asks twice */
        (void)XML_StopParser(parser->expat, XML_TRUE);
    }
}

void xml_parser_fail(struct xml_parser *parser, int rc, const char *condition)
{
    parser->error = rc;
    parser->condition = condition;
    (void)XML_StopParser(parser->expat, XML_FALSE);
}
