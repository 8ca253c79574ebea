"""What becomes of one transaction, one reply, one slot: chances and dice in, a decision out."""

from dataclasses import dataclass
from typing import Final

from programs.localnet.dice import Dice
from programs.localnet.faults import (
    ClockFaults,
    ForkFaults,
    ReplyFaults,
    SendingFaults,
    spoilage_bps,
)
from programs.units import Slot

NEEDS_ANSWER: Final = frozenset({"truncated", "cut", "wrong_id", "dripping"})
"""Spoiled replies that are made of the right one."""
_COIN_SIDES: Final = 2
_SENDING: Final = "sending"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFate:
    """When the copies of one transaction arrive."""

    after_slots: tuple[int, ...] = (0,)
    """One for each arrival; 0 is at once, none is never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFate:
    """How one HTTP request is answered."""

    spoilage: str | None = None
    """One of the names in `faults.spoilage_bps`; None leaves the answer alone."""
    late_ms: int = 0
    is_done: bool = True
    """Whether the request is carried out all the same: a sender who got an error cannot know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFate:
    """What happens as a slot ends."""

    fork_blocks: int = 0
    jump_s: int = 0


def send_fate(faults: SendingFaults, dice: Dice, *key: object) -> SendFate:
    """Decide about one sending of one transaction; `key` names it."""
    if dice.happens(faults.lost_bps, _SENDING, "lost", *key):
        return SendFate(after_slots=())
    first = 0
    if faults.late_slots_max and dice.happens(faults.late_bps, _SENDING, "late", *key):
        first = 1 + dice.roll(faults.late_slots_max, _SENDING, "slots", *key)
    arrivals = [first]
    if faults.repeats_max and dice.happens(faults.repeated_bps, _SENDING, "repeated", *key):
        for copy in range(1 + dice.roll(faults.repeats_max, _SENDING, "copies", *key)):
            after = dice.roll(faults.repeat_slots_max + 1, _SENDING, "copy", copy, *key)
            arrivals.append(first + after)
    return SendFate(after_slots=tuple(sorted(arrivals)))


def reply_fate(faults: ReplyFaults, dice: Dice, *key: object) -> ReplyFate:
    """Decide about one reply; `key` names the request."""
    late_ms = 0
    if faults.late_ms_max and dice.happens(faults.late_bps, "reply", "late", *key):
        late_ms = 1 + dice.roll(faults.late_ms_max, "reply", "ms", *key)
    drawn = dice.roll(10_000, "reply", "spoilage", *key)
    for spoilage, chance_bps in spoilage_bps(faults).items():
        if drawn < chance_bps:
            return ReplyFate(
                spoilage=spoilage, late_ms=late_ms, is_done=is_done(spoilage, dice, *key)
            )
        drawn -= chance_bps
    return ReplyFate(late_ms=late_ms)


def is_done(spoilage: str, dice: Dice, *key: object) -> bool:
    """Decide whether a request with a spoiled reply is carried out."""
    return spoilage in NEEDS_ANSWER or dice.roll(_COIN_SIDES, "reply", "done", *key) == 0


def slot_fate(
    forks: ForkFaults, clock: ClockFaults, dice: Dice, slot: Slot, blocks_max: int
) -> SlotFate:
    """Decide about one slot, of which at most `blocks_max` can be taken back."""
    blocks = 0
    most = min(forks.blocks_max, blocks_max)
    if most and dice.happens(forks.fork_bps, "slot", "fork", slot):
        blocks = 1 + dice.roll(most, "slot", "blocks", slot)
    jump_s = 0
    if clock.jump_s_max and dice.happens(clock.jump_bps, "slot", "jump", slot):
        jump_s = 1 + dice.roll(clock.jump_s_max, "slot", "seconds", slot)
        jump_s *= 1 if dice.roll(_COIN_SIDES, "slot", "direction", slot) else -1
    return SlotFate(fork_blocks=blocks, jump_s=jump_s)


def return_fate(faults: ForkFaults, dice: Dice, *key: object) -> SendFate:
    """Decide about one transaction that a fork has taken back; `key` names it and the fork."""
    if not dice.happens(faults.return_bps, "return", *key):
        return SendFate(after_slots=())
    return SendFate(after_slots=(dice.roll(faults.return_slots_max + 1, "return", "slots", *key),))
