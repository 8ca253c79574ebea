"""SIGHUP: keeper.toml read again, and what of it can change while money is in flight.

What is bid, how much may be spent, how many at once, what is worth posting, how long a drain lasts and what is logged
take effect together, between two checkpoints. Whatever else differs is named and waits for a restart: endpoints, keys and
folders are what a run was checked against at its start. A file with a mistake changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from keeper.config import Config, effective
from keeper.errors import ConfigError
from keeper.execute import Lane
from keeper.interrupt import Orders
from keeper.lane_config import LaneConfig, LanesConfig
from keeper.lanes import Lanes

log = structlog.get_logger()


@dataclass(slots=True)
class Settings:
    """The configuration in effect, replaced whole."""

    now: Config
    """With the addresses of the sandbox, where there is one."""
    in_file: Config
    """As keeper.toml and the command line have it, but for what needs a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What a newly read file comes to."""

    in_file: Config
    """What the file says, as far as it is in effect from now on."""
    applied: tuple[str, ...]
    """Dotted keys that change."""
    needs_restart: tuple[str, ...]
    """Dotted keys that differ from what is in effect, and stay as they are."""


def plan_reload(old: Config, new: Config) -> Reload:
    """Compare what is in effect of the old file with the new one."""
    taken = take_over(old, new)
    return Reload(in_file=taken, applied=_changed(old, taken), needs_restart=_changed(taken, new))


def take_over(old: Config, new: Config) -> Config:
    """Return the old configuration with what may change in a running keeper from the new one."""
    return replace(
        old,
        posting=new.posting,
        log=new.log,
        landing=replace(new.landing, blockhash_interval_slots=old.landing.blockhash_interval_slots),
        lanes=_lanes(old.lanes, new.lanes),
    )


async def reread_settings(
    orders: Orders,
    settings: Settings,
    reread: Callable[[], Config],
    apply: Callable[[Config], None],
) -> None:
    """Read the file again whenever that is ordered, until cancelled.

    Args:
        orders: tell when.
        settings: what is in effect.
        reread: reads the file, with what the command line adds.
        apply: puts a configuration to work wherever it is not read from `settings` each time.
    """
    sequence = orders.rereads.sequence
    while True:
        sequence, _ = await orders.rereads.wait_newer(sequence)
        try:
            new = reread()
        except ConfigError as error:
            log.warning("settings.refused", reason=str(error), effect="nothing changed")
            continue
        plan = plan_reload(settings.in_file, new)
        # No checkpoint between here and the log line: nobody works with half of it.
        settings.in_file, settings.now = plan.in_file, take_over(settings.now, new)
        apply(settings.now)
        log.info("settings.reread", changed=plan.applied)
        if plan.needs_restart:
            log.warning("settings.need_restart", keys=plan.needs_restart)


def adjust_lanes(lanes: Lanes, config: LanesConfig) -> None:
    """Put a lane's new settings to work; what is in flight was bid under the old ones."""
    for lane in lanes:
        _adjust(lane, getattr(config, lane.name))


def _adjust(lane: Lane, config: LaneConfig) -> None:
    lane.room.resize(config.concurrency)
    fresh = config.purse()
    lane.purse.policy = fresh.policy
    for kept, wanted in ((lane.purse.spend, fresh.spend), (lane.purse.losses, fresh.losses)):
        for (_, window), (_, cap) in zip(kept, wanted, strict=True):
            window.max_lamports = cap.max_lamports


def _lanes(old: LanesConfig, new: LanesConfig) -> LanesConfig:
    return replace(
        old,
        **{
            name: replace(getattr(new, name), key=getattr(old, name).key)
            for name in ("prices", "liquidations", "chains", "payouts", "tables")
        },
    )


def _changed(old: Config, new: Config) -> tuple[str, ...]:
    before, after = dict(_flat("", effective(old))), dict(_flat("", effective(new)))
    return tuple(key for key in after | before if before.get(key) != after.get(key))


def _flat(prefix: str, value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, inner in value.items():
        found += (
            _flat(f"{prefix}{key}.", inner) if isinstance(inner, dict) else [(prefix + key, inner)]
        )
    return found
