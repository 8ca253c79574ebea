"""`Rpc` over HTTP: reads fail over from endpoint to endpoint, sends go to all of them at once."""

import logging
import math
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx
import tenacity
import trio
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.account_columns import OtherShape, rows_of_body
from programs.rpc import (
    Account,
    Accounts,
    AddressSignature,
    Commitment,
    Filter,
    LatestBlockhash,
    ProgramAccounts,
    ProgramRows,
    RpcError,
    RpcFailure,
    RpcTimeout,
    RpcUnavailable,
    SettledStatuses,
    SignatureStatus,
    Simulation,
    TransactionFacts,
)
from programs.rpc_replies import (
    parse_reply,
    read_account,
    read_accounts,
    read_address_signatures,
    read_blockhash,
    read_context,
    read_facts,
    read_fees,
    read_number,
    read_program_accounts,
    read_simulation,
    read_statuses,
)
from programs.rpc_transport import Endpoint, ReadBody, read_body
from programs.units import BlockHeight, Lamports, MicroLamports, Slot

T = TypeVar("T")

ACCOUNTS_PER_CALL: Final = 100
STATUSES_PER_CALL: Final = 256
FEE_ACCOUNTS_PER_CALL: Final = 128
"""Source: agave rpc-client-api/src/request.rs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcSettings:
    """How patiently to ask."""

    try_timeout_s: float = 5.0
    """For one call to one endpoint."""
    scan_timeout_s: float = 30.0
    """For one reading of a program's accounts from one endpoint."""
    read_deadline_s: float = 15.0
    """For one read with its retries (scans: added to their own timeout)."""
    tries: int = 4
    """Of one read, each at the next endpoint."""
    backoff_first_s: float = 0.1
    backoff_max_s: float = 2.0
    concurrency: int = 16
    """Calls in flight at once."""
    body_bytes_max: int = 512 << 20
    """A million positions of 256 bytes are 350 MB of base64."""

    def __post_init__(self) -> None:
        """Refuse settings that could never succeed."""
        for name in ("try_timeout_s", "scan_timeout_s", "read_deadline_s", "tries", "concurrency"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")


@asynccontextmanager
async def open_rpc(urls: Sequence[str], settings: RpcSettings) -> AsyncGenerator["HttpRpc"]:
    """Open one connection pool to all endpoints; the first url is asked first."""
    if not urls:
        raise ValueError("no RPC endpoint is configured: expected at least one url")
    limits = httpx.Limits(max_connections=4 * settings.concurrency)
    # httpx logs every request with its whole url, and a provider's url holds its key.
    httpx_log = logging.getLogger("httpx")
    httpx_log.addFilter(_tells_no_url)
    try:
        async with httpx.AsyncClient(timeout=None, limits=limits) as client:  # noqa: S113 - every call is under fail_after
            yield HttpRpc.over(client, urls, settings)
    finally:
        httpx_log.removeFilter(_tells_no_url)


def _tells_no_url(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


@dataclass(slots=True, eq=False)
class HttpRpc:
    """The `Rpc` of a real cluster."""

    endpoints: tuple[Endpoint, ...]
    settings: RpcSettings
    _limiter: trio.CapacityLimiter = field(repr=False)
    _preferred: int = 0
    """The endpoint that answered last: a dead one is not asked first by every call."""

    @classmethod
    def over(
        cls, client: httpx.AsyncClient, urls: Sequence[str], settings: RpcSettings
    ) -> "HttpRpc":
        """Build it over a client of the caller's."""
        endpoints = tuple(
            Endpoint(
                url=url,
                client=client,
                try_timeout_s=settings.try_timeout_s,
                body_bytes_max=settings.body_bytes_max,
            )
            for url in urls
        )
        return cls(endpoints, settings, trio.CapacityLimiter(settings.concurrency))

    async def get_slot(self, commitment: Commitment) -> Slot:
        """Read the current slot."""
        return Slot(await self._read(read_number, "getSlot", {"commitment": commitment}))

    async def get_block_height(self, commitment: Commitment) -> BlockHeight:
        """Read the current block height."""
        found = await self._read(read_number, "getBlockHeight", {"commitment": commitment})
        return BlockHeight(found)

    async def get_genesis_hash(self) -> Hash:
        """Read which cluster this is."""
        return await self._read(Hash.from_string, "getGenesisHash")

    async def get_latest_blockhash(self, commitment: Commitment) -> LatestBlockhash:
        """Read a blockhash to sign with."""
        return await self._read(read_blockhash, "getLatestBlockhash", {"commitment": commitment})

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
        found = await self._read(
            read_context,
            "getProgramAccounts",
            str(program),
            options,
            try_timeout_s=self.settings.scan_timeout_s,
        )
        if len(found["value"]) <= ACCOUNTS_PER_CALL:
            return read_program_accounts(found)
        return await trio.to_thread.run_sync(read_program_accounts, found)

    async def get_program_rows(
        self,
        program: Pubkey,
        commitment: Commitment,
        *,
        filters: Sequence[Filter] = (),
        row_bytes: int,
    ) -> ProgramRows:
        """Read a program's accounts of one length, of which there may be a million."""
        method = "getProgramAccounts"
        options: dict[str, object] = {
            "commitment": commitment,
            "encoding": "base64",
            "withContext": True,
            "filters": [dict(each) for each in filters],
        }

        def read(body: bytes, request_id: int, where: str) -> ProgramRows:
            try:
                return rows_of_body(body, request_id, row_bytes)
            except OtherShape:
                found = parse_reply(read_context, method, read_body(body, request_id, where))
                return ProgramRows.of(read_program_accounts(found), row_bytes)

        return await self._read(
            lambda found: found,
            method,
            str(program),
            options,
            try_timeout_s=self.settings.scan_timeout_s,
            read=read,
        )

    async def get_signature_statuses(
        self, signatures: Sequence[Signature]
    ) -> tuple[SignatureStatus | None, ...]:
        """Read recent statuses, 256 to a call, in the order asked for."""
        return await self._statuses(self._read, signatures, search_history=False)

    async def get_settled_statuses(self, signatures: Sequence[Signature]) -> SettledStatuses:
        """Read statuses with all history, and the finalized height first, from one endpoint."""

        async def ask(endpoint: Endpoint) -> SettledStatuses:
            # A height from one node and an absence from another that lags would prove nothing.
            async def read(parse: Callable[[Any], T], method: str, *params: object) -> T:
                return parse_reply(parse, method, await endpoint.call(method, params))

            height = await read(read_number, "getBlockHeight", {"commitment": "finalized"})
            return SettledStatuses(
                finalized_block_height=BlockHeight(height),
                statuses=await self._statuses(read, signatures, search_history=True),
            )

        calls = 1 + math.ceil(len(signatures) / STATUSES_PER_CALL)
        return await self._retried(ask, calls * self.settings.try_timeout_s)

    async def get_transaction(self, signature: Signature) -> TransactionFacts | None:
        """Read what a confirmed transaction did; None if the node does not have it."""
        options = {
            "commitment": "confirmed",
            "encoding": "base64",
            "maxSupportedTransactionVersion": 1,
        }
        return await self._read(read_facts, "getTransaction", str(signature), options)

    async def get_signatures_for_address(
        self, address: Pubkey, *, limit: int, until: Signature | None = None
    ) -> tuple[AddressSignature, ...]:
        """Read which confirmed transactions name an address, newest first, down to `until` without it; at most 1_000."""
        options: dict[str, object] = {"commitment": "confirmed", "limit": limit}
        if until is not None:
            options["until"] = str(until)
        return await self._read(
            read_address_signatures, "getSignaturesForAddress", str(address), options
        )

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
        """Send signed bytes to every endpoint, preflight skipped; return once any has accepted them.

        Raises:
            RpcError: no endpoint accepted, and this is the clearest reason given.
            RpcUnavailable: no endpoint answered.
        """
        # maxRetries 0: resending is ours, a node's own queue would go on after we stop.
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        params = (b64encode(wire).decode(), options)
        failures: list[RpcFailure] = []

        async def send(endpoint: Endpoint) -> None:
            try:
                async with self._limiter:
                    await endpoint.call("sendTransaction", params)
            except RpcFailure as failure:
                failures.append(failure)

        async with trio.open_nursery() as nursery:
            for endpoint in self.endpoints:
                nursery.start_soon(send, endpoint)
        if len(failures) == len(self.endpoints):
            raise min(failures, key=lambda failure: isinstance(failure, RpcUnavailable))

    async def _statuses(
        self,
        read: Callable[..., Awaitable[tuple[SignatureStatus | None, ...]]],
        signatures: Sequence[Signature],
        *,
        search_history: bool,
    ) -> tuple[SignatureStatus | None, ...]:
        async def one(chunk: Sequence[Signature]) -> tuple[SignatureStatus | None, ...]:
            names = [str(signature) for signature in chunk]
            options = {"searchTransactionHistory": search_history}
            return await read(
                lambda found: read_statuses(found, len(names)),
                "getSignatureStatuses",
                names,
                options,
            )

        chunks = await _in_chunks(one, signatures, STATUSES_PER_CALL)
        return tuple(status for chunk in chunks for status in chunk)

    async def _read(
        self,
        parse: Callable[[Any], T],
        method: str,
        *params: object,
        try_timeout_s: float | None = None,
        read: ReadBody | None = None,
    ) -> T:
        async def ask(endpoint: Endpoint) -> T:
            async with self._limiter:
                found = await endpoint.call(method, params, timeout_s=try_timeout_s, read=read)
            return parse_reply(parse, method, found)

        return await self._retried(ask, try_timeout_s or 0)

    async def _retried(self, ask: Callable[[Endpoint], Awaitable[T]], extra_s: float) -> T:
        """Ask endpoint after endpoint. The only retry policy there is, and only for reads."""
        settings = self.settings
        first = self._preferred
        retrying = tenacity.AsyncRetrying(
            # Attempts, not time: tenacity's clock is not trio's.
            stop=tenacity.stop_after_attempt(settings.tries),
            wait=tenacity.wait_random_exponential(
                multiplier=settings.backoff_first_s, max=settings.backoff_max_s
            ),
            retry=tenacity.retry_if_exception(_is_worth_retrying),
            sleep=trio.sleep,
            reraise=True,
        )
        deadline_s = settings.read_deadline_s + extra_s
        try:
            with trio.fail_after(deadline_s):
                async for attempt in retrying:
                    with attempt:
                        turn = attempt.retry_state.attempt_number - 1
                        chosen = (first + turn) % len(self.endpoints)
                        found = await ask(self.endpoints[chosen])
                        self._preferred = chosen
                        return found
        except trio.TooSlowError as error:
            asked = ", ".join(endpoint.name for endpoint in self.endpoints)
            raise RpcTimeout(f"no answer within {deadline_s:g} s from {asked}") from error
        raise AssertionError("tenacity ended without an end")  # pragma: no cover - it reraises


def _is_worth_retrying(error: BaseException) -> bool:
    return isinstance(error, RpcUnavailable) or (isinstance(error, RpcError) and error.is_transient)


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
