"""The judge finds what is planted, exactly that, and nothing in a history without a fault.

Method: a long history as an ideal cluster would give it (story.py); one fault of each kind is put
into it at a place by chance, and must be the one finding, with its line as evidence.
"""

import copy
import dataclasses
import random
import tempfile
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.chaos.story import LEASE_S, Story, tell
from tools.trial import history
from tools.trial.history import (Acked, Event, FinalNode, FinalSession, Got, Online, Operation,
                                 PresenceSeen, RosterPush, Sent)
from tools.trial.judge import COUNTS, Verdict, judge, judge_events, lines_of

SEEDS = range(6)
STEPS = 500
Planted = tuple[list[Event], int]  # the events, and the place of what was planted; -1: was removed


def between(before: Event, after: Event) -> float:
    """A time in the middle."""
    return (before.t + after.t) / 2


def put_after(events: list[Event], place: int, event: Event) -> Planted:
    """Insert one event behind that at the place."""
    event.t = between(events[place], events[place + 1])
    return events[:place + 1] + [event] + events[place + 1:], place + 1


def places(events: list[Event], kind: type[Event], chance: random.Random,
           fits: Callable[[int], bool] = lambda place: True) -> Iterator[int]:
    """Where such an event is, in any order."""
    found = [place for place, event in enumerate(events[:-1]) if isinstance(event, kind)]
    chance.shuffle(found)
    return (place for place in found if fits(place))


def same(event: Event, other: Event, *names: str) -> bool:
    """Are they of one kind, with the same fields of these names?"""
    return type(event) is type(other) and all(
        getattr(event, name) == getattr(other, name) for name in names)


def told_later(events: list[Event], place: int) -> bool:
    """Is the same session told of the same address again?"""
    return any(same(events[place], later, "session", "source") for later in events[place + 1:])


# ---------------------------------------------------------------- what is planted

def lose(events: list[Event], chance: random.Random) -> Planted:
    """A message does not come, to any device."""
    for place in places(events, Got, chance):
        got = events[place]
        rest = [event for event in events if event is got or not same(event, got, "sender",
                                                                      "number")]
        if len(rest) == len(events):
            return events[:place] + events[place + 1:], -1
    raise LookupError


def lose_at_one_device(events: list[Event], chance: random.Random) -> Planted:
    """A message to an account comes to one of its devices alone; another one, which the server is
    known to show, gets a later one of the same sender."""
    sent = {(event.client, event.number): event for event in events if isinstance(event, Sent)}
    for place in places(events, Got, chance):
        got = events[place]
        assert isinstance(got, Got)
        message = sent[got.sender, got.number]
        shown = any(isinstance(event, Acked) and event.session == got.session
                    and is_settled(events, event) for event in events[:events.index(message)])
        later = any(isinstance(event, Got) and event.session == got.session
                    and event.sender == got.sender and event.number > got.number
                    and sent[event.sender, event.number].session == message.session
                    for event in events[place:])
        others = any(event is not got and same(event, got, "sender", "number")
                     for event in events)
        if shown and later and others and message.to == got.account:
            return events[:place] + events[place + 1:], -1
    raise LookupError


def repeat(events: list[Event], chance: random.Random) -> Planted:
    """It comes twice in a row."""
    place = next(places(events, Got, chance))
    return put_after(events, place, copy.copy(events[place]))


def repeat_after_resume(events: list[Event], chance: random.Random) -> Planted:
    """It comes again when its session was resumed."""
    for place in places(events, Online, chance):
        online = events[place]
        assert isinstance(online, Online)
        for earlier in reversed(events[:place]):
            if (online.how == "resume" and isinstance(earlier, Got)
                    and earlier.session == online.session):
                return put_after(events, place, dataclasses.replace(
                    earlier, connection=online.connection, node=online.node))
    raise LookupError


def is_settled(events: list[Event], acked: Acked) -> bool:
    """Was what it covers written when its connection was no longer new?"""
    begins = [event.t for event in events if isinstance(event, Online)
              and event.connection == acked.connection]
    written = [event.t for event in events if isinstance(event, Sent)
               and event.client == acked.client and event.number == acked.numbers[-1]]
    return written[-1] > begins[0] + 6


