"""Several endpoints of one cluster: each call is admitted, timed, checked for its age and its cluster, and counted.

Shell. What an answer means is decided in standing.py, breaker.py and endpoint_choice.py; here it is asked, and told.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

import structlog
import trio
from solders.hash import Hash

from programs.breaker import Breaker, BreakerState, Setback
from programs.endpoint_choice import Rank, order_for_read, rank_of, recipients
from programs.endpoint_counts import Counts, EndpointStatistics
from programs.outage import Outage, is_told
from programs.rpc import (
    Commitment,
    ProgramRows,
    RpcBadReply,
    RpcBehind,
    RpcError,
    RpcFailure,
    RpcIncomplete,
    RpcOtherCluster,
    RpcUnavailable,
)
from programs.rpc_replies import parse_reply
from programs.rpc_settings import RpcSettings
from programs.rpc_transport import Endpoint, ReadBody, Reply
from programs.standing import Hearing, Standing, newest_mark

T = TypeVar("T")

OTHER_CLUSTER: Final = "other_cluster"
"""Why an endpoint is set aside: it serves another cluster."""
_MILLISECONDS: Final = 1_000
_NODE_BEHIND: Final = -32005
_MIN_SLOT_NOT_REACHED: Final = -32016
_FORBIDDEN: Final = frozenset({401, 402, 403})
_REFUSALS: Final = _FORBIDDEN | {429}
_TAKES_MIN_SLOT: Final = frozenset(
    {
        "getSlot",
        "getBlockHeight",
        "getEpochInfo",
        "getLatestBlockhash",
        "getBalance",
        "getAccountInfo",
        "getMultipleAccounts",
        "getProgramAccounts",
        "simulateTransaction",
    }
)
"""Methods with a minContextSlot. Source: agave rpc-client-api/src/config.rs."""
_WAITING_MAX: Final = 64
"""Sends that wait for a place at one endpoint; beyond it that endpoint is passed over, for the bytes are resent anyway."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[T]):
    """What is asked, and how an answer is read."""

    method: str
    params: tuple[object, ...] = ()
    """With the options, where there are any, last."""
    commitment: Commitment = "finalized"
    """At which the answer's slot counts."""
    parse: Callable[[Any], T]
    check: Callable[[T, int], None] | None = None
    """Raises RpcFailure for an answer, of that endpoint, that is not to be believed."""
    timeout_s: float | None = None
    """Instead of the usual one."""
    read: ReadBody | None = None
    """Takes the body of the reply instead of a JSON parser; what it returns is parsed in its place."""
    is_send: bool = False
    """No answer about the chain: neither its age nor the endpoint's cluster matters."""
    is_visit: bool = False
    """Asked to judge the endpoint: it answers even when it is set aside."""


