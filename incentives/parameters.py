"""The parameters of the incentives: the lengths that never change, and the rules by version.

Core. Rules are append-only: a later version holds from a later epoch on, and what an epoch already begun was promised stays
as it was. The canonical JSON of a version is what a ledger records, and what its head depends on.

Source: SPEC.md section 7.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from programs.units import I64_MAX

FORMULA_VERSION: Final = 1
"""Of the code under incentives/rules and of what counts of logs (programs/log_limit.py): it rises when the same history and
parameters would give other lines."""
CHAIN_EPOCH_SLOTS: Final = 9_000
"""The program counts its own epochs in these and accepts no root of one not begun. Source: ledger.h EPOCH_SLOTS."""
LOCK_SLOTS: Final = 150
"""How long the program itself keeps a maker in after an add. Source: liquidity.h LIQUIDITY_LOCK_SLOTS."""
NUMBERED_TRADES: Final = 100
"""The program gives numbers to that many trades. Source: opening.h REWARDED_TRADES."""
NOTIONAL_LIMIT: Final = 10**15
"""A billion quote units: with the largest rates one trade's reward still fits a signed 64-bit integer."""
MINING_RATE_PPM_MAX: Final = 100_000
TRADE_REWARD_PPM_MAX: Final = 1_000_000
MULTIPLIER_MAX: Final = 10


class ParametersError(ValueError):
    """The parameters are not valid, or change what is already promised; one sentence says what and why."""