def repeat_to_later_session(events: list[Event], chance: random.Random) -> Planted:
    """It comes again to the next session, though that before had long acknowledged it."""
    for place in places(events, Online, chance):
        online = events[place]
        assert isinstance(online, Online)
        acked = [event for event in events[:place] if isinstance(event, Acked)
                 and event.client == online.client and event.session != online.session
                 and is_settled(events[:place], event)]
        gots = [event for event in events[:place] if isinstance(event, Got) and acked
                and event.session == acked[-1].session and event.t < acked[-1].t - 6]
        if online.how == "login" and gots:
            return put_after(events, place, dataclasses.replace(
                gots[-1], session=online.session, connection=online.connection,
                node=online.node, delay="late"))
    raise LookupError


def reorder(events: list[Event], chance: random.Random) -> Planted:
    """Two messages that were both on their way change places."""
    sent = {(event.client, event.number): event for event in events if isinstance(event, Sent)}
    for place in places(events, Got, chance):
        first = events[place]
        assert isinstance(first, Got)
        for later in range(place + 1, len(events)):
            second = events[later]
            if not isinstance(second, Got) or not same(first, second, "sender", "session"):
                continue
            one, other = (sent[first.sender, got.number] for got in (first, second))
            if (one.number < other.number and other.t < first.t
                    and same(one, other, "to", "session")):
                changed = list(events)
                changed[place] = dataclasses.replace(first, number=second.number)
                changed[later] = dataclasses.replace(second, number=first.number)
                return changed, later
            break
    raise LookupError


def misdeliver(events: list[Event], chance: random.Random) -> Planted:
    """Somebody gets what nobody sent."""
    place = next(places(events, Got, chance))
    got = events[place]
    assert isinstance(got, Got)
    return put_after(events, place, dataclasses.replace(got, number=99999))


def flap(events: list[Event], chance: random.Random) -> Planted:
    """Unavailable of one who is online, and then what is so."""
    for place in places(events, PresenceSeen, chance):
        seen = events[place]
        assert isinstance(seen, PresenceSeen)
        if seen.available and told_later(events, place):
            return put_after(events, place, dataclasses.replace(seen, available=False, status=0))
    raise LookupError


def end_twice(events: list[Event], chance: random.Random) -> Planted:
    """The same end is told twice."""
    for place in places(events, PresenceSeen, chance):
        seen = events[place]
        assert isinstance(seen, PresenceSeen)
        if not seen.available:
            return put_after(events, place, copy.copy(seen))
    raise LookupError


def go_back(events: list[Event], chance: random.Random) -> Planted:
    """An old status after a newer one."""
    for place in places(events, PresenceSeen, chance):
        seen = events[place]
        assert isinstance(seen, PresenceSeen)
        if seen.available and seen.status > 1 and told_later(events, place):
            return put_after(events, place, dataclasses.replace(seen, status=seen.status - 1))
    raise LookupError


def see_the_future(events: list[Event], chance: random.Random) -> Planted:
    """A status before it was set."""
    for place in places(events, PresenceSeen, chance):
        seen = events[place]
        assert isinstance(seen, PresenceSeen)
        later = [event for event in events[place:] if isinstance(event, history.PresenceSet)
                 and event.jid == seen.source and event.available]
        if seen.available and later:
            return put_after(events, place, dataclasses.replace(seen, status=seen.status + 1))
    raise LookupError


def miss_presence(events: list[Event], chance: random.Random) -> Planted:
    """The last that a session was told of an address does not come."""
    final = {event.client: event.session for event in events if isinstance(event, Online)}
    for place in places(events, PresenceSeen, chance):
        seen = events[place]
        assert isinstance(seen, PresenceSeen)
        before = [event for event in events[:place] if same(seen, event, "session", "source")]
        if final[seen.client] == seen.session and not told_later(events, place) and before:
            return events[:place] + events[place + 1:], -1
    raise LookupError


def read_old(events: list[Event], chance: random.Random) -> Planted:
    """A roster is told with an item that it had before."""
    for place in places(events, Operation, chance):
        read = events[place]
        assert isinstance(read, Operation)
        if read.f != "roster-get" or read.phase != "ok":
            continue
        for contact, name in read.value.items():
            key = f"{read.key} {contact}"
            old = [event.value for event in events[:place] if isinstance(event, Operation)
                   and event.key == key and event.phase == "ok" and event.f == "roster-set"]
            if len(old) > 1 and old[-1] == name:
                changed = list(events)
                changed[place] = dataclasses.replace(read, value={**read.value, contact: old[-2]})
                return changed, place
    raise LookupError


