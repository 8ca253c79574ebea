"""Jobs -> transactions under the limits on bytes, compute units, account locks, loaded data and logs.

Sizes are counted while a transaction is filled (`programs.draft`), never measured on a built one. Two kinds of work:

- *targets*, which extend one batch instruction by one account each (`pack_targets`): `liquidate` takes a header
  of shared accounts and any number of positions of one market;
- *groups* of whole instructions that must stay together and in order (`pack_groups`).

Given lookup tables, both use those that save bytes. Which batches may be in flight side by side is for
`programs.contention` to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs.draft import TARGET_BYTES, Draft
from programs.lookup_tables import LookupTable, TableShelf
from programs.transaction import COMPUTE_BUDGET_LOG_BYTES, LOADED_BYTES_MAX
from programs.units import (
    TRANSACTION_BYTES_MAX,
    TRANSACTION_CU_MAX,
    TRANSACTION_LOCKS_MAX,
    TRANSACTION_LOG_BYTES_MAX,
    ComputeUnits,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one transaction may hold; smaller values leave room."""

    size_bytes: int = TRANSACTION_BYTES_MAX
    cu: ComputeUnits = TRANSACTION_CU_MAX
    locks: int = TRANSACTION_LOCKS_MAX
    loaded_bytes: int = LOADED_BYTES_MAX
    log_bytes: int = TRANSACTION_LOG_BYTES_MAX - 1 - COMPUTE_BUDGET_LOG_BYTES
    """Of what is not the budget's: logs are cut where they reach the limit."""

    def admit(self, draft: Draft) -> bool:
        """Tell whether a draft exceeds none of them."""
        return (
            draft.locks <= self.locks
            and draft.cu <= self.cu
            and draft.size_bytes <= self.size_bytes
            and draft.loaded_bytes <= self.loaded_bytes
            and draft.log_bytes <= self.log_bytes
        )

    def room(self, draft: Draft, *, cu: int, loaded_bytes: int, log_bytes: int = 0) -> int:
        """Return how many more targets surely fit; more may, where lookup tables have them."""
        return max(
            0,
            min(
                (self.size_bytes - draft.size_bytes - draft.growth_bytes) // TARGET_BYTES,
                self.locks - draft.locks,
                (self.cu - draft.cu) // cu if cu else self.locks,
                (self.loaded_bytes - draft.loaded_bytes_at_most) // loaded_bytes
                if loaded_bytes
                else self.locks,
                (self.log_bytes - draft.log_bytes) // log_bytes if log_bytes else self.locks,
            ),
        )

    def excess(self, draft: Draft) -> str | None:
        """Name the first limit that a draft exceeds."""
        for name, found, limit in (
            ("bytes", draft.size_bytes, self.size_bytes),
            ("compute units", draft.cu, self.cu),
            ("account locks", draft.locks, self.locks),
            ("bytes of loaded data", draft.loaded_bytes, self.loaded_bytes),
            ("bytes of logs", draft.log_bytes, self.log_bytes),
        ):
            if found > limit:
                return f"{found} {name}, at most {limit} fit a transaction"
        return None


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
    base_log_bytes: int = 0
    log_bytes_per_target: int = 0

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
    log_bytes: int = 0
    """Where what they log is read afterwards: a transaction's logs are cut at the limit, and its events with them."""


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
    tables: tuple[LookupTable, ...] = ()
    """Compile it with these, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Generic[J]):
    """A job that fits no transaction, with the reason."""

    job: J
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing(Generic[J]):
    """Every job given, once: in a batch, refused, or left over."""

    batches: tuple[Batch[J], ...]
    refused: tuple[Refused[J], ...]
    left_over: tuple[J, ...] = ()
    """What waits for its market's next transaction, where each market may have one."""


@dataclass(slots=True)
class _Queue(Generic[T]):
    """A market's targets that have no transaction yet, most urgent first, each with its rank among all."""

    template: BatchTemplate
    jobs: list[tuple[int, T]] = field(default_factory=list)
    tables: tuple[LookupTable, ...] = ()

    def drop_rest(self) -> list[T]:
        """Give up what has no transaction yet."""
        rest = [job for _, job in self.jobs]
        self.jobs = []
        return rest

    def choose_tables(self, shelf: TableShelf) -> None:
        """Settle which tables serve this market's header and targets."""
        if shelf.tables:
            header = [meta.pubkey for meta in self.template.accounts if not meta.is_signer]
            self.tables = shelf.choose([*header, *(job.target for _, job in self.jobs)])


