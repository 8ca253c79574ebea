"""Packing of 10_000 liquidations over 100 markets: time, transactions against the lower bound, and a naive packer beside it.

The markets' headers are those of the program. Three shelves: no lookup tables; tables of the markets' shared accounts; tables
of the positions too. The naive packer builds and serializes every candidate to learn its size.

Run: python -m bench.packing
"""

import argparse
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from bench.report.figure import Beside, Figure, Goal, tell
from keeper.costs import (
    LIQUIDATE_CU_PER_POSITION,
    LIQUIDATE_LOADED_BYTES_PER_POSITION,
    liquidate_base_cu,
    liquidate_loaded_bytes,
)
from programs.instructions import Tag, liquidate_header
from programs.lookup_tables import LookupTable, TableShelf
from programs.pack import BatchTemplate, Packing, pack_targets
from programs.transaction import Budget, compile_message
from programs.units import TRANSACTION_BYTES_MAX, TRANSACTION_LOCKS_MAX, MicroLamports

TARGETS: Final = 10_000
MARKETS: Final = 100
GOAL_S: Final = 0.3
GOAL_PERCENT: Final = 5
_ADDRESSES_PER_TABLE: Final = 200
_BUDGET: Final = Budget(
    cu_limit=liquidate_base_cu(1), cu_price_micro_lamports=MicroLamports(1), loaded_bytes=1 << 20
)


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One position under water."""

    job_id: str
    market: Pubkey
    target: Pubkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is to be packed."""

    jobs: tuple[Liquidation, ...]
    templates: dict[Pubkey, BatchTemplate]
    payer: Pubkey

    def shelf_of_headers(self) -> TableShelf:
        """Put the shared accounts of all markets into tables, those of all markets into each."""
        headers = [
            [meta.pubkey for meta in one.accounts if not meta.is_signer]
            for one in self.templates.values()
        ]
        shared = set.intersection(*map(set, headers))
        own = [key for header in headers for key in header if key not in shared]
        return _shelf([own[n : n + _ADDRESSES_PER_TABLE] for n in _starts(own)], list(shared))

    def shelf_of_positions(self) -> TableShelf:
        """Put the positions into tables too, market by market, each beside its market's accounts."""
        by_market: dict[Pubkey, list[Pubkey]] = {}
        for job in self.jobs:
            by_market.setdefault(job.market, []).append(job.target)
        groups = []
        for market, positions in by_market.items():
            header = [m.pubkey for m in self.templates[market].accounts if not m.is_signer]
            groups += [
                [*header, *positions[n : n + _ADDRESSES_PER_TABLE]] for n in _starts(positions)
            ]
        return _shelf(groups, [])


def _starts(addresses: Sequence[Pubkey]) -> range:
    return range(0, len(addresses), _ADDRESSES_PER_TABLE)


def _shelf(groups: Sequence[Sequence[Pubkey]], shared: Sequence[Pubkey]) -> TableShelf:
    return TableShelf(
        tuple(LookupTable(Pubkey.new_unique(), (*shared, *group)) for group in groups)
    )


def scene(targets: int = TARGETS, markets: int = MARKETS, payer: Pubkey | None = None) -> Scene:
    """Build liquidations in a seeded order of urgency, spread over the markets by chance; somebody pays, if nobody is named."""
    chance = random.Random(7)
    program, somebody, tokens = (Pubkey(chance.randbytes(32)) for _ in range(3))
    payer = payer or somebody
    templates = {}
    for _ in range(markets):
        market = Pubkey(chance.randbytes(32))
        templates[market] = BatchTemplate(
            program=program,
            accounts=tuple(liquidate_header(program, payer, tokens, market)),
            data=bytes([Tag.LIQUIDATE]),
            base_cu=liquidate_base_cu(2),
            cu_per_target=LIQUIDATE_CU_PER_POSITION,
            base_loaded_bytes=liquidate_loaded_bytes(1),
            loaded_bytes_per_target=LIQUIDATE_LOADED_BYTES_PER_POSITION,
        )
    known = list(templates)
    jobs = tuple(
        Liquidation(f"liquidate:{n}", chance.choice(known), Pubkey(chance.randbytes(32)))
        for n in range(targets)
    )
    return Scene(jobs=jobs, templates=templates, payer=payer)


