"""What is written into a history is what is read from it."""

import dataclasses
import tempfile
import typing
import unittest
from pathlib import Path

from tools.trial import history

EXAMPLES: dict[object, object] = {
    float: 2.5, int: 7, str: "\u00e9\n", bool: True, typing.Any: {"a@b": None},
    list[int]: [1, 2], list[str]: ["x"], list[list[int]]: [[1, 2]], str | None: "y",
    float | None: 0.5}


def example(kind: type[history.Event]) -> history.Event:
    """An event with something in every field."""
    types = typing.get_type_hints(kind)
    values: dict[str, typing.Any] = {
        item.name: EXAMPLES[types[item.name]] for item in dataclasses.fields(kind)}
    return kind(**values)


class History(unittest.TestCase):
    """Files of events."""

    def setUp(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.path = Path(self._folder.name) / "history"

    def test_round_trip(self) -> None:
        """Goal: no field is lost. Method: an event of each kind, written and read."""
        events = [example(kind) for kind in history.KINDS.values()]
        with history.Writer(self.path) as writer:
            for event in events:
                writer.append(event)
        self.assertEqual(events, list(history.read(self.path)))

    def test_defaults(self) -> None:
        """A field at its default costs nothing and comes back."""
        event = history.FaultBegin(1.0, 3, "kill")
        self.assertEqual('{"t":1.0,"kind":"fault-begin","id":3,"name":"kill"}',
                         history.encode(event))
        self.assertEqual(event, history.decode(history.encode(event)))

    def test_of_a_later_version(self) -> None:
        """An unknown field is skipped, an unknown kind is refused."""
        self.assertEqual(history.Note(1.0, "x"),
                         history.decode('{"t":1.0,"kind":"note","text":"x","more":1}'))
        for line in ('{"t":1.0,"kind":"other"}', '{"t":1.0,"kind":"note"}', "[]", "{"):
            with self.subTest(line=line), self.assertRaises(history.HistoryError):
                history.decode(line)

    def test_cut_short(self) -> None:
        """The last line of a harness that was killed may be half a line."""
        whole = history.encode(history.Note(1.0, "x"))
        self.path.write_text(whole + "\n" + whole[:-3])
        self.assertEqual([history.Note(1.0, "x")], list(history.read(self.path)))

    def test_times_ascend(self) -> None:
        """An event from the past is refused: the judge relies on the order."""
        with history.Writer(self.path) as writer:
            writer.append(history.Note(2.0, "x"))
            with self.assertRaises(history.HistoryError):
                writer.append(history.Note(1.0, "y"))


if __name__ == "__main__":
    unittest.main()
