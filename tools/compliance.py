"""What docs/compliance.md says, and the DOAP file that is made of it (XEP-0453)."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

ROOT = Path(__file__).resolve().parents[1]
TABLE = "docs/compliance.md"
DOAP = "docs/muster.doap"
CODE = re.compile(r"`([^`]+)`")
PLACE = re.compile(r"(server|account|stream): ((?:`[^`]+` ?)+)")
VERSION = re.compile(r"project\(muster VERSION (\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Xep:
    """A row of the table of XEPs."""

    number: str
    name: str
    version: str
    status: str
    served: str
    left_out: str
    announced: dict[str, list[str]]  # place -> features or namespaces
    tests: list[str]


def rows(text: str, head: str) -> list[list[str]]:
    """The cells below the row that begins with a head."""
    lines = iter(text.splitlines())
    found = []
    for line in lines:
        if line.startswith(f"| {head} "):
            next(lines)  # the rule below it
            break
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def xeps(text: str) -> list[Xep]:
    """What is served."""
    found = []
    for number, name, version, status, served, left_out, announced, tests in rows(
            text, "XEP | name | version"):
        found.append(Xep(number, name, version, status, served, left_out,
                         {place: CODE.findall(names) for place, names in
                          PLACE.findall(announced)}, CODE.findall(tests)))
    return found


def rfcs(text: str) -> dict[str, list[str]]:
    """Number and tests of what is served."""
    return {number: CODE.findall(tests) for number, _, _, tests in rows(text, "RFC")}


def named(text: str) -> list[str]:
    """XEPs that are named, and not served."""
    return [number for number, _, _ in rows(text, "XEP | name | why it is named")]


def announced(text: str, place: str) -> set[str]:
    """All that a place announces."""
    return {name for xep in xeps(text) for name in xep.announced.get(place, [])}


def _supported(xep: Xep, since: str) -> str:
    note = xep.served if not xep.left_out else f"{xep.served}. Left out: {xep.left_out}"
    about = quoteattr(f"https://xmpp.org/extensions/xep-{xep.number}.html")
    return f"""    <implements>
      <xmpp:SupportedXep>
        <xmpp:xep rdf:resource={about}/>
        <xmpp:status>{escape(xep.status)}</xmpp:status>
        <xmpp:version>{escape(xep.version)}</xmpp:version>
        <xmpp:since>{escape(since)}</xmpp:since>
        <xmpp:note xml:lang="en">{escape(note.replace("`", ""))}</xmpp:note>
      </xmpp:SupportedXep>
    </implements>
"""


def doap(root: Path) -> str:
    """The file that stands in docs."""
    text = (root / TABLE).read_text()
    version = VERSION.search((root / "CMakeLists.txt").read_text())
    assert version is not None
    standards = "".join(f'    <implements rdf:resource="https://xmpp.org/rfcs/rfc{number}.html"/>\n'
                        for number in rfcs(text))
    supported = "".join(_supported(xep, version[1]) for xep in xeps(text))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns="http://usefulinc.com/ns/doap#"
         xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
         xmlns:xmpp="https://linkmauve.fr/ns/xmpp-doap#">
  <Project>
    <name>Muster</name>
    <shortdesc xml:lang="en">A clustered, highly available presence and messaging node</shortdesc>
    <programming-language>C</programming-language>
    <os>Linux</os>
    <category rdf:resource="https://linkmauve.fr/ns/xmpp-doap#category-server"/>
{standards}{supported}  </Project>
</rdf:RDF>
"""
