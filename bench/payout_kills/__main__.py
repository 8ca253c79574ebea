"""Kill the keeper with -9 while it settles rewards: `python -m bench.payout_kills [--kills 120] [--seed N] [--json]`.

Roots are posted, token accounts opened and leaves paid under lost, late and repeated transactions and forks, while wallets
claim for themselves and further epochs close. Each life ends by the clock, at work, or at a named line of landing. Exits 0
only when every wallet was paid exactly what its leaves say, once, by the network's own ledger, no attempt's recorded end
differs from the chain's, and the audit refuses every spoiled copy of the same books.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import structlog
import trio

from bench._reward_world import PROGRAM
from bench.crash.audit import audit
from bench.crash.deaths import deaths_of
from bench.crash.evidence import Evidence
from bench.crash.life import live_until, undisturbed
from bench.crash.reading import ChainReader, open_count, read_record
from bench.payout_kills.audit import blind_spots, violations
from bench.payout_kills.world import World, run_world
from programs.localnet.profiles import load_profile

_LAST_LIFE_S_MAX: Final = 120.0
_SETTLING_LIVES_MAX: Final = 4
_LOOK_S: Final = 0.5
_SHOWN: Final = 20


@dataclass(slots=True, kw_only=True)
class Campaign:
    """What happened, and what the audit made of it."""

    seed: int
    kills: int = 0
    deaths: Counter[str] = field(default_factory=Counter)
    killed_while: Counter[str] = field(default_factory=Counter)
    ended_alone: Counter[str] = field(default_factory=Counter)
    roots: int = 0
    leaves: int = 0
    paid_by_keeper: int = 0
    claimed_by_wallets: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    blind_spots: list[str] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether everything was as it must be."""
        return not (self.violations or self.blind_spots or self.ended_alone)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        # asdict would make a Counter of a Counter's items.
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return {"passed": self.passed, **plain}


async def run_campaign(asked: argparse.Namespace, folder: Path) -> Campaign:
    """Kill so many keepers, let the last one live until all is paid, and audit."""
    campaign, started_s = Campaign(seed=asked.seed), trio.current_time()
    faults = replace(load_profile(asked.faults), congestion=None)
    state, log = folder / "state", folder / "keeper.log"
    async with trio.open_nursery() as nursery:
        world: World = await nursery.start(
            run_world, asked.seed, asked.slot_ms, faults, state / "payouts"
        )
        reader = ChainReader(bank=world.localnet.bank, program=PROGRAM, payer=world.payer.pubkey())
        reader.start_here()
        nursery.start_soon(reader.follow)
        config = world.write_config(folder)
        for number, death in enumerate(deaths_of(asked.seed, asked.kills), 1):
            life = await live_until(config, log, death)
            if life.exit_status is not None:
                campaign.ended_alone[f"{life.exit_status}: {life.last_words[:300]}"] += 1
                continue
            campaign.kills += 1
            campaign.deaths[death.name] += 1
            campaign.killed_while[life.phase] += 1
            print(
                f"{number}/{asked.kills}  {death.name:<14} while {life.phase:<9} {life.lived_s:4.1f} s, "
                f"{len(world.trees)} roots, {world.unpaid()} leaves to pay",
                file=sys.stderr,
                flush=True,
            )
        world.is_closing_epochs = False
        await _live_on(campaign, world, config, log)
        await _settle(config, log, state)
        campaign.faults = dict(sorted(world.localnet.trouble.tally.items()))
        await _until_final(world)
        reader.take()
        _judge(campaign, world, reader, state)
        nursery.cancel_scope.cancel(reason="the campaign is over")
    campaign.took_s = round(trio.current_time() - started_s, 1)
    return campaign


async def _live_on(campaign: Campaign, world: World, config: Path, log: Path) -> None:
    async with undisturbed(config, log) as life:
        with trio.move_on_after(_LAST_LIFE_S_MAX):
            while world.unpaid() and not life.has_ended:  # noqa: ASYNC110 - a chain has no event to wait for
                await trio.sleep(_LOOK_S)
    if life.exit_status != 0:
        campaign.ended_alone[f"{life.exit_status}: {life.last_words[:300]}"] += 1


async def _settle(config: Path, log: Path, state: Path) -> None:
    """Let further keepers settle what the last one's drain left open."""
    for _ in range(_SETTLING_LIVES_MAX):
        if not open_count(state):
            return
        async with undisturbed(config, log) as life:
            with trio.move_on_after(_LAST_LIFE_S_MAX):
                await life.wait_working()


async def _until_final(world: World) -> None:
    """Wait until what was sent last can no longer change."""
    world.localnet.trouble.is_armed = False
    bank = world.localnet.bank
    newest = bank.slot + bank.config.blockhash_blocks
    while bank.slot_at("finalized") <= newest:  # noqa: ASYNC110 - a chain has no event to wait for
        await trio.sleep(_LOOK_S)
    world.take()


def _judge(campaign: Campaign, world: World, reader: ChainReader, state: Path) -> None:
    books = world.books()
    campaign.roots, campaign.leaves = len(world.trees), len(books.owed)
    campaign.paid_by_keeper = sum(each.is_ours for each in books.payments)
    campaign.claimed_by_wallets = len(books.payments) - campaign.paid_by_keeper
    recorded = read_record(state)
    campaign.attempts = dict(Counter(each.state for each in recorded))
    evidence = Evidence(
        chain=tuple(reader.found),
        attempts=recorded,
        finalized_height=world.localnet.bank.height_at("finalized"),
    )
    campaign.violations = [
        *violations(books),
        *(f"{each.kind}: {each.text}" for each in audit(evidence).violations),
    ]
    if len(books.payments) > 1:
        campaign.blind_spots = blind_spots(books)
    else:
        campaign.blind_spots = ["nothing was paid, so there is nothing to judge"]


def main() -> int:
    """Run one campaign and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.payout_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1, help="decides deaths, claims and faults")
    parser.add_argument("--faults", default="heavy", help="profile of what goes wrong")
    parser.add_argument("--slot-ms", type=int, default=50)
    parser.add_argument("--keep", action="store_true", help="keep state and logs")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="payout-kills-"))
    with (folder / "world.log").open("w") as log:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        found = trio.run(run_campaign, asked, folder)
    print(json.dumps(found.as_json()) if asked.json else _page(found))
    if found.passed and not asked.keep:
        shutil.rmtree(folder)
    else:
        print(f"state and logs: {folder}", file=sys.stderr)
    return 0 if found.passed else 1


def _page(found: Campaign) -> str:
    lines = [
        f"seed              {found.seed}, {found.took_s:.0f} s",
        f"kills             {found.kills}: {_listed(found.deaths)}",
        f"killed while      {_listed(found.killed_while)}",
        f"ended by itself   {_listed(found.ended_alone) or 'never'}",
        f"went wrong        {_listed(found.faults)}",
        f"attempts          {_listed(found.attempts)}",
        f"owed              {found.leaves} leaves of {found.roots} roots",
        f"paid              {found.paid_by_keeper} by keepers, {found.claimed_by_wallets} claimed by wallets",
        *(f"BLIND             {each}" for each in found.blind_spots),
        *(f"VIOLATION         {each}" for each in found.violations[:_SHOWN]),
    ]
    return "\n".join([*lines, "passed" if found.passed else "FAILED"])


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


if __name__ == "__main__":
    sys.exit(main())
