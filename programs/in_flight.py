"""The attempts of this process that the chain may still change, and whose turn it is."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import trio
from solders.signature import Signature

from programs.outcomes import Outcome
from programs.units import BlockHeight, Lamports


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How eagerly to land."""

    poll_interval_s: float = 0.4
    """Between two readings of all statuses."""
    resend_interval_s: float = 1.5
    """Between two sends of the same bytes while no node has seen them."""
    finality_interval_s: float = 4.0
    """Between two looks at an attempt that has ended but is not finalized."""
    facts_timeout_s: float = 2.0
    """For the compute units, fee and logs of what just ended; without them it is recorded all the same."""
    sends_at_once: int = 32

    def __post_init__(self) -> None:
        """Refuse intervals that would spin."""
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")


@dataclass(slots=True, eq=False)
class Flight:
    """One attempt on its way."""

    signature: Signature
    wire: bytes
    last_valid_block_height: BlockHeight
    fee_bid_lamports: Lamports
    outcome: Outcome | None = None
    is_visible: bool = False
    """Whether a node knew it at the last look: then it needs no resending."""
    is_sending: bool = False
    was_sent: bool = False
    refusal: str | None = None
    polled_at_s: float = -float("inf")
    _news: trio.Event = field(default_factory=trio.Event)

    async def wait_ended(self, until: Literal["confirmed", "finalized"]) -> Outcome:
        """Wait until the chain has said how it ended, and as firmly as asked."""
        while self.outcome is None or (until == "finalized" and not self.outcome.is_finalized):
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        return self.outcome

    def conclude(self, outcome: Outcome) -> None:
        """Set what has been recorded, and wake whoever waits."""
        self.outcome = outcome
        self._news.set()
        self._news = trio.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlightStatistics:
    """What is on its way, and what it took so far."""

    open: int
    """Attempts whose end is unknown."""
    following: int
    """Attempts that ended, not finalized yet."""
    sends: int
    resends: int
    moved: int
    """Ends that a fork changed."""


class InFlight:
    """The attempts of this process that the chain may still change; shared by `submit` and `land`."""

    def __init__(self) -> None:
        self._flights: dict[Signature, Flight] = {}
        self._due: list[tuple[float, int, Flight]] = []
        self._pushed = 0
        self._launched = trio.Event()
        self._sends = self._resends = self._moved = 0

    def launch(self, flight: Flight, *, first_send_in_s: float = 0.0) -> None:
        """Put a persisted attempt on its way."""
        self._flights[flight.signature] = flight
        self._push(flight, trio.current_time() + first_send_in_s)
        self._launched.set()
        self._launched = trio.Event()

    def statistics(self) -> InFlightStatistics:
        """Count."""
        following = sum(flight.outcome is not None for flight in self._flights.values())
        return InFlightStatistics(
            open=len(self._flights) - following,
            following=following,
            sends=self._sends,
            resends=self._resends,
            moved=self._moved,
        )

    def _push(self, flight: Flight, at_s: float) -> None:
        # The running number keeps the heap from comparing flights.
        self._pushed += 1
        heapq.heappush(self._due, (at_s, self._pushed, flight))

    def take_due(self, now_s: float, pace: Pace) -> list[Flight]:
        """Take the flights whose bytes must go out now, and schedule their next turn."""
        due = []
        while self._due and self._due[0][0] <= now_s:
            _, _, flight = heapq.heappop(self._due)
            if flight.signature not in self._flights:
                continue
            self._push(flight, now_s + pace.resend_interval_s)
            if not flight.is_visible and not flight.is_sending:
                due.append(flight)
        return due

    def to_poll(self, now_s: float, pace: Pace) -> list[Flight]:
        """Choose the flights to ask about now: open ones always, ended ones now and then."""
        return [
            flight
            for flight in self._flights.values()
            if flight.outcome is None
            or not flight.is_visible
            or now_s - flight.polled_at_s >= pace.finality_interval_s
        ]

    async def wait_due(self) -> None:
        """Wait until bytes may be due: the next turn, or a new flight."""
        at_s = self._due[0][0] if self._due else float("inf")
        with trio.move_on_at(at_s):
            await self.wait_launched()

    async def wait_launched(self) -> None:
        """Wait for the next flight."""
        await self._launched.wait()

    async def wait_all_ended(self, until: Literal["confirmed", "finalized"]) -> None:
        """Wait until every attempt has ended as firmly as asked: what a drain waits for."""
        for flight in list(self._flights.values()):
            await flight.wait_ended(until)

    def is_empty(self) -> bool:
        """Whether nothing is on its way."""
        return not self._flights

    def drop_finalized(self, flights: Sequence[Flight]) -> None:
        """Forget what can no longer change."""
        for flight in flights:
            if flight.outcome is not None and flight.outcome.is_finalized:
                self._flights.pop(flight.signature, None)

    def count_send(self, *, is_first: bool) -> None:
        """Count bytes that left."""
        self._sends += 1
        self._resends += not is_first

    def count_moved(self) -> None:
        """Count an end that a fork changed."""
        self._moved += 1
