/* limits - what a stranger may send; part of reader.h's contract. */
#ifndef XMPP_XML_LIMITS_H
#define XMPP_XML_LIMITS_H

#include <stdint.h>

/* Zero stands for the default. */
struct xml_limits {
    uint32_t stanza_bytes_max; /* from '<' of the first to '>' of the last tag, and once more for
                                  the namespaces that its prefixes stand for; default 256 KiB */
    uint32_t token_bytes_max;  /* one tag with its attributes; an unfinished one is scanned again
                                  with every piece that comes, so keep it small; default 16 KiB */
    uint32_t depth_max;        /* elements inside each other, a stanza counts as one; default 32 */
    uint32_t elements_max;     /* in one stanza: each takes memory beyond its bytes; default 4096 */
    uint32_t attributes_max;   /* on one element, xmlns ones apart; default 64 */
    uint32_t name_bytes_max;   /* of an element, attribute or namespace; written out, a namespace is
                                  repeated where a prefix stood, so it must be short; default 256 */
    uint32_t value_bytes_max;  /* of one attribute; default 8 KiB */
};

/** Copy limits with zeros filled in; NULL: all defaults. */
struct xml_limits xml_limits_complete(const struct xml_limits *limits);

#endif
