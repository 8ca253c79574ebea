"""Liquidations -> transactions that may go now: filled with several markets' batches, none in the way of another.

Core. A market has at most one transaction that the plan does not show yet, because a second would be planned on what the first
is about to change; what many markets write (the vault, the keeper's own accounts) commutes. Jobs that a failure made suspect travel with
nobody but suspects of their own market, so that whoever is innocent lands beside them no second time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from keeper.bisection import Bisection
from keeper.blame import guilty_instruction
from keeper.costs import (
    LIQUIDATE_CU_PER_POSITION,
    LIQUIDATE_LOADED_BYTES_PER_POSITION,
    LIQUIDATE_LOG_BYTES_PER_POSITION,
    LIQUIDATE_MARGIN_BPS,
    LIQUIDATE_MARGIN_UNSOLD_BPS,
    liquidate_base_cu,
    liquidate_loaded_bytes,
    liquidate_log_bytes,
)
from keeper.deeds import Deeds
from keeper.jobs import Job
from programs.addresses import vault_address, vault_tokens_address
from programs.contention import Candidate, Claim, take_turns
from programs.instructions import Tag, liquidate_header
from programs.lookup_tables import TableShelf
from programs.pack import Batch, BatchTemplate, Refused, pack_targets
from programs.transaction import COMPUTE_BUDGET_CU
from programs.units import ComputeUnits

_CHAINS_PER_BATCH_MAX: Final = 8
"""Each makes room in the logs for its pledges; the others take the next batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """For whom and with what liquidations are packed."""

    program: Pubkey
    payer: Pubkey
    quote_mint: Pubkey

    @property
    def tokens(self) -> Pubkey:
        """Where bounties arrive."""
        return get_associated_token_address(self.payer, self.quote_mint)

    @property
    def commuting(self) -> frozenset[Pubkey]:
        """Accounts that every liquidation writes, and none reads a plan from."""
        vault = vault_address(self.program)[0], vault_tokens_address(self.program)[0]
        return frozenset((self.payer, self.tokens, *vault))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A transaction's worth of liquidations."""

    batch: Batch[Job]
    claim: Claim

    @property
    def markets(self) -> frozenset[Pubkey]:
        """Whose positions it liquidates."""
        return frozenset(job.market for job in self.batch.jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """What to send now."""

    go: tuple[Parcel, ...]
    refused: tuple[Refused[Job], ...]
    """What fits no transaction at all."""


def dispatch(
    desk: Desk,
    by_market: Mapping[Pubkey, Sequence[Job]],
    bisection: Bisection,
    in_flight: Iterable[Claim],
    shelf: TableShelf | None,
    room: int,
) -> Dispatch:
    """Choose transactions to send now.

    Args:
        desk: for whom.
        by_market: jobs of each market that is free, most urgent first, and so the markets.
        bisection: who is suspect.
        in_flight: claims of what the plan does not show.
        shelf: lookup tables at hand.
        room: how many transactions may go.
    """
    trusted: list[Job] = []
    parcels: list[Parcel] = []
    refused: list[Refused[Job]] = []
    for market, jobs in by_market.items():
        together = set(bisection.first_batch([job.job_id for job in jobs]))
        chosen = _few_chains([job for job in jobs if job.job_id in together])
        if any(bisection.is_suspect(job_id) for job_id in together):
            parcels += _pack(desk, {market: chosen}, chosen, shelf, refused)
        else:
            trusted += chosen
    grouped: dict[Pubkey, list[Job]] = {}
    for job in trusted:
        grouped.setdefault(job.market, []).append(job)
    parcels += _pack(desk, grouped, trusted, shelf, refused)
    parcels.sort(key=_at_stake, reverse=True)
    turn = take_turns(
        [Candidate(parcel, parcel.claim) for parcel in parcels], in_flight, desk.commuting
    )
    return Dispatch(go=turn.go[:room], refused=tuple(refused))


def repack(desk: Desk, jobs: Sequence[Job], shelf: TableShelf | None) -> Parcel | None:
    """Pack what is left of a parcel; None if it is no longer one transaction's worth."""
    grouped: dict[Pubkey, list[Job]] = {}
    for job in jobs:
        grouped.setdefault(job.market, []).append(job)
    parcels = _pack(desk, grouped, jobs, shelf, [])
    return parcels[0] if len(parcels) == 1 and len(parcels[0].batch.jobs) == len(jobs) else None


def cu_bound(jobs: Sequence[Job]) -> ComputeUnits:
    """Bound what jobs of one transaction use: linear in markets, sales and positions, as their cost is."""
    sales = len({(job.market, job.sale) for job in jobs})
    fixed = len({job.market for job in jobs}) * liquidate_base_cu(0)
    selling = sales * (liquidate_base_cu(1) - liquidate_base_cu(0))
    return ComputeUnits(COMPUTE_BUDGET_CU + fixed + selling + len(jobs) * LIQUIDATE_CU_PER_POSITION)


def cu_margin_bps(deeds: Deeds) -> int:
    """Return what to ask for beyond a simulation: a sale that took place can only be lost, another may be won.

    Between simulation and landing others trade, and whoever trades first takes what room a pool has above the oracle's
    price: no forecast of ours knows when.
    """
    is_settled = deeds.unread is None and not deeds.unsold
    return LIQUIDATE_MARGIN_BPS if is_settled else LIQUIDATE_MARGIN_UNSOLD_BPS


def blamed(batch: Batch[Job], err: object) -> tuple[Job, ...]:
    """Return the jobs of the instruction that an error names; all of them, if it names none of ours."""
    at = guilty_instruction(err, len(batch.instructions))
    if at is None:
        return batch.jobs
    named = {meta.pubkey for meta in batch.instructions[at].accounts}
    return tuple(job for job in batch.jobs if job.target in named)


def _pack(
    desk: Desk,
    grouped: Mapping[Pubkey, Sequence[Job]],
    jobs: Sequence[Job],
    shelf: TableShelf | None,
    refused: list[Refused[Job]],
) -> list[Parcel]:
    templates = {market: _template(desk, market, of) for market, of in grouped.items()}
    packing = pack_targets(jobs, templates, desk.payer, shelf=shelf, one_each=True)
    refused += packing.refused
    return [
        Parcel(batch=batch, claim=Claim.of(batch.instructions, desk.payer, batch.cu))
        for batch in packing.batches
    ]


def _template(desk: Desk, market: Pubkey, jobs: Collection[Job]) -> BatchTemplate:
    return BatchTemplate(
        program=desk.program,
        accounts=tuple(liquidate_header(desk.program, desk.payer, desk.tokens, market)),
        data=bytes([Tag.LIQUIDATE]),
        base_cu=liquidate_base_cu(len({job.sale for job in jobs})),
        cu_per_target=LIQUIDATE_CU_PER_POSITION,
        base_loaded_bytes=liquidate_loaded_bytes(max(job.pools for job in jobs)),
        loaded_bytes_per_target=LIQUIDATE_LOADED_BYTES_PER_POSITION,
        base_log_bytes=liquidate_log_bytes(sum(job.is_chain for job in jobs)),
        log_bytes_per_target=LIQUIDATE_LOG_BYTES_PER_POSITION,
    )


def _few_chains(jobs: Sequence[Job]) -> list[Job]:
    chains = 0
    kept = []
    for job in jobs:
        chains += job.is_chain
        if not job.is_chain or chains <= _CHAINS_PER_BATCH_MAX:
            kept.append(job)
    return kept


def _at_stake(parcel: Parcel) -> int:
    """A parcel is as urgent as the most urgent of its jobs."""
    return max(job.urgency.at_stake for job in parcel.batch.jobs)
