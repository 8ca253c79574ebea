"""Several endpoints of one cluster: each call is admitted, timed, checked for its age and its cluster, and counted.

Shell. What is learned of the endpoints is in endpoint_book.py.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import trio
from solders.hash import Hash

from programs.endpoint_book import OTHER_CLUSTER, Book
from programs.endpoint_choice import recipients
from programs.patience import Patience
from programs.rpc import RpcBehind, RpcError, RpcFailure, RpcOtherCluster
from programs.rpc_question import Question, slot_in
from programs.rpc_replies import parse_reply
from programs.rpc_settings import RpcSettings
from programs.rpc_transport import Endpoint, Reply

T = TypeVar("T")

_MIN_SLOT_NOT_REACHED: Final = -32016
_WAITING_MAX: Final = 64
"""Sends that wait for a place at one endpoint; beyond it that endpoint is passed over, for the bytes are resent anyway."""


class Pool:
    """The endpoints of one cluster."""

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
        self.endpoints: Final = tuple(endpoints)
        self.settings: Final = settings
        self.book: Final = Book([each.name for each in endpoints], settings, draw)
        self.patience: Final[defaultdict[str, Patience]] = defaultdict(Patience)
        """By kind of question: when another endpoint is asked beside the first."""
        self.genesis_hash: Hash | None = None
        """The cluster that this client is for: whatever the first answer was about."""
        self.dispute: str | None = None
        """What endpoints contradict each other about, while nobody can say who is right."""
        self._places: dict[tuple[int, str], trio.CapacityLimiter] = {}
        self._proven = [0] * len(endpoints)
        """How many of its connections an endpoint had when it last said which cluster it serves."""
        self._proofs = [trio.Lock() for _ in endpoints]

    def _places_of(self, number: int, method: str) -> trio.CapacityLimiter:
        """Return the places of one method at one endpoint: a flood of one kind of question delays no other."""
        key = number, method
        if key not in self._places:
            self._places[key] = trio.CapacityLimiter(self.settings.concurrency)
        return self._places[key]

    def recipients(self, method: str) -> tuple[int, ...]:
        """Return whom a transaction is sent to; who has too many waiting is passed over while others have not."""
        found = recipients(self.book.standings, trio.current_time())
        free = tuple(
            number
            for number in found
            if self._places_of(number, method).statistics().tasks_waiting < _WAITING_MAX
        )
        for number in set(found) - set(free or found):
            self.book.counts[number].failures["crowded"] += 1
        return free or found

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
                if not (self.book.standings[number].is_believed or question.is_visit):
                    raise self.book.not_believed(number)
                slot = slot_in(question.method, reply.result)
                if slot is not None:
                    self.book.hear(number, question.method, question.commitment, slot)
            answer = await self._parse(question, reply)
            if question.check is not None:
                question.check(answer, number)
        except RpcFailure as failure:
            self.book.note_failure(number, failure)
            raise
        self.book.succeed(number)
        return answer

    async def _call(self, number: int, question: Question[Any]) -> Reply:
        now_s = trio.current_time()
        self.book.begin(number)
        try:
            reply = await self.endpoints[number].call(
                question.method,
                question.params_from(self.book.least_slot(question.commitment)),
                timeout_s=question.timeout_s,
                read=question.read,
            )
        except RpcError as error:
            if error.code == _MIN_SLOT_NOT_REACHED:
                raise self._behind(number, question, error) from error
            raise
        self.book.counts[number].latencies_s.append(trio.current_time() - now_s)
        return reply

    async def _parse(self, question: Question[T], reply: Reply) -> T:
        if not reply.is_large:
            return parse_reply(question.parse, question.method, reply.result)
        return await trio.to_thread.run_sync(
            parse_reply, question.parse, question.method, reply.result
        )

    def _behind(self, number: int, question: Question[Any], error: RpcError) -> RpcBehind:
        """Read the node's own word that it is behind."""
        slot = error.data.get("contextSlot") if isinstance(error.data, dict) else None
        if isinstance(slot, int) and slot >= 0:
            try:
                self.book.hear(number, question.method, question.commitment, slot)
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
            self.book.note_failure(number, failure)
            raise
        return self.book.standings[number].aside != OTHER_CLUSTER

    async def _identify(self, number: int) -> None:
        endpoint = self.endpoints[number]
        connections = endpoint.connections
        self.book.begin(number)
        reply = await endpoint.call("getGenesisHash", ())
        found = parse_reply(Hash.from_string, "getGenesisHash", reply.result)
        # Its own connection is proven by the answer, one opened meanwhile is not.
        self._proven[number] = max(connections, min(endpoint.connections, connections + 1))
        if self.genesis_hash is None:
            self.genesis_hash = found
        if found != self.genesis_hash:
            self.book.stranger = RpcOtherCluster(
                f"{endpoint.name} serves another cluster (genesis {found}), expected {self.genesis_hash}",
                found=found,
                expected=self.genesis_hash,
            )
            self.book.set_aside(number, OTHER_CLUSTER, str(self.book.stranger))
        else:
            self.book.believe_again(number, OTHER_CLUSTER)
