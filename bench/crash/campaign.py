"""A campaign: kill after kill on one world and one state folder, one life undisturbed, and the audit.

Shell.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from bench.crash.audit import Audit, audit
from bench.crash.deaths import Death, deaths_of
from bench.crash.due import DueWatch
from bench.crash.evidence import DueJob, Evidence
from bench.crash.life import Life, live_until, undisturbed
from bench.crash.reading import open_count, read_record
from bench.crash.spoiled import blind_spots, spoiled_count
from bench.crash.world import Scale, World, run_world
from programs.localnet.faults import FaultProfile

_LAST_LIFE_S_MAX: Final = 90.0
_LOOKS_CLEAR: Final = 3
"""Nothing due in so many looks, one after the other: it is all done."""
_LOOK_S: Final = 0.5
_SETTLING_LIVES_MAX: Final = 4
_BEFORE_FINAL_S: Final = 0.2


@dataclass(slots=True, kw_only=True)
class Campaign:
    """What happened, and what the audit made of it."""

    seed: int
    deaths: Counter[str] = field(default_factory=Counter)
    """By kind."""
    phases: Counter[str] = field(default_factory=Counter)
    """Where each life stood when it was killed."""
    ended_alone: Counter[str] = field(default_factory=Counter)
    """Lives that ended before they were killed, by their last words: a keeper must not."""
    start_s: list[float] = field(default_factory=list)
    """From the start of each process to the end of settlement, for those that came so far."""
    faults: dict[str, int] = field(default_factory=dict)
    last_report: dict[str, Any] | None = None
    cleared_after_s: float | None = None
    """How long the last life took until nothing was due; None if something always was."""
    took_s: float = 0.0
    audit: Audit | None = None
    spoiled: int = 0
    blind_spots: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Lives that were killed."""
        return sum(self.deaths.values())

    @property
    def passed(self) -> bool:
        """Whether everything was as it must be."""
        is_clean = self.audit is not None and self.audit.passed
        return is_clean and not self.blind_spots and not self.ended_alone

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        start_s = sorted(self.start_s)
        return {
            "passed": self.passed,
            "seed": self.seed,
            "kills": self.kills,
            "deaths": dict(self.deaths),
            "killed_while": dict(self.phases),
            "ended_alone": dict(self.ended_alone),
            "start_s_median": start_s[len(start_s) // 2] if start_s else None,
            "audit": None if self.audit is None else asdict(self.audit),
            "spoiled_copies_refused": self.spoiled - len(self.blind_spots),
            "spoiled_copies": self.spoiled,
            "blind_spots": self.blind_spots,
            "cleared_after_s": self.cleared_after_s,
            "faults": self.faults,
            "took_s": round(self.took_s, 1),
        }


async def run_campaign(
    seed: int,
    kills: int,
    for_s: float,
    scale: Scale,
    faults: FaultProfile,
    folder: Path,
    tell: Callable[[str], None],
) -> Campaign:
    """Kill so many keepers, or as many as time allows, let the last one live, and audit what they left."""
    campaign, started_s = Campaign(seed=seed), trio.current_time()
    async with trio.open_nursery() as nursery:
        world: World = await nursery.start(run_world, seed, scale, faults)
        config = world.write_config(folder)
        state, log = folder / "state", folder / "keeper.log"
        with trio.move_on_after(for_s):
            await _kill_all(campaign, deaths_of(seed, kills), config, log, tell)
        world.restlessness.cancel(reason="the last life is undisturbed")
        due = await _live_on(campaign, world, config, log)
        await _settle(config, log, state)
        campaign.faults = dict(sorted(world.localnet.trouble.tally.items()))
        await _until_final(world)
        evidence = Evidence(
            chain=tuple(world.reader.found),
            attempts=read_record(state),
            finalized_height=world.localnet.bank.height_at("finalized"),
            due=due,
        )
        nursery.cancel_scope.cancel(reason="the campaign is over")
    campaign.audit = audit(evidence)
    if any(one.effects for one in evidence.chain):
        campaign.spoiled = spoiled_count(evidence)
        campaign.blind_spots = blind_spots(evidence)
    else:
        campaign.blind_spots = ["nothing was done on chain, so there is nothing to judge"]
    campaign.took_s = trio.current_time() - started_s
    return campaign


async def _kill_all(
    campaign: Campaign,
    deaths: Sequence[Death],
    config: Path,
    log: Path,
    tell: Callable[[str], None],
) -> None:
    for number, death in enumerate(deaths, 1):
        life = await live_until(config, log, death)
        _note(campaign, death, life)
        tell(
            f"{number}/{len(deaths)}  {death.name:<14} while {life.phase:<9} {life.lived_s:5.1f} s"
        )


def _note(campaign: Campaign, death: Death, life: Life) -> None:
    if life.exit_status is not None:
        campaign.ended_alone[f"status {life.exit_status}: {life.last_words[:300]}"] += 1
        return
    is_in_vain = death.point is not None and life.was_killed_from_outside
    campaign.deaths["by the clock" if is_in_vain else death.name] += 1
    campaign.phases[life.phase] += 1
    if life.work_began_s is not None:
        campaign.start_s.append(life.work_began_s)


async def _live_on(campaign: Campaign, world: World, config: Path, log: Path) -> tuple[DueJob, ...]:
    """Let one keeper live until nothing is due, and return what still was at the end."""
    watch, due = DueWatch(world=world), ()
    began_s, clear = trio.current_time(), 0
    async with undisturbed(config, log) as life:
        with trio.move_on_after(_LAST_LIFE_S_MAX):
            while clear < _LOOKS_CLEAR and not life.has_ended:
                await trio.sleep(_LOOK_S)
                due = await watch.look()
                clear = 0 if due else clear + 1
            if clear == _LOOKS_CLEAR:
                campaign.cleared_after_s = round(trio.current_time() - began_s, 1)
    campaign.last_report = life.report
    if life.exit_status != 0:
        campaign.ended_alone[f"status {life.exit_status}: {life.last_words[:300]}"] += 1
    return due


async def _settle(config: Path, log: Path, state: Path) -> None:
    """Let further keepers settle what the last one's drain left open; the weather is as bad as before."""
    for _ in range(_SETTLING_LIVES_MAX):
        if not open_count(state):
            return
        async with undisturbed(config, log) as life:
            with trio.move_on_after(_LAST_LIFE_S_MAX):
                await life.wait_working()


async def _until_final(world: World) -> None:
    """Wait until what was sent last can no longer change, and take the rest of the chain in."""
    world.localnet.trouble.is_armed = False
    bank = world.localnet.bank
    newest = bank.slot + bank.config.blockhash_blocks
    while bank.slot_at("finalized") <= newest:  # noqa: ASYNC110 - a chain has no event to wait for
        await trio.sleep(_BEFORE_FINAL_S)
    world.reader.take()
