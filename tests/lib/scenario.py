"""Read scenarios: plain text that says who sends what, and who receives what (format:
tests/interop/scenarios/README.md). Whatever is not known is an error with its file and line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lib.scenario_pattern import Pattern, PatternError, Words

SUFFIX = ".scenario"
FOLDER = Path(__file__).resolve().parents[1] / "interop" / "scenarios"

NAME = "[A-Z][A-Za-z0-9]*"
HEAD = re.compile(r"(Title|Source|Client|Friends): *(\S.*)")
SOURCE = re.compile(r"(RFC \d{4}|XEP-\d{4}) §\d+(\.\d+)*")
FRIENDS = re.compile(rf"({NAME}) and ({NAME})")
STEP = re.compile(rf"({NAME}) (.*\S)")
PRIORITY = re.compile(r"priority (-?\d{1,3})")
RESOURCE = re.compile(r"resource ([\w.-]+)")
ACCOUNT = re.compile(rf"of ({NAME})")

# What a client may do: the words of the step, and what it then is.
SENDS, RECEIVES, EXACTLY = "sends", "receives", "receives exactly"
ANY_ORDER, EXACTLY_ANY = "receives, in any order", "receives exactly, in any order"
NOTHING, CONNECTS, DISCONNECTS, LOSES, RESUMES = (
    "receives nothing", "connects", "disconnects", "loses the connection", "resumes")
WITH_STANZAS = (SENDS, RECEIVES, EXACTLY, ANY_ORDER, EXACTLY_ANY)
OFFLINE, CONNECTED, LOST = "offline", "connected", "without its connection"
MOVES = {CONNECTS: ((OFFLINE, LOST), CONNECTED), DISCONNECTS: ((CONNECTED,), OFFLINE),
         LOSES: ((CONNECTED,), LOST), RESUMES: ((LOST,), CONNECTED)}


class ScenarioError(Exception):
    """A scenario that cannot be read: file, line and why."""


@dataclass
class Role:
    """A client of a scenario and what it is when the steps begin."""

    name: str
    account: str
    resource: str = ""
    connected: bool = True
    available: bool = False
    interested: bool = False    # has asked for its roster (RFC 6121 §2.1.6)
    priority: int | None = None


@dataclass
class Step:
    """One thing that happens; stanzas are texts to send, or patterns to be received."""

    line: int
    who: str
    verb: str
    texts: list[str] = field(default_factory=list)
    patterns: list[Pattern] = field(default_factory=list)


@dataclass
class Scenario:
    """A file, read."""

    path: Path
    title: str = ""
    source: str = ""
    roles: dict[str, Role] = field(default_factory=dict)
    friends: list[tuple[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def accounts(self) -> list[str]:
        """Everybody's, once each."""
        return list(dict.fromkeys(role.account for role in self.roles.values()))


