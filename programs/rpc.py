"""The few things asked of a cluster, and what can go wrong when asking.

`Rpc` is what the rest of the code depends on; rpc_http.py speaks JSON-RPC, tests/fakes.py scripts a cluster.
"""

# ruff: noqa: N818 - named after what happened; each is a kind of RpcFailure
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.units import BlockHeight, ComputeUnits, Lamports, MicroLamports, Slot

Commitment = Literal["processed", "confirmed", "finalized"]

Filter = Mapping[str, Any]
"""`{"memcmp": {...}}` or `{"dataSize": n}`, as the JSON-RPC has it."""


_GENESIS_SLOT: Final = Slot(0)


class RpcFailure(Exception):
    """A call to the cluster gave no result."""

    @property
    def kind(self) -> str:
        """What it is counted under."""
        return _KINDS[type(self)]


class RpcUnavailable(RpcFailure):
    """No answer that can be believed; another endpoint, or the same one later, may have one."""


class RpcUnreachable(RpcUnavailable):
    """No connection, or it broke."""


class RpcTimeout(RpcUnavailable):
    """No complete answer within the deadline."""


class RpcBadReply(RpcUnavailable):
    """An answer that is no JSON-RPC result: a status other than 200, HTML, a body cut short or too long."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        excerpt: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        """Keep the HTTP status, the beginning of the body, and how long the server wants to be left alone."""
        super().__init__(message)
        self.status = status
        self.excerpt = excerpt
        self.retry_after_s = retry_after_s

    @property
    def kind(self) -> str:
        """The status, or that the body is no result."""
        return "bad_reply" if self.status in {None, _OK} else f"status_{self.status}"


class RpcBehind(RpcUnavailable):
    """An answer about a slot too far behind what was heard elsewhere: true once, not now."""


class RpcIncomplete(RpcUnavailable):
    """A reply that holds fewer accounts than there are, as far as can be told."""


class RpcLeftAlone(RpcUnavailable):
    """Every endpoint asked to be left alone for longer than there is time."""


class RpcDisputed(RpcUnavailable):
    """Endpoints contradict each other about what is finalized, and none has a majority."""


class RpcOtherCluster(RpcUnavailable):
    """The endpoint serves another cluster than the one this client began with."""

    def __init__(self, message: str, *, found: Hash, expected: Hash) -> None:
        """Keep both genesis hashes."""
        super().__init__(message)
        self.found = found
        self.expected = expected


class RpcError(RpcFailure):
    """The node understood, and refused."""

    NAMELESS: Final = 0
    """An error without a code: not the node's own word, but that of something in front of it."""
    TRANSIENT: Final = frozenset({-32004, -32005, -32007, -32014, -32016})
    """Block not available yet, node behind, slot skipped, status not ready, minimum context slot not
    reached. Source: agave rpc-client-api/src/custom_error.rs."""
    LIMITED: Final = frozenset({429, -32429})
    """Rate limits of providers, told as an error under status 200."""
    ELSEWHERE: Final = frozenset({NAMELESS, -32603, -32601, -32001, -32010, -32011, 403})
    """Besides: internal error; method not served; block cleaned up; program not indexed; no history; forbidden: what one endpoint
    cannot do another one may."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        """Keep the node's code, words and data."""
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message
        self.data = data

    @property
    def is_transient(self) -> bool:
        """Whether asking again may help, the same endpoint too."""
        return self.code in self.TRANSIENT or self.is_limit

    @property
    def is_limit(self) -> bool:
        """Whether the endpoint refuses because it is asked too often."""
        return self.code in self.LIMITED

    @property
    def is_of_this_endpoint(self) -> bool:
        """Whether another endpoint may well give a result."""
        return self.is_transient or self.code in self.ELSEWHERE

    @property
    def kind(self) -> str:
        """The node's code."""
        return f"error_{self.code}"

    @property
    def is_already_processed(self) -> bool:
        """Whether the node refused a transaction because it has it: success that must still be read."""
        err = self.data.get("err") if isinstance(self.data, dict) else None
        return err == "AlreadyProcessed" or "already been processed" in self.message


