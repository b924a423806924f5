/* ns - the namespaces of XMPP that more than one place names. */
#ifndef XMPP_XML_NS_H
#define XMPP_XML_NS_H

#define NS_TLS           "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL          "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_BIND          "urn:ietf:params:xml:ns:xmpp-bind"
#define NS_SESSION       "urn:ietf:params:xml:ns:xmpp-session"
#define NS_STREAM_ERRORS "urn:ietf:params:xml:ns:xmpp-streams"
#define NS_STANZA_ERRORS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define NS_ROSTER        "jabber:iq:roster"
#define NS_ROSTER_VER    "urn:xmpp:features:rosterver"
#define NS_PRE_APPROVAL  "urn:xmpp:features:pre-approval"
#define NS_DISCO_INFO    "http://jabber.org/protocol/disco#info"
#define NS_DISCO_ITEMS   "http://jabber.org/protocol/disco#items"
#define NS_CARBONS       "urn:xmpp:carbons:2"
#define NS_CAPS          "http://jabber.org/protocol/caps"
#define NS_PRIVATE       "jabber:iq:private"
#define NS_VCARD         "vcard-temp"
#define NS_VERSION       "jabber:iq:version"
#define NS_PING          "urn:xmpp:ping"
#define NS_FORM          "jabber:x:data"
#define NS_TIME          "urn:xmpp:time"
#define NS_SM            "urn:xmpp:sm:3"
#define NS_STANZA_ID     "urn:xmpp:sid:0"

#endif
