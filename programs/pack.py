"""Instruction groups -> transactions under the byte, compute-unit, account-lock and loaded-data limits.

Sizes are computed, not measured: a v0 transaction is lengths, keys and data, and the tests hold the
arithmetic to solders' serialization byte for byte. Two kinds of work are packed:

- *targets*, which extend one batch instruction by one account each (`pack_targets`): `liquidate` takes a header
  of shared accounts and any number of positions of one market;
- *groups* of whole instructions that must stay together and in order (`pack_groups`).

Which batches may be in flight side by side is the lanes' business: each keeps a market to one at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs.transaction import COMPUTE_BUDGET_CU, LOADED_BYTES_MAX
from programs.units import (
    TRANSACTION_BYTES_MAX,
    TRANSACTION_CU_MAX,
    TRANSACTION_LOCKS_MAX,
    ComputeUnits,
)

_SIGNATURE_BYTES: Final = 64
_KEY_BYTES: Final = 32
_FIXED_BYTES: Final = 1 + 3 + _KEY_BYTES + 1
"""Version prefix, header, blockhash, and the empty list of address tables."""
_BUDGET_INSTRUCTIONS: Final = 3
_BUDGET_BYTES: Final = sum(1 + 1 + 1 + data for data in (5, 9, 5))
"""Limit, price and loaded data: program index, no accounts, data length, data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one transaction may hold; smaller values leave room."""

    size_bytes: int = TRANSACTION_BYTES_MAX
    cu: ComputeUnits = TRANSACTION_CU_MAX
    locks: int = TRANSACTION_LOCKS_MAX
    loaded_bytes: int = LOADED_BYTES_MAX


class Target(Protocol):
    """One job that adds one account to its market's batch instruction."""

    @property
    def job_id(self) -> str:
        """What it is."""
        ...

    @property
    def market(self) -> Pubkey:
        """Whose template it extends."""
        ...

    @property
    def target(self) -> Pubkey:
        """The account it adds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTemplate:
    """A batch instruction without its targets."""

    program: Pubkey
    accounts: tuple[AccountMeta, ...]
    """The header, in the program's order."""
    data: bytes
    base_cu: ComputeUnits
    cu_per_target: ComputeUnits
    base_loaded_bytes: int
    """Header accounts and the program with its bytecode."""
    loaded_bytes_per_target: int

    def instruction(self, targets: Iterable[Pubkey]) -> Instruction:
        """Build the instruction with these targets, all writable."""
        extra = [AccountMeta(target, is_signer=False, is_writable=True) for target in targets]
        return Instruction(self.program, self.data, [*self.accounts, *extra])


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Instructions of one job: all in one transaction, in this order."""

    job_id: str
    instructions: tuple[Instruction, ...]
    cu: ComputeUnits
    loaded_bytes: int


T = TypeVar("T", bound=Target)
J = TypeVar("J")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Generic[J]):
    """One transaction's worth of jobs."""

    jobs: tuple[J, ...]
    instructions: tuple[Instruction, ...]
    """Without the compute-budget instructions, which `size_bytes` and `cu` include."""
    cu: ComputeUnits
    size_bytes: int
    locks: int
    loaded_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Generic[J]):
    """A job that fits no transaction, with the reason."""

    job: J
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing(Generic[J]):
    """Every job given, once: in a batch, or refused."""

    batches: tuple[Batch[J], ...]
    refused: tuple[Refused[J], ...]


def transaction_bytes(
    *, signatures: int, keys: int, instructions: int, instruction_bytes: int
) -> int:
    """Compute the serialized length of a signed v0 transaction without address tables.

    Source: the Solana wire format; compact-u16 lengths.
    """
    return (
        _length_bytes(signatures)
        + signatures * _SIGNATURE_BYTES
        + _FIXED_BYTES
        + _length_bytes(keys)
        + keys * _KEY_BYTES
        + _length_bytes(instructions)
        + instruction_bytes
    )


def instruction_bytes(accounts: int, data: int) -> int:
    """Compute what one compiled instruction takes: program index, account indexes, data."""
    return 1 + _length_bytes(accounts) + accounts + _length_bytes(data) + data


def _length_bytes(count: int) -> int:
    """Compute the width of a compact-u16."""
    return 1 if count < 1 << 7 else 2 if count < 1 << 14 else 3


@dataclass(slots=True)
class _Header:
    """A template's constants, worked out once per market."""

    template: BatchTemplate
    keys: frozenset[Pubkey]
    signatures: int
    capacity: int = 0

    @classmethod
    def of(cls, template: BatchTemplate, payer: Pubkey, limits: Limits) -> "_Header":
        keys = {payer, COMPUTE_BUDGET, template.program}
        keys.update(meta.pubkey for meta in template.accounts)
        signers = {payer} | {meta.pubkey for meta in template.accounts if meta.is_signer}
        header = cls(template, frozenset(keys), len(signers))
        header.capacity = header._capacity(limits)
        return header

    def _capacity(self, limits: Limits) -> int:
        count = limits.locks - len(self.keys)
        while count > 0 and not self._fits(count, limits):
            count -= 1
        return count

    def _fits(self, count: int, limits: Limits) -> bool:
        return (
            self.size_bytes(count) <= limits.size_bytes
            and self.cu(count) <= limits.cu
            and self.loaded_bytes(count) <= limits.loaded_bytes
        )

    def size_bytes(self, count: int) -> int:
        accounts = len(self.template.accounts) + count
        return transaction_bytes(
            signatures=self.signatures,
            keys=len(self.keys) + count,
            instructions=_BUDGET_INSTRUCTIONS + 1,
            instruction_bytes=_BUDGET_BYTES + instruction_bytes(accounts, len(self.template.data)),
        )

    def cu(self, count: int) -> int:
        return COMPUTE_BUDGET_CU + self.template.base_cu + count * self.template.cu_per_target

    def loaded_bytes(self, count: int) -> int:
        return self.template.base_loaded_bytes + count * self.template.loaded_bytes_per_target

    def batch(self, jobs: Sequence[T]) -> Batch[T]:
        count = len(jobs)
        targets = [job.target for job in jobs]
        return Batch(
            jobs=tuple(jobs),
            instructions=(self.template.instruction(targets),),
            cu=ComputeUnits(self.cu(count)),
            size_bytes=self.size_bytes(count),
            locks=len(self.keys) + count,
            loaded_bytes=self.loaded_bytes(count),
        )