class _Fill(Generic[T]):
    """One transaction being filled with targets, of one market or of several."""

    def __init__(self, payer: Pubkey, limits: Limits) -> None:
        self.draft = Draft(payer)
        self.limits = limits
        self.parts: list[tuple[BatchTemplate, list[tuple[int, T]]]] = []

    def take_from(self, queue: _Queue[T]) -> bool:
        """Move as many of the queue's first targets here as fit; tell whether that was any."""
        template, trial = queue.template, self.draft.copy()
        trial.add_tables(queue.tables)
        trial.add_instruction(
            template.instruction(()),
            cu=template.base_cu,
            loaded_bytes=template.base_loaded_bytes,
            log_bytes=template.base_log_bytes,
        )
        cost = {
            "cu": template.cu_per_target,
            "loaded_bytes": template.loaded_bytes_per_target,
            "log_bytes": template.log_bytes_per_target,
        }
        taken = 0
        # What surely fits is added without weighing each; the rest one by one.
        while sure := self.limits.room(trial, **cost):
            targets = [job.target for _, job in queue.jobs[taken : taken + sure]]
            added = trial.add_targets(targets, **cost)
            taken += added
            if added < sure:
                break
        for _, job in queue.jobs[taken:]:
            if not trial.add_targets((job.target,), **cost):
                break
            if not self.limits.admit(trial):
                trial.take_target_back(job.target, **cost)
                break
            taken += 1
        if taken:
            self.draft = trial
            self.parts.append((template, queue.jobs[:taken]))
            queue.jobs = queue.jobs[taken:]
        return taken > 0

    @property
    def rank(self) -> int:
        """The rank of its most urgent target."""
        return min(jobs[0][0] for _, jobs in self.parts)

    def batch(self) -> Batch[T]:
        instructions = [
            template.instruction(job.target for _, job in jobs) for template, jobs in self.parts
        ]
        jobs = [job for _, part in self.parts for _, job in part]
        return _batch(self.draft, jobs, instructions)


def pack_targets(
    targets: Sequence[T],
    templates: Mapping[Pubkey, BatchTemplate],
    payer: Pubkey,
    limits: Limits | None = None,
    shelf: TableShelf | None = None,
    *,
    one_each: bool = False,
) -> Packing[T]:
    """Pack targets, most urgent first, into batch instructions.

    Batches come in the order of their most urgent target. A market fills as many transactions of its own as it can, in
    order; what is then left of each shares transactions with the others, and is cut where one is full. So the least
    urgent targets of a market may ride ahead, beside another market's urgent ones; none is ever held back for that.

    Args:
        targets: most urgent first.
        templates: of each market.
        payer: of every transaction.
        limits: of a transaction.
        shelf: lookup tables at hand.
        one_each: a market gets one transaction at most, so that no two of them fight over its account; what does not
            fit it is left over.
    """
    limits, shelf = limits or Limits(), shelf or TableShelf()
    queues, refused = _queues(targets, templates)
    left_over: list[T] = []
    fills: list[_Fill[T]] = []
    rests: list[_Queue[T]] = []
    for queue in queues:
        queue.choose_tables(shelf)
        while queue.jobs:
            fill: _Fill[T] = _Fill(payer, limits)
            if not fill.take_from(queue):
                _, job = queue.jobs.pop(0)
                refused.append(Refused(job=job, reason=_why_alone_refused(queue, job, payer)))
            elif queue.jobs:
                fills.append(fill)
                left_over += queue.drop_rest() if one_each else ()
            else:
                queue.jobs = fill.parts[0][1]
                rests.append(queue)
                break
    fills += _share(rests, payer, limits, left_over if one_each else None)
    fills.sort(key=lambda one: one.rank)
    return Packing(
        batches=tuple(one.batch() for one in fills),
        refused=tuple(refused),
        left_over=tuple(left_over),
    )