_OK: Final = 200
_KINDS: Final[Mapping[type[RpcFailure], str]] = {
    RpcFailure: "failure",
    RpcUnavailable: "unavailable",
    RpcUnreachable: "unreachable",
    RpcTimeout: "timeout",
    RpcBehind: "behind",
    RpcIncomplete: "incomplete",
    RpcLeftAlone: "left_alone",
    RpcDisputed: "disputed",
    RpcOtherCluster: "other_cluster",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestBlockhash:
    """A blockhash to sign with."""

    blockhash: Hash
    last_valid_block_height: BlockHeight
    slot: Slot
    """The slot it was read at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as one slot saw it."""

    owner: Pubkey
    lamports: Lamports
    data: bytes
    is_executable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Several accounts, in the order asked for; None where there is none."""

    slot: Slot
    """The oldest slot of the chunks read: nothing here is older."""
    accounts: tuple[Account | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramAccounts:
    """A program's accounts at one slot."""

    slot: Slot
    accounts: list[tuple[bytes, bytes]]
    """(address, data) pairs, undecoded: there may be a million."""
    skipped: int
    """Entries that were no account; counted, never a crash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRows:
    """A program's accounts of one length at one slot, as columns."""

    slot: Slot
    addresses: npt.NDArray[np.void]
    """Rows of 32 bytes ("V32")."""
    data: npt.NDArray[np.uint8]
    """A row of bytes for each address."""
    other_lengths: int
    """Accounts of another length; counted, not kept."""
    skipped: int
    """Entries that were no account; counted, never a crash."""

    @classmethod
    def of(cls, found: ProgramAccounts, row_bytes: int) -> "ProgramRows":
        """Put the accounts of a length side by side."""
        kept = [(address, data) for address, data in found.accounts if len(data) == row_bytes]
        joined = b"".join([data for _, data in kept])
        return cls(
            slot=found.slot,
            addresses=np.frombuffer(b"".join([address for address, _ in kept]), "V32"),
            data=np.frombuffer(joined, np.uint8).reshape(-1, row_bytes),
            other_lengths=len(found.accounts) - len(kept),
            skipped=found.skipped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureStatus:
    """What a node says of a transaction."""

    slot: Slot
    err: object
    """None, or the transaction error as the node's own JSON, unparsed: an unknown one must not hurt the rest."""
    commitment: Commitment


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledStatuses:
    """Statuses with the node's whole history searched, and the height that makes absence a proof.

    Both come from one endpoint, the height first: a signature that is absent here, whose last valid block
    height is below the height, can never land.
    """

    finalized_block_height: BlockHeight
    statuses: tuple[SignatureStatus | None, ...]
    first_available_slot: Slot = _GENESIS_SLOT
    """Where the node's ledger begins: of what was signed before, absence proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a transaction would do."""

    err: object
    logs: tuple[str, ...]
    cu_used: ComputeUnits
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFacts:
    """What a landed transaction did."""

    slot: Slot
    err: object
    fee_lamports: Lamports
    cu_used: ComputeUnits | None
    logs: tuple[str, ...]
    wire: bytes = b""
    """What was signed; empty where the node left it out."""
    loaded: tuple[Pubkey, ...] = ()
    """Addresses out of lookup tables, which follow those of the message: writable ones first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerCall:
    """An instruction that a program called."""

    outer: int
    """The transaction's own instruction under which it ran."""
    height: int
    """Of the stack: 2 where the transaction's own instruction called it."""
    program: int
    """Number of its account among the transaction's."""
    accounts: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What a node records of a transaction beside its logs, and cuts nowhere."""

    inner: tuple[InnerCall, ...]
    """In the order of their execution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTransaction:
    """A transaction of a block."""

    signature: Signature
    """The first of its signatures, which is its name."""
    facts: TransactionFacts
    calls: Calls | None = None
    """Only where its logs are cut (log_limit.py), and the node records it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block as one node has it."""

    slot: Slot
    parent: Slot
    """The slot of the block before it: those between were skipped."""
    blockhash: Hash
    transactions: tuple[BlockTransaction, ...]
    """In the order in which they were executed, votes and failed ones included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSignature:
    """A transaction that names an address, as a node lists it."""

    signature: Signature
    slot: Slot
    err: object
    """None, or the transaction error as the node's own JSON."""


class Rpc(Protocol):
    """A cluster. Every method raises `RpcFailure` and nothing else."""

    async def get_slot(self, commitment: Commitment) -> Slot:
        """Read the current slot."""
        ...

    async def get_block_height(self, commitment: Commitment) -> BlockHeight:
        """Read the current block height."""
        ...

    async def get_genesis_hash(self) -> Hash:
        """Read which cluster this is."""
        ...

    async def get_latest_blockhash(self, commitment: Commitment) -> LatestBlockhash:
        """Read a blockhash to sign with."""
        ...

    async def get_balance(self, address: Pubkey, commitment: Commitment) -> Lamports:
        """Read an account's lamports, 0 if there is none."""
        ...

    async def get_account(self, address: Pubkey, commitment: Commitment) -> Account | None:
        """Read an account."""
        ...

    async def get_multiple_accounts(
        self, addresses: Sequence[Pubkey], commitment: Commitment
    ) -> Accounts:
        """Read accounts, 100 to a call."""
        ...

    async def get_program_accounts(
        self,
        program: Pubkey,
        commitment: Commitment,
        *,
        filters: Sequence[Filter] = (),
        data_slice: tuple[int, int] | None = None,
    ) -> ProgramAccounts:
        """Read a program's accounts; `data_slice` is (offset, length)."""
        ...

    async def get_program_rows(
        self,
        program: Pubkey,
        commitment: Commitment,
        *,
        filters: Sequence[Filter] = (),
        row_bytes: int,
    ) -> ProgramRows:
        """Read a program's accounts of one length, of which there may be a million."""
        ...

    async def get_signature_statuses(
        self, signatures: Sequence[Signature]
    ) -> tuple[SignatureStatus | None, ...]:
        """Read recent statuses, 256 to a call, in the order asked for."""
        ...

    async def get_settled_statuses(self, signatures: Sequence[Signature]) -> SettledStatuses:
        """Read statuses with all history, and the finalized height first, from one endpoint."""
        ...

    async def get_transaction(self, signature: Signature) -> TransactionFacts | None:
        """Read what a confirmed transaction did; None if the node does not have it."""
        ...

    async def get_block(self, slot: Slot, commitment: Commitment) -> Block | None:
        """Read a block; None if its slot was skipped. One that the cluster no longer keeps is an `RpcFailure`."""
        ...

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
        ...

    async def get_recent_prioritization_fees(
        self, writable: Sequence[Pubkey]
    ) -> tuple[MicroLamports, ...]:
        """Read the lowest price that was included in each recent slot, over these accounts; at most 128."""
        ...

    async def simulate_transaction(
        self, wire: bytes, *, replace_blockhash: bool = False
    ) -> Simulation:
        """Try signed bytes without sending them."""
        ...

    async def send_transaction(self, wire: bytes) -> None:
        """Send signed bytes to every endpoint, preflight skipped; return once any has accepted them.

        Raises:
            RpcError: no endpoint accepted, and this is the clearest reason given.
            RpcUnavailable: no endpoint answered.
        """
        ...