def pack_targets(
    targets: Sequence[T],
    templates: Mapping[Pubkey, BatchTemplate],
    payer: Pubkey,
    limits: Limits | None = None,
) -> Packing[T]:
    """Pack targets, most urgent first, into one batch instruction per transaction.

    Targets of a market keep their order; batches come in the order of their most urgent target. Each market
    gets the fewest transactions possible.
    """
    limits = limits or Limits()
    refused: list[Refused[T]] = []
    headers: dict[Pubkey, _Header] = {}
    by_market: dict[Pubkey, list[tuple[int, T]]] = {}
    seen: set[tuple[Pubkey, Pubkey]] = set()
    for rank, job in enumerate(targets):
        template = templates.get(job.market)
        if template is None:
            refused.append(Refused(job=job, reason=f"no batch template for market {job.market}"))
            continue
        header = headers.get(job.market)
        if header is None:
            header = headers[job.market] = _Header.of(template, payer, limits)
        place = (job.market, job.target)
        if header.capacity < 1:
            refused.append(
                Refused(job=job, reason="not even one target fits its batch instruction")
            )
        elif job.target in header.keys:
            refused.append(
                Refused(job=job, reason="the target is one of the batch's shared accounts")
            )
        elif place in seen:
            refused.append(Refused(job=job, reason="the target is already in this packing"))
        else:
            seen.add(place)
            by_market.setdefault(job.market, []).append((rank, job))
    ranked: list[tuple[int, Batch[T]]] = []
    for market, jobs in by_market.items():
        header = headers[market]
        for start in range(0, len(jobs), header.capacity):
            chunk = jobs[start : start + header.capacity]
            ranked.append((chunk[0][0], header.batch([job for _, job in chunk])))
    ranked.sort(key=lambda pair: pair[0])
    return Packing(batches=tuple(batch for _, batch in ranked), refused=tuple(refused))


class _Draft:
    """The transaction being filled with groups."""

    def __init__(self, payer: Pubkey) -> None:
        self.payer = payer
        self.groups: list[Group] = []
        self.keys = {payer, COMPUTE_BUDGET}
        self.signers = {payer}
        self.instructions = _BUDGET_INSTRUCTIONS
        self.bytes = _BUDGET_BYTES
        self.cu: int = COMPUTE_BUDGET_CU
        self.loaded_bytes = 0

    def size_bytes(self) -> int:
        return transaction_bytes(
            signatures=len(self.signers),
            keys=len(self.keys),
            instructions=self.instructions,
            instruction_bytes=self.bytes,
        )

    def with_group(self, group: Group) -> "_Draft":
        grown = _Draft(self.payer)
        grown.groups = [*self.groups, group]
        grown.keys = set(self.keys)
        grown.signers = set(self.signers)
        grown.instructions = self.instructions + len(group.instructions)
        grown.bytes = self.bytes
        grown.cu = self.cu + group.cu
        grown.loaded_bytes = self.loaded_bytes + group.loaded_bytes
        for instruction in group.instructions:
            grown.keys.add(instruction.program_id)
            for meta in instruction.accounts:
                grown.keys.add(meta.pubkey)
                if meta.is_signer:
                    grown.signers.add(meta.pubkey)
            grown.bytes += instruction_bytes(len(instruction.accounts), len(instruction.data))
        return grown

    def excess(self, limits: Limits) -> str | None:
        """Name the first limit it exceeds."""
        for name, found, limit in (
            ("bytes", self.size_bytes(), limits.size_bytes),
            ("compute units", self.cu, limits.cu),
            ("account locks", len(self.keys), limits.locks),
            ("bytes of loaded data", self.loaded_bytes, limits.loaded_bytes),
        ):
            if found > limit:
                return f"{found} {name}, at most {limit} fit a transaction"
        return None

    def batch(self) -> Batch[Group]:
        return Batch(
            jobs=tuple(self.groups),
            instructions=tuple(one for group in self.groups for one in group.instructions),
            cu=ComputeUnits(self.cu),
            size_bytes=self.size_bytes(),
            locks=len(self.keys),
            loaded_bytes=self.loaded_bytes,
        )


def pack_groups(
    groups: Iterable[Group], payer: Pubkey, limits: Limits | None = None
) -> Packing[Group]:
    """Pack groups in the order given, most urgent first; none overtakes another.

    Loaded data is added up group by group: shared accounts count twice, which only errs on the safe side.
    """
    limits = limits or Limits()
    batches: list[Batch[Group]] = []
    refused: list[Refused[Group]] = []
    draft = _Draft(payer)
    for group in groups:
        grown = draft.with_group(group)
        if grown.excess(limits) is None:
            draft = grown
            continue
        alone = _Draft(payer).with_group(group)
        if (reason := alone.excess(limits)) is not None:
            refused.append(Refused(job=group, reason=reason))
            continue
        batches.append(draft.batch())
        draft = alone
    if draft.groups:
        batches.append(draft.batch())
    return Packing(batches=tuple(batches), refused=tuple(refused))