def forget_item(events: list[Event], chance: random.Random) -> Planted:
    """A roster item that was set is not there."""
    for place in places(events, Operation, chance):
        read = events[place]
        assert isinstance(read, Operation)
        if read.f == "roster-get" and read.phase == "ok" and read.value:
            changed = list(events)
            rest = dict(read.value)
            rest.popitem()
            changed[place] = dataclasses.replace(read, value=rest)
            return changed, place
    raise LookupError


def push_back(events: list[Event], chance: random.Random) -> Planted:
    """A push tells an older change after a newer one."""
    for place in places(events, RosterPush, chance):
        push = events[place]
        assert isinstance(push, RosterPush)
        old = [event for event in events[:place] if same(push, event, "session", "contact")]
        if old and isinstance(old[-1], RosterPush) and old[-1].name and push.name:
            return put_after(events, place, copy.copy(old[-1]))
    raise LookupError


def differ(events: list[Event], _: random.Random) -> Planted:
    """A node has another hash."""
    place = max(place for place, event in enumerate(events) if isinstance(event, FinalNode))
    changed = list(events)
    changed[place] = dataclasses.replace(changed[place], hash="def")
    return changed, place


def lag(events: list[Event], _: random.Random) -> Planted:
    """A node has not caught up."""
    place = max(place for place, event in enumerate(events) if isinstance(event, FinalNode))
    changed = list(events)
    changed[place] = dataclasses.replace(changed[place], applied=9)
    return changed, place


def haunt(events: list[Event], _: random.Random) -> Planted:
    """A session of somebody who is not there."""
    return events + [FinalSession(events[-1].t, 1, "ghost@a.test/desk", "live", 1)], len(events)


def unlist(events: list[Event], chance: random.Random) -> Planted:
    """A node does not show a session."""
    place = next(places(events, FinalSession, chance))
    return events[:place] + events[place + 1:], -1


PLANTS: list[tuple[str, Callable[[list[Event], random.Random], Planted]]] = [
    ("lost", lose), ("lost", lose_at_one_device), ("repeated", repeat),
    ("repeated", repeat_after_resume),
    ("repeated", repeat_to_later_session), ("reordered", reorder), ("strange", misdeliver),
    ("flaps", flap), ("flaps", end_twice), ("backwards", go_back), ("backwards", see_the_future),
    ("stale", miss_presence), ("not linearizable", read_old), ("not linearizable", forget_item),
    ("not linearizable", push_back), ("hashes", differ), ("not healed", lag), ("ghosts", haunt),
    ("missing", unlist)]


