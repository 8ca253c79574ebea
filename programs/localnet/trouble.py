"""The faults of a running network: those its profile lets happen by chance, and those that a test asks for.

This applies what fates.py decides, and counts it. Until `arm` is called chance does nothing, so that a platform can be
founded in peace; what is asked for by name always happens.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from solders.signature import Signature
from solders.transaction import VersionedTransaction

from programs.localnet.admission import TransactionRefused
from programs.localnet.asked import Asked
from programs.localnet.bank import Bank
from programs.localnet.dice import ALWAYS_BPS, Dice
from programs.localnet.fates import (
    ReplyFate,
    SendFate,
    SlotFate,
    is_done,
    reply_fate,
    return_fate,
    send_fate,
    slot_fate,
)
from programs.localnet.faults import (
    Congestion,
    EndpointFaults,
    FaultProfile,
    ForkFaults,
    ReplyFaults,
    SendingFaults,
    StreamFaults,
)
from programs.localnet.intake import Intake
from programs.localnet.ledger import TransactionRecord
from programs.localnet.scheduler import BlockLimits
from programs.localnet.spam import Strangers
from programs.units import SLOT_MS, Slot

QUIET: Final = EndpointFaults(
    sending=SendingFaults(), replies=ReplyFaults(), streams=StreamFaults()
)
"""An endpoint that nothing goes wrong at."""
_SENDINGS_MAX: Final = 100_000
"""Transactions whose sendings are counted, at each endpoint; an older one starts again at one."""


@dataclass(slots=True)
class Door:
    """One endpoint's share: its faults, and what has been asked of it so far."""

    number: int
    faults: EndpointFaults
    requests: int = 0
    connections: int = 0
    sendings: Counter[Signature] = field(default_factory=Counter)
    """How often each transaction was sent here; each sending has a fate of its own."""


