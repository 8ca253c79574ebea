"""The standing of every endpoint: what is learned from each call, who is asked next, and what operators are told of it.

Shell without I/O: it reads the clock and logs. What is learned is decided in standing.py, breaker.py and endpoint_choice.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog
import trio

from programs.breaker import Breaker, BreakerState, Setback
from programs.endpoint_choice import Rank, order_for_read, rank_of
from programs.endpoint_counts import Counts, EndpointStatistics
from programs.flaps import Flaps
from programs.outage import Outage
from programs.rpc import (
    Commitment,
    RpcBadReply,
    RpcBehind,
    RpcError,
    RpcFailure,
    RpcIncomplete,
    RpcLeftAlone,
    RpcOtherCluster,
    RpcUnavailable,
)
from programs.rpc_settings import RpcSettings
from programs.standing import Hearing, Standing, newest_mark

OTHER_CLUSTER: Final = "other_cluster"
"""Why an endpoint is set aside: it serves another cluster."""
_MILLISECONDS: Final = 1_000
_NODE_BEHIND: Final = -32005
_FORBIDDEN: Final = frozenset({401, 402, 403})
_REFUSALS: Final = _FORBIDDEN | {429}

log = structlog.get_logger()


class Book:
    """What is known of the endpoints, by their numbers."""

    def __init__(
        self, names: Sequence[str], settings: RpcSettings, draw: Callable[[], float]
    ) -> None:
        """Begin with endpoints that are all as good as each other.

        Args:
            names: what may be shown of each; those of one host are numbered, so that each has figures of its own.
            settings: limits, and the breakers' rules.
            draw: from 0 up to 1, for the jitter of probes.

        """
        self.names: Final = _told_apart(names)
        self.counts: Final = tuple(Counts() for _ in names)
        self.stranger: RpcOtherCluster | None = None
        """What was said by the endpoint that was last found to serve another cluster."""
        self._settings: Final = settings
        self._draw: Final = draw
        self._standings = [Standing() for _ in names]
        self._preferred = 0
        self._flaps = [Flaps() for _ in names]
        self._badness = Outage(subject="endpoints")

    # Who is asked

    @property
    def standings(self) -> tuple[Standing, ...]:
        """What is known of each endpoint now."""
        return tuple(self._standings)

    def order(self) -> tuple[int, ...]:
        """Return who is asked now, first to last."""
        now_s = trio.current_time()
        found = order_for_read(
            self._standings,
            preferred=self._preferred,
            now_s=now_s,
            max_lag_slots=self._settings.max_lag_slots,
        )
        if found:
            rank = rank_of(self._standings[found[0]], now_s, self._settings.max_lag_slots)
            if rank is Rank.GOOD:
                self._badness.note_success()
            elif len(self.names) > 1:
                first = self.names[found[0]]
                self._badness.note_failure(
                    f"no endpoint is good: {first} is asked all the same ({rank.words})"
                )
        return found

    def ready(self) -> tuple[int, ...]:
        """Return whose breaker lets a call through now, best first."""
        now_s, max_lag = trio.current_time(), self._settings.max_lag_slots
        found = order_for_read(
            self._standings, preferred=self._preferred, now_s=now_s, max_lag_slots=max_lag
        )
        return tuple(
            number
            for number in found
            if rank_of(self._standings[number], now_s, max_lag) is not Rank.OPEN
        )

    def prefer(self, number: int) -> None:
        """Ask this endpoint first from now on, unless another one is clearly better."""
        self._preferred = number

    def is_askable(self, number: int) -> bool:
        """Whether a probe may go: the breaker lets it through, and the endpoint has no wish to be left alone."""
        standing, now_s = self._standings[number], trio.current_time()
        return standing.breaker.wait_s(now_s) <= 0 and standing.left_alone_until_s <= now_s

    def free_in_s(self) -> float:
        """Return when the first believed endpoint may be asked again; infinite when none is believed."""
        now_s = trio.current_time()
        waits = [
            standing.left_alone_until_s - now_s
            for standing in self._standings
            if standing.is_believed
        ]
        return max(min(waits, default=float("inf")), 0)

    def nobody(self) -> RpcFailure:
        """Say why nobody may be asked: every endpoint is set aside, or asked to be left alone."""
        wait_s = self.free_in_s()
        if wait_s < float("inf"):
            return RpcLeftAlone(
                f"every endpoint asked to be left alone, the first for {wait_s:.1f} s"
            )
        reasons = {standing.aside for standing in self._standings}
        if reasons == {OTHER_CLUSTER} and self.stranger is not None:
            return self.stranger
        named = "; ".join(
            f"{name}: {standing.aside}"
            for name, standing in zip(self.names, self._standings, strict=True)
        )
        return RpcUnavailable(f"no endpoint is believed ({named})")

    # Age

    def least_slot(self, commitment: Commitment) -> int:
        """Return the oldest slot that an answer may be about now; 0 when nothing was heard yet."""
        newest = newest_mark(self._standings, commitment, trio.current_time())
        return 0 if newest is None else max(newest.slot - self._settings.max_lag_slots, 0)

    def hear(self, number: int, method: str, commitment: Commitment, slot: int) -> None:
        """Take in the slot of an answer.

        Raises:
            RpcBehind: it is too old to be data.
            RpcBadReply: it is too new to be true.

        """
        now_s = trio.current_time()
        newest = newest_mark(self._standings, commitment, now_s)
        max_lag = self._settings.max_lag_slots
        self._standings[number], hearing = self._standings[number].hear(
            slot, commitment, newest, now_s, max_lag
        )
        where = f"{method} at {self.names[number]}"
        if hearing is Hearing.BEHIND and newest is not None:
            behind = newest.slot - slot
            raise RpcBehind(
                f"{where}: slot {slot} is {behind} behind the newest heard, at most {max_lag} are allowed"
            )
        if hearing is Hearing.INCREDIBLE and newest is not None:
            raise RpcBadReply(
                f"{where}: slot {slot} is {slot - newest.slot} ahead of the newest heard: not believed until said twice"
            )

    # Whose word counts

    def set_aside(self, number: int, reason: str, words: str) -> None:
        """Believe nothing more that an endpoint says; told once."""
        if self._standings[number].aside == reason:
            return
        self._standings[number] = replace(self._standings[number].forget_slots(), aside=reason)
        self.counts[number].failures[f"set_aside_{reason}"] += 1
        log.warning("endpoint.set_aside", endpoint=self.names[number], reason=words)

    def believe_again(self, number: int, reason: str) -> None:
        """End what `set_aside` began for this reason."""
        if self._standings[number].aside != reason:
            return
        self._standings[number] = replace(self._standings[number], aside=None)
        log.info("endpoint.believed_again", endpoint=self.names[number])

    def not_believed(self, number: int) -> RpcFailure:
        """Say why an answer of an endpoint that is set aside is no data."""
        standing = self._standings[number]
        if standing.aside == OTHER_CLUSTER and self.stranger is not None:
            return self.stranger
        return RpcUnavailable(f"{self.names[number]} is set aside: {standing.aside}")

    # What is learned

    def begin(self, number: int) -> None:
        """Note that an endpoint is asked now."""
        self.counts[number].calls += 1
        breaker = self._standings[number].breaker
        self._become(number, breaker.admit(self._settings.breaker_rules, trio.current_time()))

    def succeed(self, number: int) -> None:
        """Note an answer that could be read."""
        self._become(number, self._standings[number].breaker.succeed())

    def clock(self, number: int, took_s: float) -> None:
        """Take in how long the question took that all endpoints are asked alike."""
        self._standings[number] = self._standings[number].clock(took_s)

    def outrun(self, number: int, waited_s: float, by: int, took_s: float) -> None:
        """Note that another endpoint, asked later, was first: both were asked alike, and one takes so long at least."""
        self.counts[number].failures["outrun"] += 1
        self.clock(number, waited_s)
        self.clock(by, took_s)

    def trail(self, number: int, slots: int) -> None:
        """Take in how far an endpoint was behind the newest when all were asked alike."""
        self._standings[number] = self._standings[number].trail(slots)

    def statistics(self) -> tuple[EndpointStatistics, ...]:
        """Return what was asked of each endpoint, and how it answered."""
        return tuple(
            counts.statistics(name, standing)
            for name, counts, standing in zip(self.names, self.counts, self._standings, strict=True)
        )

    def note_failure(self, number: int, failure: RpcFailure) -> None:
        """Count a failure, and let the breaker learn from it."""
        self.counts[number].failures[failure.kind] += 1
        breaker = self._standings[number].breaker
        setback = self._setback_of(failure)
        if setback is None:
            self._become(number, breaker.succeed())
            return
        now_s = trio.current_time()
        if setback.retry_after_s is not None:
            standing = self._standings[number]
            until_s = max(standing.left_alone_until_s, now_s + setback.retry_after_s)
            self._standings[number] = replace(standing, left_alone_until_s=until_s)
        self._become(
            number, breaker.fail(self._settings.breaker_rules, setback, now_s, self._draw())
        )

    def _setback_of(self, failure: RpcFailure) -> Setback | None:
        """Say what a failure means for the calls after it; None when the endpoint answered all the same."""
        match failure:
            case RpcError():
                if failure.is_limit:
                    return Setback(reason=failure.kind, is_refusal=True)
                return Setback(reason=failure.kind) if failure.code == _NODE_BEHIND else None
            case RpcBadReply():
                wish_s = failure.retry_after_s
                return Setback(
                    reason=failure.kind,
                    is_refusal=failure.status in _REFUSALS,
                    is_lasting=failure.status in _FORBIDDEN,
                    retry_after_s=None
                    if wish_s is None
                    else min(wish_s, self._settings.retry_after_max_s),
                )
            case RpcBehind() | RpcIncomplete() | RpcOtherCluster():
                return None
            case _:
                return Setback(reason=failure.kind)

    def _become(self, number: int, breaker: Breaker) -> None:
        before = self._standings[number].breaker
        if breaker is before:
            return
        self._standings[number] = replace(self._standings[number], breaker=breaker)
        if breaker.state is BreakerState.OPEN and before.state is not BreakerState.OPEN:
            # Where there is no other endpoint, whoever asked tells of it: a command says one sentence, not two.
            if len(self.names) > 1 and self._flaps[number].tells_opening(
                breaker.openings, trio.current_time()
            ):
                log.warning(
                    "endpoint.opened",
                    endpoint=self.names[number],
                    reason=breaker.reason,
                    openings=breaker.openings,
                    outages_untold=self._flaps[number].take_untold(),
                    probe_in_ms=round(breaker.wait_s(trio.current_time()) * _MILLISECONDS),
                )
        elif (
            breaker.state is BreakerState.CLOSED
            and before.state is not BreakerState.CLOSED
            and self._flaps[number].tells_closing()
        ):
            log.info("endpoint.closed", endpoint=self.names[number], openings=before.openings)


def _told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of which none is another's: two keys at one provider look the same without their keys."""
    return tuple(
        f"{name} #{names[: number + 1].count(name)}" if names.count(name) > 1 else name
        for number, name in enumerate(names)
    )