def files(folder: Path = FOLDER) -> list[Path]:
    """All scenarios of a folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def method_name(path: Path) -> str:
    """The name of the test that plays a file."""
    return "test_" + re.sub(r"\W", "_", path.stem)


def title(path: Path) -> str:
    """What a file says it is about, also when it cannot be read."""
    match = re.search(r"^Title: *(.*)$", path.read_text(), re.MULTILINE)
    return match.group(1) if match else ""


def read(path: Path) -> Scenario:
    """Read a file. ScenarioError: something in it is not known, or cannot be."""
    return _Reader(path, path.read_text()).read()


class _Reader:
    """A file on its way to be a scenario."""

    def __init__(self, path: Path, text: str) -> None:
        self._lines = list(enumerate(text.splitlines(), 1))
        self._scenario = Scenario(path)
        self._states: dict[str, str] = {}
        self._words = Words()
        self._line = 0

    def _error(self, why: str, line: int | None = None) -> ScenarioError:
        return ScenarioError(f"{self._scenario.path.name}:{line or self._line}: {why}")

    def read(self) -> Scenario:
        """Head and steps."""
        lines = [(number, text) for number, text in self._lines if not text.startswith("#")]
        for head, block in _paragraphs(lines):
            self._line, text = head
            if text[0].isspace():
                raise self._error("a stanza that belongs to no step")
            if HEAD.fullmatch(text):
                self._take_head(*HEAD.fullmatch(text).groups())
                if block:
                    raise self._error("nothing may be indented below this", block[0][0])
            else:
                self._take_step(text, block)
        self._check_end()
        return self._scenario

    # ------------------------------------------------------------ the head

    def _take_head(self, word: str, value: str) -> None:
        if self._scenario.steps:
            raise self._error(f"{word} stands above all steps")
        if word == "Title":
            self._set_once("title", value)
        elif word == "Source":
            for part in value.split("; "):
                if not SOURCE.fullmatch(part):
                    raise self._error(f"no source like 'RFC 6121 §8.5' or 'XEP-0198 §5': {part}")
            self._set_once("source", value)
        elif word == "Client":
            self._take_client(value)
        else:
            match = FRIENDS.fullmatch(value)
            if match is None or match.group(1) == match.group(2):
                raise self._error("Friends are 'One and Another'")
            for name in match.groups():
                if name not in self._scenario.accounts:
                    raise self._error(f"no account of {name}")
            self._scenario.friends.append((match.group(1), match.group(2)))

    def _set_once(self, name: str, value: str) -> None:
        if getattr(self._scenario, name):
            raise self._error(f"a second {name}")
        setattr(self._scenario, name, value)

    def _take_client(self, value: str) -> None:
        name, *options = value.split(", ")
        if not re.fullmatch(NAME, name) or name in self._scenario.roles:
            raise self._error(f"not a new name: {name}")
        role = Role(name, name)
        seen: set[str] = set()
        for option in options:
            kind = self._take_option(role, option)
            if kind in seen:
                raise self._error(f"a second word on what {name} is: {option}")
            seen.add(kind)
        if not role.resource or "state" not in seen:
            raise self._error(f"{name} needs a resource, and offline, connected or online")
        if role.priority is not None and not role.available:
            raise self._error("who is not online has no priority")
        if role.interested and not role.connected:
            raise self._error("who is offline has not asked for its roster")
        if any(role.account == other.account and role.resource == other.resource
               for other in self._scenario.roles.values()):
            raise self._error(f"a second {role.resource} of {role.account}")
        self._scenario.roles[name] = role
        self._states[name] = CONNECTED if role.connected else OFFLINE
        self._words.addresses |= {f"{name}.jid", f"{name}.full"}

    def _take_option(self, role: Role, option: str) -> str:
        """The kind of the option."""
        if match := RESOURCE.fullmatch(option):
            role.resource = match.group(1)
            return "resource"
        if match := PRIORITY.fullmatch(option):
            role.priority = int(match.group(1))
            return "priority"
        if match := ACCOUNT.fullmatch(option):
            if match.group(1) not in self._scenario.accounts:
                raise self._error(f"no account of {match.group(1)}")
            role.account = match.group(1)
            return "account"
        if option == "interested":
            role.interested = True
            return option
        if option not in ("offline", "connected", "online"):
            raise self._error(f"not known of a client: {option}")
        role.connected = option != "offline"
        role.available = option == "online"
        return "state"

    # ------------------------------------------------------------ the steps

    def _take_step(self, text: str, block: list[tuple[int, str]]) -> None:
        match = STEP.fullmatch(text)
        if match is None:
            raise self._error(f"not known: {text}")
        who, verb = match.groups()
        if who not in self._states:
            raise self._error(f"no client named {who}")
        has_colon = verb.endswith(":")
        verb = verb.removesuffix(":")
        if verb not in (*WITH_STANZAS, NOTHING, *MOVES):
            raise self._error(f"not known: {who} {verb}")
        if has_colon != (verb in WITH_STANZAS) or bool(block) != has_colon:
            raise self._error("a colon and stanzas below it stand where stanzas are sent or "
                              "received, and nowhere else")
        step = Step(self._line, who, verb)
        self._move(step)
        for line, stanza in _stanzas(block):
            self._take_stanza(step, line, stanza)
        if step.verb in (ANY_ORDER, EXACTLY_ANY) and len(step.patterns) < 2:
            raise self._error("one stanza has no order")
        self._scenario.steps.append(step)

    def _move(self, step: Step) -> None:
        allowed, after = MOVES.get(step.verb, ((CONNECTED,), CONNECTED))
        if self._states[step.who] not in allowed:
            raise self._error(f"{step.who} is {self._states[step.who]}")
        self._states[step.who] = after

    def _take_stanza(self, step: Step, line: int, text: str) -> None:
        try:
            if step.verb == SENDS:
                step.texts.append(self._words.check_text(text))
            else:
                step.patterns.append(Pattern.parse(
                    text, self._words, step.verb in (EXACTLY, EXACTLY_ANY)))
        except PatternError as error:
            raise self._error(str(error), line + error.line - 1) from error

    def _check_end(self) -> None:
        for name in ("title", "source", "roles", "steps"):
            if not getattr(self._scenario, name):
                raise self._error(f"no {name}", len(self._lines))


def _paragraphs(lines: list[tuple[int, str]]
                ) -> Iterator[tuple[tuple[int, str], list[tuple[int, str]]]]:
    """Each line at the margin with the indented lines below it; blank ones inside stay."""
    head: tuple[int, str] | None = None
    block: list[tuple[int, str]] = []
    for number, text in lines:
        if not text.strip():
            if block:
                block.append((number, ""))
        elif text[0].isspace() and head is not None:
            block.append((number, text))
        else:
            if head is not None:
                yield head, block
            head, block = (number, text), []
    if head is not None:
        yield head, block


def _stanzas(block: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Line and text of each stanza: blank lines stand between them."""
    begin, parts = 0, []
    for number, text in [*block, (0, "")]:
        if text:
            begin = begin if parts else number
            parts.append(text)
        elif parts:
            yield begin, "\n".join(parts)
            parts = []
