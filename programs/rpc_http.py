"""`Rpc` over HTTP: what each method asks, and how its answer is read. Who is asked: rpc_pool.py, rpc_reads.py, rpc_sends.py."""

import json
import logging
import math
import random
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx
import trio
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.agreement import Landmark
from programs.completeness import Census
from programs.endpoint_counts import EndpointStatistics
from programs.endpoint_watch import watch_endpoints
from programs.errands import open_errands
from programs.rpc import (
    Account,
    Accounts,
    Commitment,
    Filter,
    LatestBlockhash,
    ProgramAccounts,
    RpcBehind,
    RpcFailure,
    RpcIncomplete,
    SettledStatuses,
    SignatureStatus,
    Simulation,
    TransactionFacts,
)
from programs.rpc_pool import Pool, Question
from programs.rpc_reads import read, read_with
from programs.rpc_replies import (
    read_account,
    read_accounts,
    read_blockhash,
    read_epoch,
    read_facts,
    read_fees,
    read_number,
    read_program_accounts,
    read_simulation,
    read_slot,
    read_statuses,
)
from programs.rpc_sends import send_everywhere
from programs.rpc_settings import RpcSettings
from programs.rpc_transport import Endpoint
from programs.units import BlockHeight, Lamports, MicroLamports, Slot

T = TypeVar("T")

ACCOUNTS_PER_CALL: Final = 100
STATUSES_PER_CALL: Final = 256
FEE_ACCOUNTS_PER_CALL: Final = 128
"""Source: agave rpc-client-api/src/request.rs."""
_CENSUSES_MAX: Final = 256
"""Questions for a program's accounts whose count is remembered."""
_KEEPALIVE_S: Final = 30.0
"""A new connection has to say which cluster it is of: keep the old ones while they are of use."""


@asynccontextmanager
async def open_rpc(
    urls: Sequence[str],
    settings: RpcSettings,
    *,
    draw: Callable[[], float] = random.random,
) -> AsyncGenerator["HttpRpc"]:
    """Open a connection pool to each endpoint; the first url is asked first.

    Args:
        urls: of one cluster.
        settings: how patiently to ask.
        draw: from 0 up to 1, for the jitter of probes.

    """
    if not urls:
        raise ValueError("no RPC endpoint is configured: expected at least one url")
    # Room for reads, sends and the question after the cluster; its own for each, so that one that hangs takes none.
    limits = httpx.Limits(max_connections=3 * settings.concurrency, keepalive_expiry=_KEEPALIVE_S)
    # httpx logs every request with its whole url, and a provider's url holds its key.
    httpx_log = logging.getLogger("httpx")
    httpx_log.addFilter(_tells_no_url)
    try:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(httpx.AsyncClient(timeout=None, limits=limits))  # noqa: S113 - every call is under fail_after
                for _ in urls
            ]
            errands = await stack.enter_async_context(open_errands())
            yield HttpRpc.over(clients, urls, settings, errands, draw=draw)
    finally:
        httpx_log.removeFilter(_tells_no_url)


