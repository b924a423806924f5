"""What a node announces is what docs/compliance.md says, no more and no less."""

import asyncio
import xml.etree.ElementTree as ET

from tests.interop.scene import InteropTest
from tests.lib.cluster import PASSWORD
from tests.lib.xmpp_stream import XmppStream
from tools import compliance

TEXT = (compliance.ROOT / compliance.TABLE).read_text()
DISCO = "http://jabber.org/protocol/disco#info"
FEATURE = f"{{{DISCO}}}feature"
OF_RFC = {"urn:ietf:params:xml:ns:xmpp-tls", "urn:ietf:params:xml:ns:xmpp-sasl",
          "urn:ietf:params:xml:ns:xmpp-bind", "urn:ietf:params:xml:ns:xmpp-session",
          "urn:xmpp:features:rosterver", "urn:xmpp:features:pre-approval"}  # RFC 6120, 6121, 3921
ROSTER = "jabber:iq:roster"  # RFC 6121


def namespace(element: ET.Element) -> str:
    """Of an element."""
    return element.tag[1:].partition("}")[0]


class Compliance(InteropTest):
    """Of a node, compared with the document."""

    async def features(self, jid: str) -> set[str]:
        """What disco#info says of an address of the cluster."""
        alice = await self.person("alice", 1)
        answer = await alice.client.xmpp["xep_0030"].get_info(jid=jid or alice.jid)
        return {feature.get("var", "") for feature in answer.xml.iter(FEATURE)}

    async def test_server(self) -> None:
        """The domain."""
        self.assertEqual(compliance.announced(TEXT, "server") | {ROSTER},
                         await self.features(self.cluster.cluster.domain))

    async def test_account(self) -> None:
        """An account, asked by itself."""
        self.assertEqual(compliance.announced(TEXT, "account"), await self.features(""))

    async def test_streams(self) -> None:
        """Before a login and behind it."""
        stream = XmppStream(self.cluster.cluster.domain, self.cluster.cluster.ca)
        await stream.connect(self.cluster.addresses(1)[0])
        seen = [stream.features]
        jid = await asyncio.to_thread(self.account, "bob")
        await stream.authenticate(jid.split("@")[0], PASSWORD, None)
        seen.append(stream.features)
        await stream.close()
        self.assertEqual(compliance.announced(TEXT, "stream"),
                         {namespace(child) for features in seen for child in features} - OF_RFC)