def lower_bound(of: Scene, shelf: TableShelf) -> int:
    """Bound the transactions from below: none holds more targets than the fullest one of a single market could.

    A market's accounts take room in each transaction that serves it, so a transaction of one market holds the most. How
    many that is, is read off the markets packed alone: each has more targets than fit one transaction.
    """
    most = 0
    for market in of.templates:
        alone = [job for job in of.jobs if job.market == market]
        if not alone:
            continue
        packing = pack_targets(alone, of.templates, of.payer, shelf=shelf)
        assert len(packing.batches) > 1, "a market that never fills a transaction tells no capacity"
        most = max(most, *(len(batch.jobs) for batch in packing.batches))
    return math.ceil(len(of.jobs) / most)


def five_times(of: Scene, shelf: TableShelf) -> tuple[list[float], Packing[Liquidation]]:
    """Time the packing alone, milliseconds."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        packing = pack_targets(of.jobs, of.templates, of.payer, shelf=shelf)
        times.append(1e3 * (time.perf_counter() - start))
    return times, packing


def serialized_bytes(of: Scene, template: BatchTemplate, targets: Sequence[Pubkey]) -> int:
    """Build a candidate and serialize it, as a packer without arithmetic must."""
    instructions = [template.instruction(targets)]
    message = compile_message(of.payer, instructions, _BUDGET, Hash.default())
    return len(bytes(VersionedTransaction.populate(message, [Signature.default()])))


def pack_naively(of: Scene) -> int:
    """Fill transactions market by market, serializing each candidate; return how many there are."""
    by_market: dict[Pubkey, list[Pubkey]] = {}
    for job in of.jobs:
        by_market.setdefault(job.market, []).append(job.target)
    transactions = 0
    for market, targets in by_market.items():
        template, held = of.templates[market], list[Pubkey]()
        locks = len(template.accounts) + 2
        for target in targets:
            grown = [*held, target]
            fits = serialized_bytes(of, template, grown) <= TRANSACTION_BYTES_MAX
            if fits and locks + len(grown) <= TRANSACTION_LOCKS_MAX:
                held = grown
            else:
                transactions += 1
                held = [target]
        transactions += 1
    return transactions


def main() -> int:
    """Print the figures; 1 if one misses its goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.packing", description=__doc__)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = scene()
    start = time.perf_counter()
    naive_count = pack_naively(found)
    naive_ms = 1e3 * (time.perf_counter() - start)
    figures = []
    for name, shelf in (
        ("no lookup tables", TableShelf()),
        ("shared accounts in tables", found.shelf_of_headers()),
        ("positions in tables too", found.shelf_of_positions()),
    ):
        times_ms, packing = five_times(found, shelf)
        count, bound = len(packing.batches), lower_bound(found, shelf)
        what = f"{TARGETS:,} liquidations of {MARKETS} markets, {name}"
        figures += [
            Figure(
                name=f"packing {what}",
                unit="ms",
                runs=tuple(times_ms),
                goal=Goal(value=GOAL_S * 1e3, source="issue 5"),
                baseline=Beside(name="building and serializing every candidate", value=naive_ms),
            ),
            Figure(
                name=f"transactions for {what}",
                unit="",
                runs=(float(count),),
                goal=Goal(value=bound * (1 + GOAL_PERCENT / 100), source="issue 5"),
                baseline=Beside(name="one action per transaction", value=float(TARGETS)),
                limit=Beside(name="every transaction as full as the fullest", value=float(bound)),
            ),
        ]
    figures.append(
        Figure(
            name="transactions of a packer that serializes every candidate, no lookup tables",
            unit="",
            runs=(float(naive_count),),
        )
    )
    tell("packing", figures, as_json=asked.json)
    return int(any(figure.is_met is False for figure in figures))


if __name__ == "__main__":
    raise SystemExit(main())
