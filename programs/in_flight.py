"""The attempts of this process that the chain may still change, and whose turn it is: to be sent, to be asked about."""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import trio
from solders.signature import Signature

from programs.attempt_log import StoredJob
from programs.flight import Flight

_JITTER_STEPS: Final = 256
_HOPELESS_FACTOR: Final = 8
"""Bytes that every endpoint refuses for good are offered this much more rarely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How eagerly to land."""

    poll_interval_s: float = 0.1
    """Between two readings of the statuses of what is watched."""
    resend_interval_s: float = 1.5
    """Between two sends of the same bytes while no node has seen them, on average; also between two readings of the
    block height, and between two searches of a node's history for the same signature."""
    finality_interval_s: float = 4.0
    """Between two looks at an attempt that has ended but is not finalized."""
    facts_timeout_s: float = 2.0
    """For the compute units, fee and logs of what just ended; a caller waits no longer for them."""
    sends_at_once: int = 32
    facts_at_once: int = 32
    """Per lane."""

    def __post_init__(self) -> None:
        """Refuse intervals that would spin."""
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")

    def resend_in_s(self, flight: Flight) -> float:
        """Choose when a flight's bytes go out again: a quarter more or less than the interval, by its signature.

        What was signed together is so resent apart, and a schedule repeats bit for bit.
        """
        jitter = (bytes(flight.signature)[0] / (_JITTER_STEPS - 1) - 0.5) / 2
        factor = _HOPELESS_FACTOR if flight.is_hopeless else 1
        return self.resend_interval_s * factor * (1 + jitter)


ReadPace = Callable[[], Pace]
"""Read at every use: an operator may change it while attempts are in flight."""


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
    undone: int
    """Of these, the ones that it took out of the chain for good."""
    refused: int
    """Attempts that every endpoint refused for a reason that time does not cure."""


class InFlight:
    """The attempts of this process that the chain may still change; shared by `submit` and `land`.

    A flight is *watched* while its end is unknown or no node shows it there: it is asked about in every poll. Otherwise it is
    *followed*: looked at now and then until it is finalized. It is in the queue of its lane while its bytes may have to
    go out. So what a poll or a send costs follows from what is due, not from what is remembered.
    """

    def __init__(self) -> None:
        self._flights: dict[Signature, Flight] = {}
        self._of_job: dict[str, list[Flight]] = {}
        self._watched: dict[Signature, Flight] = {}
        self._followed: list[tuple[float, int, Flight]] = []
        self._due: dict[str, list[tuple[float, int, Flight]]] = {}
        self._turns: deque[str] = deque()
        # Running numbers keep the heaps from comparing flights.
        self._numbers: Iterator[int] = itertools.count()
        self._launched = trio.Event()
        self._polled = trio.Event()
        self._counts: Counter[str] = Counter()

    def launch(self, flight: Flight, *, first_send_in_s: float = 0.0) -> None:
        """Put a persisted attempt on its way."""
        for job in flight.jobs:
            formers = self._of_job.setdefault(job.job_id, [])
            for former in formers:
                former.is_superseded = True
            formers.append(flight)
        self._flights[flight.signature] = flight
        self._watched[flight.signature] = flight
        self._queue(flight, trio.current_time() + first_send_in_s)
        self._launched.set()
        self._launched = trio.Event()

    def find_undone_failure(self, jobs: Sequence[StoredJob]) -> Flight | None:
        """Find an attempt of one of these jobs whose failure a fork took back: its bytes may land yet."""
        for job in jobs:
            for flight in self._of_job.get(job.job_id, ()):
                if flight.is_undone_failure:
                    return flight
        return None

    def statistics(self) -> InFlightStatistics:
        """Count."""
        following = sum(flight.outcome is not None for flight in self._flights.values())
        return InFlightStatistics(
            open=len(self._flights) - following,
            following=following,
            sends=self._counts["sends"],
            resends=self._counts["resends"],
            moved=self._counts["moved"],
            undone=self._counts["undone"],
            refused=self._counts["refused"],
        )

    def count(self, what: Literal["sends", "resends", "moved", "undone", "refused"]) -> None:
        """Count one."""
        self._counts[what] += 1

    # Sending.

    async def wait_due(self, pace: ReadPace) -> Flight:
        """Wait for the next flight whose bytes must go out, lanes in turn, and schedule its next turn."""
        while (flight := self._take_due(trio.current_time(), pace())) is None:
            at_s = min((due[0][0] for due in self._due.values() if due), default=float("inf"))
            with trio.move_on_at(at_s):
                await self._launched.wait()
        return flight

    def _take_due(self, now_s: float, pace: Pace) -> Flight | None:
        for _ in range(len(self._turns)):
            self._turns.rotate(-1)
            due = self._due[self._turns[-1]]
            while due and due[0][0] <= now_s:
                flight = heapq.heappop(due)[2]
                flight.is_queued = False
                if not flight.needs_sending:
                    continue
                self._queue(flight, now_s + pace.resend_in_s(flight))
                if not flight.is_sending:
                    return flight
        return None

    def _queue(self, flight: Flight, at_s: float) -> None:
        if flight.is_queued:
            return
        if flight.lane not in self._due:
            self._due[flight.lane] = []
            self._turns.append(flight.lane)
        flight.is_queued = True
        heapq.heappush(self._due[flight.lane], (at_s, next(self._numbers), flight))

    # Asking.

    def to_poll(self, now_s: float) -> list[Flight]:
        """Choose the flights to ask about now: the watched ones always, the followed ones when it is time."""
        while self._followed and self._followed[0][0] <= now_s:
            flight = heapq.heappop(self._followed)[2]
            # Watched until the look has succeeded.
            if flight.signature in self._flights:
                self._watched[flight.signature] = flight
        return list(self._watched.values())

    def note_looked(self, flights: Sequence[Flight], now_s: float, pace: Pace) -> None:
        """Put away what has been asked about: forget it, follow it, or go on watching it."""
        for flight in flights:
            flight.was_looked_at = True
            if flight.outcome is not None and flight.outcome.is_finalized:
                self._flights.pop(flight.signature, None)
                self._watched.pop(flight.signature, None)
                flight.is_forgotten = True
                self._forget_jobs(flight)
            elif flight.is_visible and flight.is_as_recorded:
                self._watched.pop(flight.signature, None)
                again_s = now_s + pace.finality_interval_s
                heapq.heappush(self._followed, (again_s, next(self._numbers), flight))
            elif flight.needs_sending and not flight.is_queued:
                self._queue(flight, now_s)
                self._launched.set()
                self._launched = trio.Event()
        self._polled.set()
        self._polled = trio.Event()

    def _forget_jobs(self, flight: Flight) -> None:
        for job in flight.jobs:
            flights = self._of_job[job.job_id]
            flights.remove(flight)
            if not flights:
                del self._of_job[job.job_id]

    # Waiting.

    async def wait_launched(self) -> None:
        """Wait for the next flight."""
        await self._launched.wait()

    async def wait_looked(self) -> None:
        """Wait until some flights have been asked about."""
        await self._polled.wait()

    async def wait_all_ended(self, until: Literal["confirmed", "finalized"]) -> None:
        """Wait until every attempt has ended as firmly as asked: what a drain waits for."""
        for flight in list(self._flights.values()):
            await flight.wait_ended(until)

    def is_empty(self) -> bool:
        """Whether nothing is on its way."""
        return not self._flights
