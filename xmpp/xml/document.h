/* document - a file, however long, as elements: containers are opened and closed, what is in them
 * comes as whole trees or is passed over, as its user says of each tag. With the rules of streams:
 * UTF-8, no DTD, comment or processing instruction, every tag and tree bounded. */
#ifndef XMPP_XML_DOCUMENT_H
#define XMPP_XML_DOCUMENT_H

#include "node/base/err.h"
#include "xmpp/xml/element.h"
#include "xmpp/xml/limits.h"

enum xml_document_choice {
    XML_DOCUMENT_OPEN, /* a container: its children come one by one */
    XML_DOCUMENT_TREE, /* it is wanted whole */
    XML_DOCUMENT_SKIP  /* with all that is in it */
};

#define XML_DOCUMENT_OPEN_MAX 16 /* containers inside each other */

/* Elements live until the call returns. open(), tree() and close() say 0, or an error of the user's
 * own, which ends the document. */
struct xml_document_sink {
    /** A tag inside depth containers, without its children. */
    enum xml_document_choice (*choose)(void *ctx, unsigned depth, const struct xml_element *tag);
    int (*open)(void *ctx, unsigned depth, const struct xml_element *tag);
    int (*tree)(void *ctx, unsigned depth, const struct xml_element *element);
    int (*close)(void *ctx, unsigned depth);
    /** Inside depth containers there is an element beyond the limits: it is passed over with all
     * that is in it. The root is not: the document ends with ERR_LIMIT. */
    void (*too_large)(void *ctx, unsigned depth);
};

struct xml_document;

/** limits: stanza_bytes_max is for each tree. A tag beyond token_bytes_max ends the document. */
struct xml_document *xml_document_new(const struct xml_document_sink *sink, void *ctx,
                                      const struct xml_limits *limits);
void xml_document_free(struct xml_document **document);
/** The next bytes, cut anywhere. 0, ERR_MALFORMED, ERR_LIMIT, ERR_RESTRICTED, ERR_INVALID, or what
 * the user said; every later call returns the same. */
NODISCARD int xml_document_feed(struct xml_document *document, struct slice bytes);
/** There is no more. ERR_MALFORMED: it is not complete. */
NODISCARD int xml_document_end(const struct xml_document *document);
/** Where it is now: a line of the document, from 1. */
uint64_t xml_document_line(const struct xml_document *document);

#endif
