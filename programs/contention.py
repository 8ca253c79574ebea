"""Which transactions may be in flight side by side: none that fight over an account that one of them writes.

Three kinds of accounts. Most are *exclusive*: what is planned on one that another transaction is about to change is planned
on nothing. A few are written by everything (the vault, the payer, the keeper's token account) and only ever added to or
taken from: their writes commute, so they are *metered* instead, by what a block lets one account's writers use. And some are
*planned*: the candidates were planned one upon the other there, in their order, so these may go together, metered; what was
planned before, and is in flight, keeps all of them away.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs.units import ComputeUnits

WRITABLE_ACCOUNT_CU_MAX: Final = ComputeUnits(12_000_000)
"""What the writers of one account may use in a block. Source: agave MAX_WRITABLE_ACCOUNT_UNITS."""

C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one transaction touches."""

    written: frozenset[Pubkey]
    read: frozenset[Pubkey] = frozenset()
    cu: ComputeUnits

    @classmethod
    def of(cls, instructions: Iterable[Instruction], payer: Pubkey, cu: ComputeUnits) -> "Claim":
        """Gather the accounts of a transaction; one that any instruction writes is written."""
        metas = [meta for instruction in instructions for meta in instruction.accounts]
        written = frozenset((payer, *(meta.pubkey for meta in metas if meta.is_writable)))
        return cls(written=written, read=frozenset(meta.pubkey for meta in metas) - written, cu=cu)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[C]):
    """Something that could be sent, with what it touches."""

    work: C
    claim: Claim


@dataclass(frozen=True, slots=True)
class Waits(Generic[C]):
    """Something that must wait, with the account that it waits for."""

    work: C
    account: Pubkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Generic[C]):
    """Every candidate, once, in the order given."""

    go: tuple[C, ...]
    wait: tuple[Waits[C], ...]


def take_turns(
    candidates: Sequence[Candidate[C]],
    in_flight: Iterable[Claim],
    commuting: Collection[Pubkey] = (),
    cu_max: ComputeUnits = WRITABLE_ACCOUNT_CU_MAX,
    planned: Collection[Pubkey] = (),
) -> Turn[C]:
    """Choose which candidates may go now, most urgent first.

    One that has to wait keeps its place: nothing behind it takes an account that it needs, so what is urgent is never
    starved by a stream of what is not.

    Args:
        candidates: most urgent first.
        in_flight: claims of what has been sent and has not ended.
        commuting: accounts whose writers do not disturb each other.
        cu_max: compute units that may be in flight over each metered account; one transaction alone may always go.
        planned: accounts on which each candidate was planned as those before it leave them.
    """
    commuting = frozenset(commuting)
    metering = commuting.union(planned)
    written: set[Pubkey] = set()
    touched: set[Pubkey] = set()
    metered: Counter[Pubkey] = Counter()
    closed: set[Pubkey] = set()
    for claim in in_flight:
        _reserve(claim, commuting, written, touched)
        metered.update(dict.fromkeys(claim.written & metering, claim.cu))
    go: list[C] = []
    wait: list[Waits[C]] = []
    for candidate in candidates:
        claim = candidate.claim
        fought = ((claim.written & touched) | (claim.read & written)) - commuting
        full = {
            account
            for account in claim.written & metering
            if account in closed or (metered[account] and metered[account] + claim.cu > cu_max)
        }
        if fought or full:
            # What comes behind it was planned on what it would have left: it waits on a planned account as well.
            _reserve(claim, commuting, written, touched)
            closed |= full
            wait.append(Waits(candidate.work, min(fought or full, key=bytes)))
        else:
            _reserve(claim, metering, written, touched)
            metered.update(dict.fromkeys(claim.written & metering, claim.cu))
            go.append(candidate.work)
    return Turn(go=tuple(go), wait=tuple(wait))


def _reserve(
    claim: Claim, shared: frozenset[Pubkey], written: set[Pubkey], touched: set[Pubkey]
) -> None:
    written |= claim.written - shared
    touched |= (claim.written | claim.read) - shared
