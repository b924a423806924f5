/* xml - elements, the stream reader and the writer; see the three headers. */
#ifndef XMPP_XML_XML_H
#define XMPP_XML_XML_H

#include "xmpp/xml/element.h"
#include "xmpp/xml/reader.h"
#include "xmpp/xml/writer.h"

#endif