def _share(
    rests: Iterable[_Queue[T]], payer: Pubkey, limits: Limits, left_over: list[T] | None
) -> list[_Fill[T]]:
    """Let what is left of each market share transactions; a cut market goes on in the next, or into `left_over`."""
    fills: list[_Fill[T]] = []
    fill: _Fill[T] = _Fill(payer, limits)
    for rest in sorted(rests, key=lambda queue: queue.jobs[0][0]):
        while rest.jobs:
            if not fill.take_from(rest):
                fills.append(fill)
                fill = _Fill(payer, limits)
            elif left_over is not None:
                left_over += rest.drop_rest()
    return [*fills, fill] if fill.parts else fills


def _queues(
    targets: Sequence[T], templates: Mapping[Pubkey, BatchTemplate]
) -> tuple[list[_Queue[T]], list[Refused[T]]]:
    refused: list[Refused[T]] = []
    queues: dict[Pubkey, _Queue[T]] = {}
    seen: set[tuple[Pubkey, Pubkey]] = set()
    for rank, job in enumerate(targets):
        template = templates.get(job.market)
        place = (job.market, job.target)
        if template is None:
            refused.append(Refused(job=job, reason=f"no batch template for market {job.market}"))
        elif place in seen:
            refused.append(Refused(job=job, reason="the target is already in this packing"))
        else:
            seen.add(place)
            queue = queues.get(job.market)
            if queue is None:
                queue = queues[job.market] = _Queue(template)
            queue.jobs.append((rank, job))
    return list(queues.values()), refused


def _why_alone_refused(queue: _Queue[T], job: T, payer: Pubkey) -> str:
    header = Draft(payer)
    header.add_instruction(queue.template.instruction(()))
    if job.target in header:
        return "the target is one of the batch's shared accounts"
    return "not even one target fits its batch instruction"


def pack_groups(
    groups: Iterable[Group],
    payer: Pubkey,
    limits: Limits | None = None,
    shelf: TableShelf | None = None,
) -> Packing[Group]:
    """Pack groups in the order given, most urgent first; none overtakes another.

    Loaded data is added up group by group: shared accounts count twice, which only errs on the safe side.
    """
    limits, shelf = limits or Limits(), shelf or TableShelf()
    batches: list[Batch[Group]] = []
    refused: list[Refused[Group]] = []
    draft, held = Draft(payer), list[Group]()
    for group in groups:
        grown = _with_group(draft, group, shelf)
        if limits.excess(grown) is None:
            draft = grown
            held.append(group)
            continue
        alone = _with_group(Draft(payer), group, shelf)
        if (reason := limits.excess(alone)) is not None:
            refused.append(Refused(job=group, reason=reason))
            continue
        batches.append(_group_batch(draft, held))
        draft, held = alone, [group]
    if held:
        batches.append(_group_batch(draft, held))
    return Packing(batches=tuple(batches), refused=tuple(refused))


def _with_group(draft: Draft, group: Group, shelf: TableShelf) -> Draft:
    grown = draft.copy()
    if shelf.tables:
        metas = [meta for one in group.instructions for meta in one.accounts]
        grown.add_tables(shelf.choose({meta.pubkey for meta in metas if not meta.is_signer}))
    for instruction in group.instructions:
        grown.add_instruction(instruction)
    grown.add_cost(cu=group.cu, loaded_bytes=group.loaded_bytes, log_bytes=group.log_bytes)
    return grown


def _group_batch(draft: Draft, groups: Sequence[Group]) -> Batch[Group]:
    return _batch(draft, groups, [one for group in groups for one in group.instructions])


def _batch(draft: Draft, jobs: Sequence[J], instructions: Sequence[Instruction]) -> Batch[J]:
    draft.drop_wasteful_tables()
    return Batch(
        jobs=tuple(jobs),
        instructions=tuple(instructions),
        cu=ComputeUnits(draft.cu),
        size_bytes=draft.size_bytes,
        locks=draft.locks,
        loaded_bytes=draft.loaded_bytes,
        tables=draft.tables,
    )