class Trouble:
    """What goes wrong on one bank's network."""

    def __init__(
        self, bank: Bank, profile: FaultProfile | None = None, *, seed: int = 0, endpoints: int = 1
    ) -> None:
        self.profile: Final = profile or FaultProfile()
        self.bank: Final = bank
        self.is_armed = False
        self.tally: Counter[str] = Counter()
        """What went wrong so far, by kind: "sending.lost", "reply.html", "fork.blocks" and so on."""
        self.doors: Final = tuple(
            Door(number, self.profile.endpoint(number)) for number in range(endpoints)
        )
        self.quiet_door: Final = Door(endpoints, QUIET)
        """For those who must get through: nothing goes wrong between them and the chain."""
        congestion = self.profile.congestion
        self.intake: Final = Intake(
            bank,
            None if congestion is None else _limits(congestion, bank.config.slot_ms),
            waiting_max=(congestion or Congestion()).waiting_max,
        )
        self.asked: Final = Asked(lambda: self._blocks_max)
        """What a test wants to go wrong."""
        self._dice: Final = Dice(seed)
        self._strangers: Final = Strangers(bank, self._dice)

    def arm(self) -> None:
        """Let chance begin."""
        self.is_armed = True

    def jump_clock(self, seconds: int) -> None:
        """Let the cluster's time be so much later (or earlier) from the next slot on."""
        self.bank.jump_clock(seconds)
        self.tally["clock.jumps"] += 1

    def flood(self, count: int, congestion: Congestion | None = None) -> None:
        """Let so many strangers' transactions arrive now."""
        for transaction in self._strangers.make(
            count, congestion or self.profile.congestion or Congestion()
        ):
            self._arrive(transaction)
        self.tally["spam.arrived"] += count

    # What the network asks

    def deliver(self, door: Door, transaction: VersionedTransaction) -> None:
        """Take a transaction from an endpoint to the chain, or not.

        Raises:
            TransactionRefused: It arrives at once and cannot land.
        """
        fate = self._send_fate(door, transaction)
        if not fate.after_slots:
            self.tally["sending.lost"] += 1
        elif fate.after_slots[0] > 0:
            self.tally["sending.late"] += 1
        self.tally["sending.repeated"] += max(0, len(fate.after_slots) - 1)
        refusal: TransactionRefused | None = None
        for copy, after in enumerate(fate.after_slots):
            if after > 0:
                self.intake.arrive_later(transaction, Slot(self.bank.slot + after))
                continue
            try:
                self.intake.arrive(transaction)
            except TransactionRefused as refused:
                # A copy is refused because the first one landed; that is no news for its sender.
                refusal = refused if copy == 0 else refusal
        if refusal is not None:
            raise refusal

    def reply_fate(self, door: Door, method: str) -> ReplyFate:
        """Decide how the next HTTP request of an endpoint is answered."""
        door.requests += 1
        key = (door.number, door.requests)
        fate = self.asked.take_reply(
            door.number, method, lambda spoilage: is_done(spoilage, self._dice, *key)
        )
        if fate is None:
            if not self.is_armed:
                return ReplyFate()
            replies = door.faults.replies or self.profile.replies
            fate = reply_fate(replies, self._dice, *key)
        if fate.spoilage is not None:
            self.tally[f"reply.{fate.spoilage}"] += 1
        if fate.late_ms:
            self.tally["reply.late"] += 1
        return fate

    def is_silent(self, door: Door) -> bool:
        """Decide whether a new websocket connection will ever say something of its own."""
        door.connections += 1
        return self._happens("silent", self.streams(door).silent_bps, door.number, door.connections)

    def is_lost(self, door: Door, *key: object) -> bool:
        """Decide whether a notification is left out."""
        return self._happens("lost", self.streams(door).lost_bps, door.number, *key)

    def is_cut(self, door: Door, *key: object) -> bool:
        """Decide whether a websocket connection ends with this slot."""
        return self._happens("cut", self.streams(door).cut_bps, door.number, *key)

    def streams(self, door: Door) -> StreamFaults:
        """What happens to the notifications of an endpoint."""
        return door.faults.streams or self.profile.streams

    def end_slot(self, tell: Callable[[], None]) -> None:
        """Close the current slot, tell of it, and open the next one, or one on an earlier block."""
        self.intake.close_slot()
        tell()
        fate = self._slot_fate()
        if fate.jump_s:
            self.jump_clock(fate.jump_s)
        if fate.fork_blocks:
            taken = self.bank.fork(fate.fork_blocks)
            self.tally["fork.count"] += 1
            self.tally["fork.blocks"] += fate.fork_blocks
            self.tally["fork.taken_back"] += len(taken)
            self._return(taken)
        else:
            self.bank.advance_slot()
        self.intake.open_slot()
        congestion = self.profile.congestion
        if self.is_armed and congestion is not None and congestion.spam_per_slot:
            self.flood(congestion.spam_per_slot, congestion)

    def report(self) -> dict[str, object]:
        """What went wrong so far, as one JSON object."""
        return {
            "is_armed": self.is_armed,
            "counts": dict(sorted(self.tally.items())),
            "dropped": dict(sorted(self.intake.dropped.items())),
            "waiting": self.intake.waiting_count,
        }

    # Parts

    @property
    def _blocks_max(self) -> int:
        """How many blocks may be taken back."""
        return self.bank.height_at("processed") - self.bank.height_at("finalized")

    def _arrive(self, transaction: VersionedTransaction) -> None:
        try:
            self.intake.arrive(transaction)
        except TransactionRefused:
            self.tally["spam.refused"] += 1

    def _send_fate(self, door: Door, transaction: VersionedTransaction) -> SendFate:
        if door is self.quiet_door:
            return SendFate()
        asked = self.asked.take_sending()
        if asked is not None:
            return asked
        if not self.is_armed:
            return SendFate()
        signature = transaction.signatures[0]
        door.sendings[signature] += 1
        if len(door.sendings) > _SENDINGS_MAX:
            del door.sendings[next(iter(door.sendings))]
        sending = door.faults.sending or self.profile.sending
        return send_fate(sending, self._dice, door.number, signature, door.sendings[signature])

    def _slot_fate(self) -> SlotFate:
        asked = self.asked.take_slot()
        if asked is not None:
            return asked
        if not self.is_armed:
            return SlotFate()
        profile = self.profile
        return slot_fate(profile.forks, profile.clock, self._dice, self.bank.slot, self._blocks_max)

    def _return(self, taken: list[TransactionRecord]) -> None:
        """Let other validators include some of what a fork has taken back."""
        faults = self.profile.forks
        returning, self.asked.returning = self.asked.returning, None
        if returning is not None:
            faults = ForkFaults(return_bps=ALWAYS_BPS if returning else 0, return_slots_max=0)
        for record in taken:
            fate = return_fate(faults, self._dice, record.signature, record.slot)
            for after in fate.after_slots:
                self.intake.arrive_later(record.transaction, Slot(self.bank.slot + after))
            self.tally["fork.returned"] += len(fate.after_slots)

    def _happens(self, kind: str, chance_bps: int, *key: object) -> bool:
        happens = self.is_armed and self._dice.happens(chance_bps, "stream", kind, *key)
        if happens:
            self.tally[f"stream.{kind}"] += 1
        return happens


def _limits(congestion: Congestion, slot_ms: int) -> BlockLimits:
    """A block of a shorter slot holds less, down to one transaction."""
    return BlockLimits(
        block_cu=max(2_000_000, congestion.block_cu * slot_ms // SLOT_MS),
        account_cu=max(2_000_000, congestion.account_cu * slot_ms // SLOT_MS),
    )
