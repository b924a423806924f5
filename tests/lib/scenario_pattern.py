"""Stanzas in scenarios: texts to send and patterns of what is received, with {words} in both."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

CLIENT_NS = "jabber:client"
STANZAS = {f"{{{CLIENT_NS}}}{name}" for name in ("message", "presence", "iq")}
WORD = re.compile(r"\{([^{}]*)\}")
BRACE = re.compile(r"[{}]")
REMEMBERED = re.compile(r"(\w+) as ([a-z]\w*)")
BETWEEN_TAGS = re.compile(r">\s*\n\s*<")
SHOWN_MAX = 1000

# What a value may be by its kind. A time is one of XEP-0082 §3.2 in UTC.
KINDS = {
    "any": r"(?s:.*)",
    "id": r"\S+",
    "number": r"\d+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
}
ABSENT = "{none}"
IS_ABSENT = re.compile(r"=(['\"])\{none\}\1")


class PatternError(Exception):
    """What stands in a scenario is no stanza, or has a word that is not known there."""

    def __init__(self, why: str, line: int = 1) -> None:
        super().__init__(why)
        self.line = line  # within the stanza


class Mismatch(Exception):
    """Why a stanza is not the one that is wanted."""


@dataclass
class Words:
    """What may stand in braces: addresses, and what earlier stanzas left."""

    addresses: set[str] = field(default_factory=lambda: {"server"})
    remembered: set[str] = field(default_factory=set)

    def check_text(self, text: str) -> str:
        """The text of a stanza to be sent, without the whitespace of its layout."""
        _parse(text)
        for word, line in _words(text):
            if word not in self.addresses | self.remembered:
                raise PatternError(f"no value for {{{word}}}", line)
        return BETWEEN_TAGS.sub("><", text.strip())

    def check_pattern(self, text: str) -> None:
        """Words of a pattern; what it remembers is known from the next stanza on."""
        new: set[str] = set()
        if ABSENT in IS_ABSENT.sub("", text):
            raise PatternError(f"{ABSENT} is what an attribute may be, and no part of a value")
        for word, line in _words(text):
            match = REMEMBERED.fullmatch(word)
            if match is None:
                if word not in {*self.addresses, *self.remembered, *KINDS, ABSENT[1:-1]}:
                    raise PatternError(f"not known: {{{word}}}", line)
            elif match.group(1) not in KINDS:
                raise PatternError(f"no kind of value: {match.group(1)}", line)
            elif match.group(2) in self.remembered | new | set(KINDS):
                raise PatternError(f"a second {match.group(2)}", line)
            else:
                new.add(match.group(2))
        self.remembered |= new


def _words(text: str) -> list[tuple[str, int]]:
    """The words in braces with their lines. PatternError: a brace without its other one."""
    for number, line in enumerate(text.splitlines(), 1):
        if BRACE.search(WORD.sub("", line)):
            raise PatternError("a brace stands alone", number)
    return [(match.group(1), text.count("\n", 0, match.start()) + 1)
            for match in WORD.finditer(text)]


def _parse(text: str) -> ET.Element:
    """One stanza of a client's stream."""
    try:
        root = ET.fromstring(f"<stream xmlns='{CLIENT_NS}'>{text}</stream>")
    except ET.ParseError as error:
        raise PatternError(f"no XML: {error}", error.position[0]) from error
    if len(root) != 1 or (root.text or "").strip() or (root[0].tail or "").strip():
        raise PatternError("one stanza, and a blank line between two")
    if root[0].tag not in STANZAS:
        raise PatternError(f"no stanza: {root[0].tag}")
    return root[0]


def filled(text: str, values: dict[str, str]) -> str:
    """A text to be sent, with its values."""
    return WORD.sub(lambda match: escape(values[match.group(1)], {"'": "&apos;", '"': "&quot;"}),
                    text)


def shown(element: ET.Element) -> str:
    """A stanza for whoever reads a failure."""
    ET.register_namespace("", CLIENT_NS)
    text = ET.tostring(element, encoding="unicode")
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."