class Long(unittest.TestCase):
    """Long histories."""

    def test_clean(self) -> None:
        """A cluster without a fault: nothing is found, and all was looked at."""
        for seed in SEEDS:
            with self.subTest(seed=seed):
                verdict = judge_events(tell(seed, STEPS).events)
                self.assertEqual([], verdict.findings)
                self.assertTrue(verdict.is_clean())
                self.assertGreater(verdict.told["operations searched"], 20)
                self.assertGreater(verdict.figures.resumes, 5)

    def test_planted(self) -> None:
        """Each fault is the one finding, and its line is named. A history has not always a place
        for each; most have."""
        for count, plant in PLANTS:
            planted = 0
            for seed in SEEDS:
                with self.subTest(count=count, plant=plant.__name__, seed=seed):
                    try:
                        events, place = plant(tell(seed, STEPS).events, random.Random(seed))
                    except LookupError:
                        continue
                    planted += 1
                    verdict = judge_events(events)
                    self.assertEqual([count], [finding.count for finding in verdict.findings],
                                     verdict.findings)
                    if place >= 0:
                        self.assertIn(place + 1, verdict.findings[0].lines)
            self.assertGreater(planted, len(SEEDS) // 2, plant.__name__)

    def test_from_a_file(self) -> None:
        """What is judged from a file is the same; the lines of a finding can be shown."""
        events, place = repeat(tell(1, STEPS).events, random.Random(1))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history"
            with history.Writer(path) as writer:
                for event in events:
                    writer.append(event)
            verdict = judge(path)
            self.assertEqual(1, verdict.counts["repeated"])
            shown = lines_of(path, verdict.findings[0].lines)
            self.assertEqual(history.encode(events[place]), shown[place + 1])


class Small(unittest.TestCase):
    """Histories of a few lines: what is found, and what comes close and must not be."""

    def setUp(self) -> None:
        self.story = Story()
        self.romeo = self.story.client("romeo")
        self.juliet = self.story.client("juliet", node=2)

    def verdict(self) -> Verdict:
        """Of the story so far."""
        return judge_events(self.story.events)

    def expect(self, **counts: int) -> None:
        """These counts, and no other; "_" stands for a blank."""
        wanted = {name.replace("_", " "): count for name, count in counts.items()}
        found = {name: count for name, count in self.verdict().counts.items() if count}
        self.assertEqual(wanted, found, self.verdict().findings)
        self.assertLessEqual(set(wanted), set(COUNTS))

    # ------------------------------------------------------------ messages

    def test_unacknowledged_may_be_lost(self) -> None:
        """Nobody promised that it would come."""
        self.story.sent(self.romeo, self.juliet.account)
        self.story.end()
        self.expect()

    def test_bounced_is_not_lost(self) -> None:
        """Its sender knows."""
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.acked(self.romeo, number)
        self.story.add(history.Bounced(self.story.now(), "romeo", number))
        self.story.end()
        self.expect()

    def test_recipient_gone(self) -> None:
        """Who is not there at the end may still get it: that is not judged, and said."""
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.acked(self.romeo, number)
        self.story.offline(self.juliet)
        self.story.end()
        self.expect()
        self.assertEqual(1, self.verdict().told[
            "messages that may wait for who was away at the end"])

    def test_pending_for_another_device(self) -> None:
        """A device that is detached may have it still; when it is gone for good it is lost."""
        phone = self.story.client("juliet2", resource="phone")
        self.story.offline(phone)
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.acked(self.romeo, number)
        self.story.end()
        self.expect()
        self.assertEqual(1, self.verdict().told[
            "messages that may wait for who was away at the end"])
        self.story.events = [event for event in self.story.events
                             if not isinstance(event, FinalSession) or event.jid != phone.jid]
        self.expect(lost=1)

    def test_lost_to_a_full_address(self) -> None:
        """Another device got it; the one it was for was there all the time."""
        phone = self.story.client("juliet2", resource="phone")
        number = self.story.sent(self.romeo, phone.jid)
        self.story.acked(self.romeo, number)
        self.story.got(self.juliet, "romeo", number)
        self.story.end()
        self.expect(lost=1)

    def test_lost_to_one_device(self) -> None:
        """A device that is there and shown gets what its account gets, whatever the others do; when
        it is known to be shown only afterwards nobody promised that."""
        phone = self.story.client("juliet2", resource="phone")
        self.story.chat(phone, self.romeo)
        self.story.chat(self.romeo, self.juliet)
        self.story.end()
        self.expect(lost=1)
        self.setUp()
        phone = self.story.client("juliet2", resource="phone")
        self.story.chat(self.romeo, self.juliet)
        self.story.chat(phone, self.romeo)
        self.story.end()
        self.expect()

    def test_gap_in_a_session_that_ended(self) -> None:
        """It got a later message. What came neither before its end nor its good-bye is no gap."""
        phone = self.story.client("juliet2", resource="phone")
        self.story.chat(phone, self.romeo)
        self.story.chat(self.romeo, self.juliet)
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.got(self.juliet, "romeo", number)
        later = self.story.got(phone, "romeo", number)
        self.story.show(phone, available=False)
        self.story.offline(phone, "logout")
        self.story.end()
        self.expect(lost=1)
        del self.story.events[later - 1]
        self.expect()
        self.setUp()
        phone = self.story.client("juliet2", resource="phone")
        self.story.chat(phone, self.romeo)
        number = self.story.sent(self.romeo, self.juliet.account)
        later = self.story.sent(self.romeo, phone.jid)
        self.story.show(phone, available=False)
        self.story.got(self.juliet, "romeo", number)
        self.story.got(phone, "romeo", later)
        self.story.offline(phone, "logout")
        self.story.end()
        self.expect()

    def test_again_after_giving_up(self) -> None:
        """What was not acknowledged may come again to the next session, once."""
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.acked(self.romeo, number)
        self.story.got(self.juliet, "romeo", number)
        self.story.offline(self.juliet, "gave-up")
        self.story.online(self.juliet)
        self.story.show(self.juliet)
        self.story.got(self.juliet, "romeo", number, "late")
        self.story.got(self.juliet, "romeo", number, "late")
        self.story.end()
        self.expect(repeated=1)

    def test_two_devices(self) -> None:
        """Each gets a message to the account."""
        phone = self.story.client("juliet2", resource="phone")
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.acked(self.romeo, number)
        self.story.got(self.juliet, "romeo", number)
        self.story.got(phone, "romeo", number)
        self.story.end()
        self.expect()

    def test_moved_late(self) -> None:
        """What an ended session left comes late, and only with a stamp."""
        phone = self.story.client("juliet2", resource="phone")
        early = self.story.sent(self.romeo, phone.jid)
        self.story.acked(self.romeo, early)
        self.story.offline(phone)
        self.story.chat(self.romeo, self.juliet)
        self.story.sleep(100)
        line = self.story.got(self.juliet, "romeo", early, "late")
        self.story.end()
        self.expect()
        self.story.events[line - 1].delay = ""  # type: ignore[attr-defined]
        self.expect(reordered=1)

    # ------------------------------------------------------------ presence

    def watched(self) -> None:
        """Juliet knows that Romeo is there."""
        self.story.seen(self.juliet, self.romeo.jid, self.romeo.status)

    def test_flap_within_the_window(self) -> None:
        """Nobody may be told before the window is over, whatever comes of it."""
        self.watched()
        self.story.offline(self.romeo)
        self.story.sleep(30)
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.expect(flaps=1)

    def test_end_by_the_window(self) -> None:
        """Afterwards once."""
        self.watched()
        self.story.offline(self.romeo)
        self.story.sleep(61)
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.expect()
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.expect(flaps=1)

    def test_flap_and_resume(self) -> None:
        """A session that is resumed had not ended."""
        self.watched()
        self.story.offline(self.romeo)
        self.story.sleep(61)
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.story.online(self.romeo, "resume")
        self.expect(flaps=1)

    def test_flap_of_a_new_session(self) -> None:
        """The same address bound and shown within the window."""
        self.watched()
        self.story.offline(self.romeo, "gave-up")
        self.story.online(self.romeo)
        self.story.show(self.romeo)
        self.story.chat(self.romeo, self.juliet)
        self.story.sleep(61)
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.expect(flaps=1)

    def test_shown_too_late(self) -> None:
        """The new session shows itself after the window of the old one: its end is seen."""
        self.watched()
        self.story.offline(self.romeo, "gave-up")
        self.story.online(self.romeo)
        self.story.sleep(61)
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.story.show(self.romeo)
        self.story.seen(self.juliet, self.romeo.jid, 2)
        self.expect()

    def test_unconfirmed_resume(self) -> None:
        """A resume that was not confirmed lets the old deadline run on."""
        self.watched()
        self.story.offline(self.romeo)
        self.story.sleep(50)
        self.story.online(self.romeo, "resume")
        self.story.offline(self.romeo)
        self.story.sleep(20)
        line = self.story.seen(self.juliet, self.romeo.jid, 0)
        self.expect()
        got = Got(self.story.events[line - 4].t, "romeo", self.romeo.account, self.romeo.jid,
                  "juliet", 1, 1, self.romeo.session, self.romeo.connection)
        sent = Sent(0.5, "juliet", self.juliet.account, self.romeo.account, 1, 2,
                    self.juliet.session, self.juliet.connection)
        self.story.events.insert(line - 2, got)
        self.story.events.insert(5, sent)
        self.expect(flaps=1)

    def test_told_again(self) -> None:
        """An end may be told again to one who resumed, not on one connection."""
        self.watched()
        self.story.show(self.romeo, available=False)
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.story.offline(self.juliet)
        self.story.online(self.juliet, "resume")
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.expect()
        self.assertEqual(1, self.verdict().told["ends of presence told again after a resume"])
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.expect(flaps=1)

    def test_an_old_end_explains_nothing(self) -> None:
        """A good-bye that a session never heard of is over once it is told of a later life."""
        self.watched()
        self.story.show(self.romeo, available=False)
        self.story.show(self.romeo)
        self.story.seen(self.juliet, self.romeo.jid, 2)
        self.story.seen(self.juliet, self.romeo.jid, 0)
        self.expect(flaps=1)

    def test_stale_ghost(self) -> None:
        """At the end a contact is shown as available that is long gone."""
        self.watched()
        self.story.offline(self.romeo)
        self.story.clients.pop("romeo")
        self.story.sleep(200)
        self.story.end()
        self.expect(stale=1)

    # ------------------------------------------------------------ sessions

    def test_refused_within_the_window(self) -> None:
        """A session that should be there is not."""
        self.story.offline(self.romeo)
        self.story.sleep(59)
        self.story.online(self.romeo, "resume-failed")
        self.expect(not_resumed=1)

    def test_refused_after_the_window(self) -> None:
        """That is how it should be."""
        self.story.offline(self.romeo)
        self.story.sleep(61)
        self.story.online(self.romeo, "resume-failed")
        self.expect()

    def test_refused_what_was_replaced(self) -> None:
        """A client that logged in anew has no claim to the session before."""
        self.story.offline(self.romeo)
        old = self.romeo.session
        self.story.online(self.romeo)
        new, self.romeo.session = self.romeo.session, old
        self.story.online(self.romeo, "resume-failed")
        self.romeo.session = new
        self.story.chat(self.juliet, self.romeo)
        self.expect()

    def test_detached(self) -> None:
        """A deadline that runs is fine; none, one that passed, one too far away are not."""
        self.story.offline(self.romeo)
        self.story.end()
        self.expect()
        row = next(event for event in self.story.events if isinstance(event, FinalSession)
                   and event.jid == self.romeo.jid)
        for deadline_s in (None, -11.0, 62.0):
            with self.subTest(deadline_s=deadline_s):
                row.deadline_s = deadline_s
                self.expect(ghosts=1)

    def test_live_without_a_client(self) -> None:
        """The node believes in somebody who has gone."""
        self.story.offline(self.romeo)
        self.story.end()
        for event in self.story.events:
            if isinstance(event, FinalSession) and event.jid == self.romeo.jid:
                event.state, event.deadline_s = "live", None
        self.expect(ghosts=3)

    # ------------------------------------------------------------ nodes

    def cut_off(self) -> int:
        """Node 1 can talk to nobody."""
        return self.story.fault("cut", [1], cut=[[1, 2], [3, 1]])

    def test_minority_acknowledges(self) -> None:
        """Within its lease a node may, afterwards not."""
        self.cut_off()
        self.story.sleep(LEASE_S / 2)
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.acked(self.romeo, number)
        self.expect()
        self.story.sleep(LEASE_S)
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.acked(self.romeo, number)
        self.expect(minority_service=1)

    def test_asked_before(self) -> None:
        """What was written within the lease may be acknowledged, whenever that is read."""
        self.cut_off()
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.sleep(3)
        self.story.acked(self.romeo, number)
        self.expect()

    def test_minority_delivers_and_lets_in(self) -> None:
        """Deliveries, logins, resumes and operations count as well."""
        self.cut_off()
        self.story.sleep(2)
        number = self.story.sent(self.romeo, self.romeo.account)
        self.story.got(self.romeo, "romeo", number)
        self.expect(minority_service=1)
        self.story.offline(self.romeo)
        self.story.online(self.romeo, "resume")
        self.expect(minority_service=2)
        self.story.operation(self.romeo, "roster-set", "romeo@a.test x@b.test", "n")
        self.expect(minority_service=3)

    def test_majority_serves(self) -> None:
        """Those on the other side, and the node itself when the cut is gone."""
        cut = self.cut_off()
        self.story.sleep(2)
        number = self.story.sent(self.juliet, self.juliet.account)
        self.story.acked(self.juliet, number)
        self.story.fault_end(cut)
        self.story.chat(self.romeo, self.juliet)
        self.expect()

    def test_half_a_cut(self) -> None:
        """A node that reaches one of two others has a majority; so has each of a chain."""
        self.story.fault("cut", [1], cut=[[1, 2]])
        self.story.sleep(2)
        self.story.chat(self.romeo, self.juliet)
        self.expect()

    def test_the_others_are_down(self) -> None:
        """One that is left of three is a minority, too."""
        self.story.fault("kill", [2], down=[2])
        self.story.fault("pause", [3], down=[3])
        self.story.sleep(2)
        number = self.story.sent(self.romeo, self.juliet.account)
        self.story.acked(self.romeo, number)
        self.expect(minority_service=1)

    def test_two_leaders(self) -> None:
        """In one term; in two it is a change."""
        for node, term in ((1, 4), (2, 5), (2, 5)):
            self.story.add(history.NodeSample(self.story.now(), node, role="leader", term=term))
        self.expect()
        self.story.add(history.NodeSample(self.story.now(), 1, role="leader", term=5))
        self.expect(two_leaders=1)

    def test_not_healed(self) -> None:
        """A node that does not serve at the end, an alarm, a node that says nothing."""
        self.story.end()
        finals = [event for event in self.story.events if isinstance(event, FinalNode)]
        finals[0].serving = False
        self.expect(not_healed=1)
        finals[1].alarms = ["DiskFull"]
        self.expect(not_healed=2)
        self.story.events.remove(finals[2])
        self.expect(not_healed=3)

    def test_incomplete(self) -> None:
        """A trial that did not come to its end is not clean."""
        self.assertFalse(self.verdict().is_clean())
        self.story.end()
        self.assertTrue(self.verdict().is_clean())

    # ------------------------------------------------------------ operations

    def test_homes(self) -> None:
        """A node may tell an old home, but not go back, and it knows what it was asked to do."""
        key = "romeo@a.test"
        self.story.operation(self.romeo, "assign", key, 1)
        self.story.operation(self.romeo, "assign", key, 2)
        self.story.operation(self.juliet, "where", key, answer=1)
        self.expect()
        self.juliet.session += 1000  # another incarnation
        for home in (1, 2):
            self.story.operation(self.juliet, "where", key, answer=home)
        self.expect()
        self.story.operation(self.juliet, "where", key, answer=1)
        self.expect(not_linearizable=1)

    def test_home_by_itself(self) -> None:
        """Before somebody is assigned by hand the cluster may change its mind."""
        key = "romeo@a.test"
        for home in (1, 2, 1):
            self.story.operation(self.juliet, "where", key, answer=home)
        self.story.operation(self.romeo, "assign", key, 3)
        self.story.operation(self.romeo, "where", key, answer=3)
        self.expect()

    def test_own_home(self) -> None:
        """A node that was asked to assign cannot have missed it."""
        key = "romeo@a.test"
        self.story.operation(self.romeo, "assign", key, 1)
        self.story.operation(self.romeo, "assign", key, 2)
        self.story.operation(self.romeo, "where", key, answer=1)
        self.expect(not_linearizable=1)

    def test_push_missed(self) -> None:
        """Of two devices that are told of an item, one misses the last change; then it is away."""
        phone = self.story.client("romeo2", resource="phone")
        for device, name in ((self.romeo, "n1"), (phone, "n1"), (self.romeo, "n2")):
            self.story.add(RosterPush(
                self.story.now(), device.name, device.account, "x@b.test", device.node,
                device.session, device.connection, name))
        mark = len(self.story.events)
        self.story.end()
        self.expect(stale=1)
        del self.story.events[mark:]
        self.story.offline(phone)
        self.story.end()
        self.expect()

    def test_unknown_outcome(self) -> None:
        """It may have been done, and once it was seen it has been."""
        key = "romeo@a.test x@b.test"
        self.story.operation(self.romeo, "roster-set", key, "one")
        self.story.operation(self.romeo, "roster-set", key, "two", phase="unknown")
        self.story.operation(self.romeo, "roster-get", "romeo@a.test", answer={"x@b.test": "one"})
        self.story.operation(self.romeo, "roster-get", "romeo@a.test", answer={"x@b.test": "two"})
        self.expect()
        self.story.operation(self.romeo, "roster-get", "romeo@a.test", answer={"x@b.test": "one"})
        self.expect(not_linearizable=1)

    def test_invoked_and_never_ended(self) -> None:
        """As unknown."""
        key = "romeo@a.test x@b.test"
        self.story.add(Operation(self.story.now(), 77, "romeo", "roster-set", key, "invoke", "n"))
        self.story.operation(self.romeo, "roster-get", "romeo@a.test", answer={"x@b.test": "n"})
        self.expect()


if __name__ == "__main__":
    unittest.main()