class Pool:
    """The endpoints of one cluster, and their standing."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        settings: RpcSettings,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Begin with endpoints that are all as good as each other.

        Args:
            endpoints: the first one is asked first.
            settings: limits, and the breakers' rules.
            draw: from 0 up to 1, for the jitter of probes.

        """
        count = len(endpoints)
        self.endpoints: Final = tuple(endpoints)
        self.settings: Final = settings
        self.genesis_hash: Hash | None = None
        """The cluster that this client is for: whatever the first answer was about."""
        self.dispute: str | None = None
        """What endpoints contradict each other about, while nobody can say who is right."""
        self._draw = draw
        self._standings = [Standing() for _ in endpoints]
        self._counts = [Counts() for _ in endpoints]
        self._places: dict[tuple[int, str], trio.CapacityLimiter] = {}
        self._proven = [0] * count
        """How many of its connections an endpoint had when it last said which cluster it serves."""
        self._proofs = [trio.Lock() for _ in endpoints]
        self._preferred = 0
        self._stranger: RpcOtherCluster | None = None
        """What was said by the endpoint that was last found to serve another cluster."""
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
            max_lag_slots=self.settings.max_lag_slots,
        )
        if found:
            rank = rank_of(self._standings[found[0]], now_s, self.settings.max_lag_slots)
            if rank is Rank.GOOD:
                self._badness.note_success()
            else:
                first = self.endpoints[found[0]].name
                self._badness.note_failure(
                    f"no endpoint is good: {first} is asked all the same, though {rank.name.lower()}"
                )
        return found

    def _places_of(self, number: int, method: str) -> trio.CapacityLimiter:
        """Return the places of one method at one endpoint: a flood of one kind of question delays no other."""
        key = number, method
        if key not in self._places:
            self._places[key] = trio.CapacityLimiter(self.settings.concurrency)
        return self._places[key]

    def recipients(self, method: str) -> tuple[int, ...]:
        """Return whom a transaction is sent to; who has too many waiting is passed over while others have not."""
        found = recipients(self._standings, trio.current_time())
        free = tuple(
            number
            for number in found
            if self._places_of(number, method).statistics().tasks_waiting < _WAITING_MAX
        )
        for number in set(found) - set(free or found):
            self._counts[number].failures["crowded"] += 1
        return free or found

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
        """Say why nobody may be asked, when every endpoint is set aside."""
        reasons = {standing.aside for standing in self._standings}
        if reasons == {OTHER_CLUSTER} and self.genesis_hash is not None and self._stranger:
            return self._stranger
        named = "; ".join(
            f"{endpoint.name}: {standing.aside}"
            for endpoint, standing in zip(self.endpoints, self._standings, strict=True)
        )
        return RpcUnavailable(f"no endpoint is believed ({named})")

    # Asking

    async def ask(self, number: int, question: Question[T]) -> T:
        """Ask one endpoint once.

        Raises:
            RpcFailure: it gave no answer that can be believed now.

        """
        try:
            async with self._places_of(number, question.method):
                reply = await self._call(number, question)
            if not question.is_send:
                await self._prove(number)
                if not (self._standings[number].is_believed or question.is_visit):
                    raise self._not_believed(number)
                self._refuse_old(number, question, reply.result)
            answer = await self._parse(question, reply)
            if question.check is not None:
                question.check(answer, number)
        except RpcFailure as failure:
            self._note_failure(number, failure)
            raise
        self._become(number, self._standings[number].breaker.succeed())
        return answer

    async def _call(self, number: int, question: Question[Any]) -> Reply:
        now_s = trio.current_time()
        breaker = self._standings[number].breaker
        self._become(number, breaker.admit(self.settings.breaker_rules, now_s))
        self._counts[number].calls += 1
        try:
            reply = await self.endpoints[number].call(
                question.method,
                self._with_min_slot(question),
                timeout_s=question.timeout_s,
                read=question.read,
            )
        except RpcError as error:
            if error.code == _MIN_SLOT_NOT_REACHED:
                raise self._behind(number, question, error) from error
            raise
        self._counts[number].latencies_s.append(trio.current_time() - now_s)
        return reply

    async def _parse(self, question: Question[T], reply: Reply) -> T:
        if not reply.is_large:
            return parse_reply(question.parse, question.method, reply.result)
        return await trio.to_thread.run_sync(
            parse_reply, question.parse, question.method, reply.result
        )

    # Age

    def _with_min_slot(self, question: Question[Any]) -> tuple[object, ...]:
        if question.method not in _TAKES_MIN_SLOT:
            return question.params
        newest = newest_mark(self._standings, question.commitment, trio.current_time())
        least = 0 if newest is None else newest.slot - self.settings.max_lag_slots
        if least <= 0:
            return question.params
        *params, options = question.params
        assert isinstance(options, dict), "each of these methods is asked with options"
        return (*params, options | {"minContextSlot": least})

    def _refuse_old(self, number: int, question: Question[Any], result: object) -> None:
        slot = _slot_in(question.method, result)
        if slot is not None:
            self._hear(number, question, slot)

    def _hear(self, number: int, question: Question[Any], slot: int) -> None:
        """Take in the slot of an answer.

        Raises:
            RpcBehind: it is too old to be data.
            RpcBadReply: it is too new to be true.

        """
        now_s = trio.current_time()
        newest = newest_mark(self._standings, question.commitment, now_s)
        max_lag = self.settings.max_lag_slots
        self._standings[number], hearing = self._standings[number].hear(
            slot, question.commitment, newest, now_s, max_lag
        )
        where = f"{question.method} at {self.endpoints[number].name}"
        if hearing is Hearing.BEHIND and newest is not None:
            behind = newest.slot - slot
            raise RpcBehind(
                f"{where}: slot {slot} is {behind} behind the newest heard, at most {max_lag} are allowed"
            )
        if hearing is Hearing.INCREDIBLE and newest is not None:
            raise RpcBadReply(
                f"{where}: slot {slot} is {slot - newest.slot} ahead of the newest heard: not believed until said twice"
            )

    def _behind(self, number: int, question: Question[Any], error: RpcError) -> RpcBehind:
        """Read the node's own word that it is behind."""
        slot = error.data.get("contextSlot") if isinstance(error.data, dict) else None
        if isinstance(slot, int) and slot >= 0:
            try:
                self._hear(number, question, slot)
            except RpcFailure as failure:
                if isinstance(failure, RpcBehind):
                    return failure
        return RpcBehind(f"{question.method} at {self.endpoints[number].name}: {error.message}")

    # Cluster

    async def _prove(self, number: int) -> None:
        """Ask which cluster the endpoint serves, when it has answered on a connection that has not been asked yet.

        A chain that is replaced behind an address is reached by new connections only; proxies that keep theirs are found
        out by the rounds of endpoint_watch.py.

        Raises:
            RpcFailure: it does not say.

        """
        endpoint = self.endpoints[number]
        if self._proven[number] < endpoint.connections:
            async with self._proofs[number]:
                if self._proven[number] < endpoint.connections:
                    await self._identify(number)

    async def identify(self, number: int) -> bool:
        """Ask an endpoint which cluster it serves; set it aside, or believe it again. Return whether it is ours.

        Raises:
            RpcFailure: it does not say.

        """
        try:
            await self._identify(number)
        except RpcFailure as failure:
            self._note_failure(number, failure)
            raise
        return self._standings[number].aside != OTHER_CLUSTER

    async def _identify(self, number: int) -> None:
        endpoint = self.endpoints[number]
        connections = endpoint.connections
        breaker = self._standings[number].breaker
        self._become(number, breaker.admit(self.settings.breaker_rules, trio.current_time()))
        self._counts[number].calls += 1
        reply = await endpoint.call("getGenesisHash", ())
        found = parse_reply(Hash.from_string, "getGenesisHash", reply.result)
        # Its own connection is proven by the answer, one opened meanwhile is not.
        self._proven[number] = max(connections, min(endpoint.connections, connections + 1))
        if self.genesis_hash is None:
            self.genesis_hash = found
        if found != self.genesis_hash:
            self._stranger = RpcOtherCluster(
                f"{endpoint.name} serves another cluster (genesis {found}), expected {self.genesis_hash}",
                found=found,
                expected=self.genesis_hash,
            )
            self.set_aside(number, OTHER_CLUSTER, str(self._stranger))
        else:
            self.believe_again(number, OTHER_CLUSTER)

    def set_aside(self, number: int, reason: str, words: str) -> None:
        """Believe nothing more that an endpoint says; told once."""
        if self._standings[number].aside == reason:
            return
        self._standings[number] = replace(self._standings[number].forget_slots(), aside=reason)
        self._counts[number].failures[f"set_aside_{reason}"] += 1
        log.warning("endpoint.set_aside", endpoint=self.endpoints[number].name, reason=words)

    def believe_again(self, number: int, reason: str) -> None:
        """End what `set_aside` began for this reason."""
        if self._standings[number].aside != reason:
            return
        self._standings[number] = replace(self._standings[number], aside=None)
        log.info("endpoint.believed_again", endpoint=self.endpoints[number].name)

    def _not_believed(self, number: int) -> RpcFailure:
        standing = self._standings[number]
        if standing.aside == OTHER_CLUSTER and self._stranger is not None:
            return self._stranger
        return RpcUnavailable(f"{self.endpoints[number].name} is set aside: {standing.aside}")

    # What is learned

    def clock(self, number: int, took_s: float) -> None:
        """Take in how long the question took that all endpoints are asked alike."""
        self._standings[number] = self._standings[number].clock(took_s)

    def statistics(self) -> tuple[EndpointStatistics, ...]:
        """Return what was asked of each endpoint, and how it answered."""
        return tuple(
            counts.statistics(endpoint.name, standing)
            for endpoint, counts, standing in zip(
                self.endpoints, self._counts, self._standings, strict=True
            )
        )

    def _note_failure(self, number: int, failure: RpcFailure) -> None:
        self._counts[number].failures[failure.kind] += 1
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
            number, breaker.fail(self.settings.breaker_rules, setback, now_s, self._draw())
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
                    else min(wish_s, self.settings.retry_after_max_s),
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
            if is_told(breaker.openings):
                log.warning(
                    "endpoint.opened",
                    endpoint=self.endpoints[number].name,
                    reason=breaker.reason,
                    openings=breaker.openings,
                    probe_in_ms=round(breaker.wait_s(trio.current_time()) * _MILLISECONDS),
                )
        elif breaker.state is BreakerState.CLOSED and before.state is not BreakerState.CLOSED:
            log.info(
                "endpoint.closed", endpoint=self.endpoints[number].name, openings=before.openings
            )


def _slot_in(method: str, result: object) -> int | None:
    """Find the slot an answer is about; None when it does not say, or is malformed, which parsing will find."""
    match result:
        case {"context": {"slot": int(slot)}} | {"absoluteSlot": int(slot)}:
            pass
        case ProgramRows(slot=slot):
            return slot
        case int(slot) if method == "getSlot":
            pass
        case _:
            return None
    return slot if not isinstance(slot, bool) and slot >= 0 else None