@dataclass
class Pattern:
    """What a stanza has to be.

    Attributes, children and texts that it names must be there; others do not matter. But a
    stanza's type that it does not name must be absent, for that is a type, too. An exact pattern
    names all children, in their order, with all their attributes and texts. What it names is
    looked for in its order, and what is found is taken: `{any}` first may take what a later one
    needs, and then nothing matches.
    """

    text: str
    element: ET.Element
    exact: bool = False

    @classmethod
    def parse(cls, text: str, words: Words, exact: bool = False) -> "Pattern":
        """A pattern as it stands in a file. PatternError: it is none."""
        element = _parse(text)
        words.check_pattern(text)
        return cls(" ".join(text.split()), element, exact)

    def match(self, stanza: ET.Element, values: dict[str, str]) -> dict[str, str]:
        """The values with what this one remembers. Mismatch: it is another stanza."""
        if stanza.tag == self.element.tag and "type" not in self.element.attrib and (
                "type" in stanza.attrib):
            raise Mismatch(f"type {stanza.get('type')!r} instead of none")
        return self._match(self.element, stanza, dict(values), is_stanza=True)

    def _match(self, wanted: ET.Element, seen: ET.Element, values: dict[str, str],
               is_stanza: bool = False) -> dict[str, str]:
        if wanted.tag != seen.tag:
            raise Mismatch(f"{seen.tag} instead of {wanted.tag}")
        for name, value in wanted.attrib.items():
            if value != ABSENT or name in seen.attrib:
                _match_value(f"{name} of {_local(seen)}", value, seen.get(name), values)
        if self.exact and not is_stanza and set(seen.attrib) - set(wanted.attrib):
            raise Mismatch(f"{_local(seen)} has {set(seen.attrib) - set(wanted.attrib)}")
        text = (wanted.text or "").strip()
        if text or (self.exact and not is_stanza):
            _match_value(f"text of {_local(seen)}", text, (seen.text or "").strip(), values)
        return self._match_children(wanted, seen, values)

    def _match_children(self, wanted: ET.Element, seen: ET.Element,
                        values: dict[str, str]) -> dict[str, str]:
        left = list(seen)
        if self.exact and len(left) != len(wanted):
            raise Mismatch(f"{_local(seen)} has {[_local(child) for child in left]} instead of "
                           f"{[_local(child) for child in wanted]}")
        for child in wanted:
            values, found = self._find(child, left[:1] if self.exact else left, values)
            left.remove(found)
        return values

    def _find(self, wanted: ET.Element, among: list[ET.Element],
              values: dict[str, str]) -> tuple[dict[str, str], ET.Element]:
        why = f"no {wanted.tag}"
        for child in among:
            try:
                return self._match(wanted, child, dict(values)), child
            except Mismatch as error:
                if child.tag == wanted.tag or self.exact:
                    why = str(error)
        raise Mismatch(why)


def _local(element: ET.Element) -> str:
    return element.tag.split("}")[-1]


def _match_value(what: str, wanted: str, seen: str | None, values: dict[str, str]) -> None:
    """Adds to values what is remembered."""
    regex, names = "", []
    end = 0
    for match in WORD.finditer(wanted):
        regex += re.escape(wanted[end:match.start()])
        end = match.end()
        remembered = REMEMBERED.fullmatch(match.group(1))
        if remembered is not None:
            names.append(remembered.group(2))
            regex += f"(?P<{names[-1]}>{KINDS[remembered.group(1)]})"
        else:
            word = match.group(1)
            regex += KINDS[word] if word in KINDS else re.escape(values.get(word, "{none}"))
    regex += re.escape(wanted[end:])
    found = None if seen is None else re.fullmatch(regex, seen)
    if found is None:
        readable = WORD.sub(lambda match: values.get(match.group(1), match.group(0)), wanted)
        raise Mismatch(f"{what} is {seen!r} instead of {readable!r}")
    values.update({name: found.group(name) for name in names})
