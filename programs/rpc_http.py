"""`Rpc` over HTTP: what each method asks, and how its answer is read. Who is asked: rpc_pool.py, rpc_reads.py, rpc_sends.py."""

import logging
import random
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx
import trio
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.agreement import Landmark
from programs.endpoint_counts import EndpointStatistics
from programs.endpoint_watch import watch_endpoints
from programs.errands import open_errands
from programs.rpc import (
    Account,
    Accounts,
    AddressSignature,
    Block,
    Commitment,
    Filter,
    LatestBlockhash,
    ProgramAccounts,
    ProgramRows,
    SettledStatuses,
    SignatureStatus,
    Simulation,
    TransactionFacts,
)
from programs.rpc_blocks import read_one_block
from programs.rpc_connections import connections_to
from programs.rpc_pool import Pool
from programs.rpc_programs import ProgramReader
from programs.rpc_question import Question
from programs.rpc_reads import in_chunks, read_with
from programs.rpc_replies import (
    read_account,
    read_accounts,
    read_address_signatures,
    read_blockhash,
    read_facts,
    read_fees,
    read_number,
    read_simulation,
)
from programs.rpc_sends import send_everywhere
from programs.rpc_settings import RpcSettings
from programs.rpc_statuses import read_recent, read_settled
from programs.rpc_transport import Endpoint
from programs.units import BlockHeight, Lamports, MicroLamports, Slot

T = TypeVar("T")

ACCOUNTS_PER_CALL: Final = 100
FEE_ACCOUNTS_PER_CALL: Final = 128
"""Source: agave rpc-client-api/src/request.rs."""
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
    # A pool for each, so that one that hangs takes nothing from the others; the number is bounded in rpc_pool.py.
    limits = httpx.Limits(keepalive_expiry=_KEEPALIVE_S)  # behind a proxy only
    # httpx logs every request with its whole url, and a provider's url holds its key.
    httpx_log = logging.getLogger("httpx")
    httpx_log.addFilter(_tells_no_url)
    try:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(
                    httpx.AsyncClient(
                        timeout=None,  # noqa: S113 - every call is under fail_after
                        limits=limits,
                        transport=connections_to(url, _KEEPALIVE_S),
                    )
                )
                for url in urls
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
    _programs: ProgramReader = field(repr=False)

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
        pool = Pool(endpoints, settings, draw=draw)
        return cls(pool, errands, ProgramReader(pool))

    def watch_endpoints(self, landmark: Landmark | None) -> None:
        """Begin to hold the endpoints against each other, for as long as this is open.

        Args:
            landmark: bytes that each of them must serve; None compares blocks and clusters only.

        """
        self._errands.start_soon(watch_endpoints, self.pool, landmark)

    def statistics(self) -> tuple[EndpointStatistics, ...]:
        """Return what was asked of each endpoint so far, and how it answered."""
        return self.pool.book.statistics()

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
            lambda found: Lamports(read_number(found["value"])), "getBalance", str(address), options
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

        chunks = await in_chunks(read, addresses, ACCOUNTS_PER_CALL)
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
        return await self._programs.accounts(program, commitment, filters, data_slice)

    async def get_program_rows(
        self,
        program: Pubkey,
        commitment: Commitment,
        *,
        filters: Sequence[Filter] = (),
        row_bytes: int,
    ) -> ProgramRows:
        """Read a program's accounts of one length, of which there may be a million."""
        return await self._programs.rows(program, commitment, filters, row_bytes)

    async def get_signature_statuses(
        self, signatures: Sequence[Signature]
    ) -> tuple[SignatureStatus | None, ...]:
        """Read recent statuses, 256 to a call, in the order asked for."""
        return await read_recent(self.pool, signatures)

    async def get_settled_statuses(self, signatures: Sequence[Signature]) -> SettledStatuses:
        """Read statuses with all history, and the finalized height first, from one endpoint."""
        return await read_settled(self.pool, signatures)

    async def get_transaction(self, signature: Signature) -> TransactionFacts | None:
        """Read what a confirmed transaction did; None if the node does not have it."""
        options = {
            "commitment": "confirmed",
            "encoding": "base64",
            "maxSupportedTransactionVersion": 1,
        }
        return await self._read(read_facts, "getTransaction", str(signature), options)

    async def get_block(self, slot: Slot, commitment: Commitment) -> Block | None:
        """Read a block; None if its slot was skipped. One that the cluster no longer keeps is an `RpcFailure`."""
        return await read_one_block(self.pool, slot, commitment)

    async def get_signatures_for_address(
        self,
        address: Pubkey,
        *,
        limit: int,
        before: Signature | None = None,
        until: Signature | None = None,
        commitment: Commitment = "confirmed",
        min_context_slot: Slot | None = None,
    ) -> tuple[AddressSignature, ...]:
        """Read which transactions name an address, newest first, from `before` down to `until`, both excluded; at most 1_000.

        A node that has not got as far as `min_context_slot` at the commitment gives no answer.
        """
        bounds = {"before": before, "until": until}
        options: dict[str, object] = {"commitment": commitment, "limit": limit}
        options |= {name: str(end) for name, end in bounds.items() if end is not None}
        if min_context_slot is not None:
            options["minContextSlot"] = min_context_slot
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

    async def _read(
        self, parse: Callable[[Any], T], method: str, *params: object, is_proof: bool = False
    ) -> T:
        options = params[-1] if params else None
        commitment = options.get("commitment") if isinstance(options, dict) else None
        question = Question(
            method=method, params=params, commitment=commitment or "finalized", parse=parse
        )
        return await read_with(
            self.pool,
            lambda number: self.pool.ask(number, question),
            kind=method,
            is_proof=is_proof,
        )
