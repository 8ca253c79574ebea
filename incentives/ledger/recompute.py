"""The lines once more, from the events: do the rules still make of them what the ledger says.

Shell. The events are the ledger's own, or the chain's, read again; the rules are a `Rulebook` that has taken nothing yet.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

from sqlite_utils import Database

from incentives.ledger.encoding import Chain, rules_text, text_of
from incentives.ledger.opened import read_identity
from incentives.ledger.recorded import read_events, read_progress, read_texts
from incentives.lines import Line, Transfer
from incentives.parameters import Parameters
from incentives.sourced import SourcedEvent


class Rules(Protocol):
    """A Rulebook, as far as it is used."""

    def take(self, event: SourcedEvent) -> Iterator[Line]:
        """Yield what follows from the next event."""
        ...

    def pass_slot(self, finalized_slot: int) -> Iterator[Line]:
        """Yield what is due once all events through a slot are known."""
        ...

    def to_json(self) -> str:
        """Return all that it remembers."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """A line that only one side has; the texts are those that are hashed."""

    seq: int
    """Its number there."""
    recorded: str | None
    recomputed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What came of it."""

    lines: int
    head: bytes
    recorded_lines: int
    recorded_head: bytes
    differences: tuple[Difference, ...]
    """The first of them, in order; none where the heads are the same."""
    differences_left_out: int
    is_memory_same: bool
    """Whether the recorded memory of the rules, from which a follower goes on, is what the events lead to."""

    @property
    def is_same(self) -> bool:
        """Whether every line, and so the head, is bit for bit the one recorded."""
        return not self.differences and self.head == self.recorded_head and self.is_memory_same


@dataclass(slots=True)
class _Memory:
    """What the rules remember once everything through a slot is known."""

    slot: int
    body: str | None = None

    def pass_slot(self, rules: Rules) -> Iterator[Line]:
        yield from rules.pass_slot(self.slot)
        self.body = rules.to_json()

    def is_as(self, recorded: str | None) -> bool:
        """Compare with a recorded memory; the last event's place may be that of a price update, which is not recorded."""
        if recorded is None or self.body is None:
            return recorded is None
        one, other = json.loads(self.body), json.loads(recorded)
        del one["last"], other["last"]
        return bool(one == other)


def recomputed_lines(
    events: Iterable[SourcedEvent],
    rules: Rules,
    through_slot: int,
    memory: _Memory | None = None,
) -> Iterator[Line]:
    """Yield the lines that the rules make of all events through a slot."""
    for event in events:
        slot = event.place.slot
        if slot > through_slot:
            break
        if memory is not None and memory.body is None and slot > memory.slot:
            yield from memory.pass_slot(rules)
        yield from rules.take(event)
    if memory is not None and memory.body is None:
        yield from memory.pass_slot(rules)
    yield from rules.pass_slot(through_slot)


def recomputed_texts(
    lines: Iterable[Line], parameters: Parameters, seed: bytes
) -> Iterator[tuple[Chain, str]]:
    """Yield the texts of lines as a ledger has them, versions of the rules among them, and the chain after each."""
    chain = Chain(parameters, 0, seed)
    for line in lines:
        if isinstance(line, Transfer) and (new := chain.version_before(line)):
            text = rules_text(*new)
            chain.add(text)
            yield chain, text
        text = text_of(line)
        chain.add(text)
        yield chain, text


def recompute(
    db: Database,
    rules: Rules,
    parameters: Parameters,
    events: Iterable[SourcedEvent] | None = None,
    *,
    at_most: int = 20,
) -> Recomputed:
    """Compute a ledger again and compare it with what is recorded, line by line and by its head.

    Args:
        db: the ledger, opened for reading.
        rules: a Rulebook that has taken nothing.
        parameters: those of the rules.
        events: in order, from genesis on; those recorded if None.
        at_most: how many differences to keep; they are told apart from lines that only moved.

    Raises:
        RulebookError, MalformedEventError: the rules refuse an event.
        ValueError: a recorded line refers to what is not there.
    """
    progress = read_progress(db)
    seed = read_identity(db).seed
    through_slot = -1 if progress is None else progress.through_slot
    source = read_events(db) if events is None else events
    snapshot = db.conn.execute("SELECT through_slot, body FROM snapshot").fetchone()
    memory = None if snapshot is None else _Memory(min(snapshot[0], through_slot))
    again = recomputed_lines(source, rules, through_slot, memory)
    made = recomputed_texts(again, parameters, seed)
    comparison = _Comparison()
    lines, head = 0, seed
    for recorded, new in zip_longest(read_texts(db), made):
        if new is not None:
            lines, head = new[0].seq, new[0].head
        comparison.take(recorded, None if new is None else (new[0].seq, new[1]))
    differences = comparison.differences()
    return Recomputed(
        lines=lines,
        head=head,
        recorded_lines=0 if progress is None else progress.seq,
        recorded_head=seed if progress is None else progress.head,
        differences=tuple(differences[:at_most]),
        differences_left_out=max(len(differences) - at_most, 0),
        is_memory_same=memory is None or memory.is_as(snapshot[1]),
    )


class _Comparison:
    """Pairs lines of the same number and text, and lines that only moved; keeps those that only one side has."""

    def __init__(self) -> None:
        self._recorded: dict[str, list[int]] = {}
        self._recomputed: dict[str, list[int]] = {}

    def take(self, recorded: tuple[int, str] | None, new: tuple[int, str] | None) -> None:
        if recorded == new:
            return
        for side, mine, other in (
            (recorded, self._recorded, self._recomputed),
            (new, self._recomputed, self._recorded),
        ):
            if side is None:
                continue
            number, text = side
            if waiting := other.get(text):
                waiting.pop()
                if not waiting:
                    del other[text]
            else:
                mine.setdefault(text, []).append(number)

    def differences(self) -> list[Difference]:
        """Return the lines that only one side has, by number."""
        found = [
            Difference(number, text, None)
            for text, numbers in self._recorded.items()
            for number in numbers
        ] + [
            Difference(number, None, text)
            for text, numbers in self._recomputed.items()
            for number in numbers
        ]
        return sorted(found, key=lambda each: (each.seq, each.recorded is None))