def _require(name: str, value: int, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ParametersError(
            f"{name}: found {value!r}, expected an integer from {least} to {most}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One version of what is rewarded. Quote amounts are base units (1e-6), rates MMT per quote unit in ppm."""

    from_epoch: int = 0
    """The first epoch in which it holds; an event is judged by the epoch of its own slot."""
    trade_reward_ppm: int = 10_000
    """1 MMT per $100: of a trade's notional, and of the value a maker adds times the improvement."""
    notional_min: int = 100_000_000
    """A smaller open is no trade."""
    notional_max: int = 10_000_000_000
    """Counted of one position."""
    boosted_trades: int = 100
    """The first trades by the program's own number; the slot of the last of them ends the bootstrap."""
    trade_multiplier: int = 2
    """Of a boosted trade."""
    maker_multiplier: int = 2
    """Of a deposit up to the end of the bootstrap."""
    mining_multiplier: int = 2
    """Of slots up to the end of the bootstrap."""
    improvement_min_bps: int = 1
    """A deposit that improves the price impact by less earns no maker reward."""
    mining_rate_ppm: int = 1_000
    """Per 432_000 slots of liquidity value."""

    def __post_init__(self) -> None:
        """Refuse values outside their ranges.

        Raises:
            ParametersError: the first that is.
        """
        _require("from_epoch", self.from_epoch, 0, I64_MAX)
        _require("trade_reward_ppm", self.trade_reward_ppm, 0, TRADE_REWARD_PPM_MAX)
        _require("notional_min", self.notional_min, 1, NOTIONAL_LIMIT)
        _require("notional_max", self.notional_max, self.notional_min, NOTIONAL_LIMIT)
        _require("boosted_trades", self.boosted_trades, 0, NUMBERED_TRADES)
        for name in ("trade_multiplier", "maker_multiplier", "mining_multiplier"):
            _require(name, getattr(self, name), 1, MULTIPLIER_MAX)
        _require("improvement_min_bps", self.improvement_min_bps, 1, 10_000)
        _require("mining_rate_ppm", self.mining_rate_ppm, 0, MINING_RATE_PPM_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Everything besides the events that decides what is owed."""

    epoch_slots: int = CHAIN_EPOCH_SLOTS
    """Divides 9_000; epochs count from the season's first slot."""
    dwell_slots: int = LOCK_SLOTS
    """How long a position or a deposit is held before it counts."""
    versions: tuple[Rules, ...] = (Rules(),)
    """By ascending `from_epoch`, the first of them from epoch 0; version numbers count from 1."""

    def __post_init__(self) -> None:
        """Refuse lengths out of range, and versions out of order.

        Raises:
            ParametersError: the first mistake.
        """
        _require("epoch_slots", self.epoch_slots, 1, CHAIN_EPOCH_SLOTS)
        if CHAIN_EPOCH_SLOTS % self.epoch_slots:
            raise ParametersError(
                f"epoch_slots: found {self.epoch_slots}, expected a divisor of {CHAIN_EPOCH_SLOTS}, the program's epoch"
            )
        _require("dwell_slots", self.dwell_slots, 1, CHAIN_EPOCH_SLOTS)
        if not self.versions or self.versions[0].from_epoch:
            raise ParametersError("rules: the first version must have from_epoch = 0")
        for number, (one, other) in enumerate(
            zip(self.versions, self.versions[1:], strict=False), 2
        ):
            if other.from_epoch <= one.from_epoch:
                raise ParametersError(
                    f"rules: version {number} is from epoch {other.from_epoch}, expected a later one than "
                    f"{one.from_epoch}, where version {number - 1} starts"
                )

    def version_at(self, epoch: int) -> int:
        """Return the number of the version in force in an epoch, from 1."""
        number = len(self.versions)
        while self.versions[number - 1].from_epoch > epoch:
            number -= 1
        return number

    def rules(self, version: int) -> Rules:
        """Return a version by its number, from 1."""
        return self.versions[version - 1]

    def version_json(self, version: int) -> str:
        """Return the canonical JSON of one version with all that it is read with: what `config_version` records."""
        return _canonical(
            {
                "formula_version": FORMULA_VERSION,
                "epoch_slots": self.epoch_slots,
                "dwell_slots": self.dwell_slots,
                "version": version,
                "rules": asdict(self.rules(version)),
            }
        )

    def to_json(self) -> str:
        """Return the canonical JSON of all versions: keys sorted, no spaces."""
        return _canonical(
            {
                "epoch_slots": self.epoch_slots,
                "dwell_slots": self.dwell_slots,
                "versions": [asdict(rules) for rules in self.versions],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Parameters":
        """Read what `to_json` wrote.

        Raises:
            ParametersError: it is something else, or the values are refused.
        """
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ParametersError(f"parameters: no JSON ({error})") from error
        shape = _known(cls, found, "parameters")
        versions = shape.pop("versions", None)
        if not isinstance(versions, list):
            raise ParametersError("parameters: expected a list of versions")
        return cls(
            **shape, versions=tuple(Rules(**_known(Rules, one, "rules")) for one in versions)
        )

    def require_extends(self, recorded: "Parameters", begun_epoch: int) -> None:
        """Check that these parameters only add to recorded ones, from epochs after the one that has begun.

        Args:
            begun_epoch: the epoch that runs, or -1 before the season.

        Raises:
            ParametersError: they change what is already promised.
        """
        for name in ("epoch_slots", "dwell_slots"):
            here, there = getattr(self, name), getattr(recorded, name)
            if here != there:
                raise ParametersError(
                    f"{name}: found {here}, but this ledger was begun with {there}: restore it, or start another ledger"
                )
        for number, rules in enumerate(recorded.versions, 1):
            if number > len(self.versions) or self.versions[number - 1] != rules:
                raise ParametersError(
                    f"rules: version {number} (from epoch {rules.from_epoch}) is recorded and no longer what it was: "
                    "restore it, and append a version for what shall change"
                )
        for number, rules in enumerate(
            self.versions[len(recorded.versions) :], len(recorded.versions) + 1
        ):
            if rules.from_epoch <= begun_epoch:
                raise ParametersError(
                    f"rules: version {number} is from epoch {rules.from_epoch}, but epoch {begun_epoch} has begun: "
                    f"let it start at {begun_epoch + 1} or later"
                )


def _known(shape: type, found: object, name: str) -> dict[str, Any]:
    known = {field.name for field in fields(shape)}
    if not isinstance(found, Mapping) or not set(found) <= known:
        raise ParametersError(f"{name}: expected an object of {', '.join(sorted(known))}")
    return dict(found)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