def _tells_no_url(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


@dataclass(slots=True, eq=False)
class HttpRpc:
    """The `Rpc` of a real cluster."""

    pool: Pool
    _errands: trio.Nursery = field(repr=False)
    _censuses: dict[str, Census] = field(default_factory=dict, repr=False)

    @classmethod
    def over(
        cls,
        clients: Sequence[httpx.AsyncClient],
        urls: Sequence[str],
        settings: RpcSettings,
        errands: trio.Nursery,
        *,
        draw: Callable[[], float] = random.random,
    ) -> "HttpRpc":
        """Build it over clients of the caller's, one for each url."""
        endpoints = [
            Endpoint(
                url=url,
                client=client,
                try_timeout_s=settings.try_timeout_s,
                body_bytes_max=settings.body_bytes_max,
            )
            for url, client in zip(urls, clients, strict=True)
        ]
        return cls(Pool(endpoints, settings, draw=draw), errands)

    def watch_endpoints(self, landmark: Landmark | None) -> None:
        """Begin to hold the endpoints against each other, for as long as this is open.

        Args:
            landmark: bytes that each of them must serve; None compares blocks and clusters only.

        """
        self._errands.start_soon(watch_endpoints, self.pool, landmark)

    def statistics(self) -> tuple[EndpointStatistics, ...]:
        """Return what was asked of each endpoint so far, and how it answered."""
        return self.pool.statistics()

    async def get_slot(self, commitment: Commitment) -> Slot:
        """Read the current slot."""
        return Slot(await self._read(read_number, "getSlot", {"commitment": commitment}))

    async def get_block_height(self, commitment: Commitment) -> BlockHeight:
        """Read the current block height."""
        found = await self._read(read_number, "getBlockHeight", {"commitment": commitment})
        return BlockHeight(found)

    async def get_genesis_hash(self) -> Hash:
        """Read which cluster this is. The first answer binds: endpoints of another cluster are set aside from then on."""
        return await self._read(Hash.from_string, "getGenesisHash")

    async def get_latest_blockhash(self, commitment: Commitment) -> LatestBlockhash:
        """Read a blockhash to sign with.

        Raises:
            RpcOtherCluster: every endpoint that answers serves another cluster than at the beginning.
            RpcDisputed: endpoints contradict each other about what is finalized.

        """
        return await self._read(
            read_blockhash, "getLatestBlockhash", {"commitment": commitment}, is_proof=True
        )

    async def get_balance(self, address: Pubkey, commitment: Commitment) -> Lamports:
        """Read an account's lamports, 0 if there is none."""
        options = {"commitment": commitment}
        return await self._read(
            lambda found: Lamports(int(found["value"])), "getBalance", str(address), options
        )

    async def get_account(self, address: Pubkey, commitment: Commitment) -> Account | None:
        """Read an account."""
        options = {"commitment": commitment, "encoding": "base64"}
        return await self._read(
            lambda found: read_account(found["value"]), "getAccountInfo", str(address), options
        )

    async def get_multiple_accounts(
        self, addresses: Sequence[Pubkey], commitment: Commitment
    ) -> Accounts:
        """Read accounts, 100 to a call, several calls at once."""
        options = {"commitment": commitment, "encoding": "base64"}

        async def read(chunk: Sequence[Pubkey]) -> Accounts:
            names = [str(address) for address in chunk]
            return await self._read(
                lambda found: read_accounts(found, len(names)),
                "getMultipleAccounts",
                names,
                options,
            )

        chunks = await _in_chunks(read, addresses, ACCOUNTS_PER_CALL)
        return Accounts(
            slot=min((chunk.slot for chunk in chunks), default=Slot(0)),
            accounts=tuple(account for chunk in chunks for account in chunk.accounts),
        )

    async def get_program_accounts(
        self,
        program: Pubkey,
        commitment: Commitment,
        *,
        filters: Sequence[Filter] = (),
        data_slice: tuple[int, int] | None = None,
    ) -> ProgramAccounts:
        """Read a program's accounts; `data_slice` is (offset, length)."""
        options: dict[str, object] = {
            "commitment": commitment,
            "encoding": "base64",
            "withContext": True,
        }
        if filters:
            options["filters"] = [dict(each) for each in filters]
        if data_slice is not None:
            options["dataSlice"] = {"offset": data_slice[0], "length": data_slice[1]}
        asked = json.dumps([str(program), options["filters"]]) if filters else str(program)

        def count(found: ProgramAccounts, number: int) -> None:
            self._count(asked, len(found.accounts), number)

        return await read(
            self.pool,
            Question(
                method="getProgramAccounts",
                params=(str(program), options),
                commitment=commitment,
                parse=lambda found: read_program_accounts(found, program),
                check=count,
                timeout_s=self.pool.settings.scan_timeout_s,
            ),
        )

    def _count(self, asked: str, count: int, number: int) -> None:
        """Refuse a list that has become implausibly short.

        Raises:
            RpcIncomplete: it has, and nobody has confirmed it.

        """
        census = self._censuses.pop(asked, Census())
        if len(self._censuses) >= _CENSUSES_MAX:
            del self._censuses[next(iter(self._censuses))]
        self._censuses[asked], reason = census.take(count, number)
        if reason is not None:
            name = self.pool.endpoints[number].name
            raise RpcIncomplete(f"getProgramAccounts at {name}: {reason}; believed when said again")

    async def get_signature_statuses(
        self, signatures: Sequence[Signature]
    ) -> tuple[SignatureStatus | None, ...]:
        """Read recent statuses, 256 to a call, in the order asked for."""
        return await self._statuses(
            lambda question: read(self.pool, question), signatures, search_history=False
        )

    async def get_settled_statuses(self, signatures: Sequence[Signature]) -> SettledStatuses:
        """Read statuses with all history, and the finalized height first, from one endpoint.

        One url may be many nodes: statuses of a node that has not even seen the finalized slot, which the height is of,
        prove nothing and are refused.
        """

        async def ask(number: int) -> SettledStatuses:
            slot, height = await self.pool.ask(
                number,
                Question(
                    method="getEpochInfo", params=({"commitment": "finalized"},), parse=read_epoch
                ),
            )

            def reaches(found: Any) -> None:  # noqa: ANN401 - JSON
                if (at := read_slot(found)) < slot:
                    name = self.pool.endpoints[number].name
                    raise RpcBehind(
                        f"getSignatureStatuses at {name}: slot {at}, the height is of slot {slot}"
                    )

            statuses = await self._statuses(
                lambda question: self.pool.ask(number, question),
                signatures,
                search_history=True,
                look=reaches,
            )
            return SettledStatuses(finalized_block_height=height, statuses=statuses)

        calls = 1 + math.ceil(len(signatures) / STATUSES_PER_CALL)
        return await read_with(
            self.pool, ask, extra_s=calls * self.pool.settings.try_timeout_s, is_proof=True
        )

    async def get_transaction(self, signature: Signature) -> TransactionFacts | None:
        """Read what a confirmed transaction did; None if the node does not have it."""
        options = {
            "commitment": "confirmed",
            "encoding": "base64",
            "maxSupportedTransactionVersion": 1,
        }
        return await self._read(read_facts, "getTransaction", str(signature), options)

    async def get_recent_prioritization_fees(
        self, writable: Sequence[Pubkey]
    ) -> tuple[MicroLamports, ...]:
        """Read the lowest price that was included in each recent slot, over these accounts; at most 128."""
        names = [str(address) for address in writable[:FEE_ACCOUNTS_PER_CALL]]
        return await self._read(
            read_fees,
            "getRecentPrioritizationFees",
            names,
        )

    async def simulate_transaction(
        self, wire: bytes, *, replace_blockhash: bool = False
    ) -> Simulation:
        """Try signed bytes without sending them."""
        options = {
            "encoding": "base64",
            "commitment": "processed",
            "sigVerify": not replace_blockhash,
            "replaceRecentBlockhash": replace_blockhash,
        }
        encoded = b64encode(wire).decode()
        return await self._read(read_simulation, "simulateTransaction", encoded, options)

    async def send_transaction(self, wire: bytes) -> None:
        """Send signed bytes to every endpoint whose breaker lets them through, preflight skipped.

        Returns once any has accepted them; the others go on under their own deadlines.

        Raises:
            RpcError: no endpoint accepted, and this is the clearest reason given.
            RpcUnavailable: no endpoint answered.
        """
        # maxRetries 0: resending is ours, a node's own queue would go on after we stop.
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        question: Question[object] = Question(
            method="sendTransaction",
            params=(b64encode(wire).decode(), options),
            parse=str,
            is_send=True,
        )
        await send_everywhere(self.pool, self._errands, question)

    async def _statuses(
        self,
        ask: Callable[
            [Question[tuple[SignatureStatus | None, ...]]],
            Awaitable[tuple[SignatureStatus | None, ...]],
        ],
        signatures: Sequence[Signature],
        *,
        search_history: bool,
        look: Callable[[Any], None] = lambda _: None,
    ) -> tuple[SignatureStatus | None, ...]:
        async def one(chunk: Sequence[Signature]) -> tuple[SignatureStatus | None, ...]:
            names = [str(signature) for signature in chunk]

            def parse(found: Any) -> tuple[SignatureStatus | None, ...]:  # noqa: ANN401 - JSON
                look(found)
                return read_statuses(found, len(names))

            return await ask(
                Question(
                    method="getSignatureStatuses",
                    params=(names, {"searchTransactionHistory": search_history}),
                    # Source: agave rpc/src/rpc.rs, get_signature_statuses reads the processed bank.
                    commitment="processed",
                    parse=parse,
                )
            )

        chunks = await _in_chunks(one, signatures, STATUSES_PER_CALL)
        return tuple(status for chunk in chunks for status in chunk)

    async def _read(
        self, parse: Callable[[Any], T], method: str, *params: object, is_proof: bool = False
    ) -> T:
        options = params[-1] if params else None
        commitment = options.get("commitment") if isinstance(options, dict) else None
        question = Question(
            method=method, params=params, commitment=commitment or "finalized", parse=parse
        )
        return await read_with(
            self.pool, lambda number: self.pool.ask(number, question), is_proof=is_proof
        )


async def _in_chunks(
    read: Callable[[Sequence[Any]], Awaitable[T]], items: Sequence[Any], size: int
) -> list[T]:
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    if len(chunks) == 1:
        return [await read(chunks[0])]
    found: dict[int, T] = {}
    failures: list[RpcFailure] = []

    async def one(index: int, cancel: trio.CancelScope) -> None:
        try:
            found[index] = await read(chunks[index])
        except RpcFailure as failure:
            failures.append(failure)
            cancel.cancel(reason="another chunk failed")

    async with trio.open_nursery() as nursery:
        for index in range(len(chunks)):
            nursery.start_soon(one, index, nursery.cancel_scope)
    if failures:
        raise failures[0]
    return [found[index] for index in range(len(chunks))]
