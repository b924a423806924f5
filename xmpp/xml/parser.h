/* parser - expat, made fit for XMPP: UTF-8 only, no DTD, entity, comment or processing instruction
 * (RFC 6120 §11.1), nothing held back, every tag bounded. The only home of expat.h; its users embed
 * a struct xml_parser and find themselves again with CONTAINER_OF. */
#ifndef XMPP_XML_PARSER_H
#define XMPP_XML_PARSER_H

#include "node/base/err.h"
#include "node/base/slice.h"
#include "xmpp/xml/limits.h"

#include <expat.h>

struct xml_parser;

/* Called while parsing; none is called after xml_parser_fail(). */
struct xml_parser_sink {
    void (*start)(struct xml_parser *parser, const char *name, const char **attributes);
    void (*end)(struct xml_parser *parser);
    void (*text)(struct xml_parser *parser, struct slice text);
    /* Default namespace declared on the element whose start follows; NULL: not wanted. */
    void (*default_ns)(struct xml_parser *parser, const char *uri);
};

enum xml_parser_status { XML_PARSER_HUNGRY, XML_PARSER_SUSPENDED, XML_PARSER_FAILED };

struct xml_parser {
    XML_Parser expat;
    const struct xml_parser_sink *sink;
    const struct xml_limits *limits; /* borrowed, may change */
    uint64_t token_start; /* offset of the token being reported, from the first byte fed */
    uint64_t token_end;   /* one past it; what lies behind has not been understood yet */
    uint64_t fed;
    int error; /* 0 or what xml_parser_fail() was told */
    const char *condition;
};

void xml_parser_init(struct xml_parser *parser, const struct xml_parser_sink *sink,
                     const struct xml_limits *limits);
void xml_parser_deinit(struct xml_parser *parser);
enum xml_parser_status xml_parser_feed(struct xml_parser *parser, struct slice bytes);
/** Go on after SUSPENDED. */
enum xml_parser_status xml_parser_resume(struct xml_parser *parser);
/** From a sink: stop behind the current token. */
void xml_parser_suspend(struct xml_parser *parser);
/** From a sink: refuse the stream. condition: RFC 6120 §4.9.3, a literal. */
void xml_parser_fail(struct xml_parser *parser, int rc, const char *condition);

#endif
