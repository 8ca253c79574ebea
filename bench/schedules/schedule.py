"""A schedule: everything that will go wrong in one world, decided by its seed alone.

Core. Rare things are rolled for each occasion (a call, a block, a commit) with the occasion as the key, so that the order of
tasks decides nothing; what has a place in time is listed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from programs.localnet.dice import Dice

SLOT_S: Final = 0.4
TROUBLE_SLOTS: Final = 70
"""After these nothing goes wrong any more, and what is due has to get done."""
_CALM_BPS: Final = 3_000
"""Of worlds: this kind of fault does not happen in it at all, so that others are seen alone."""


class Mortal(StrEnum):
    """Where a life of the keeper ends."""

    IN_TIME = "in time"
    BEFORE_COMMIT = "before a commit"
    AFTER_COMMIT = "after a commit"
    BEFORE_SEND = "before a send"
    AFTER_SEND = "after a send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The end of one life."""

    where: Mortal
    times: int
    """At which passing of that place; in time: after so many tenths of a slot."""
    down_slots: int
    """How long nobody is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How often things go wrong, bps of the occasions."""

    lost_bps: int
    """Sent bytes vanish."""
    late_bps: int
    """They arrive 1 to `late_slots_max` slots later."""
    late_slots_max: int
    copied_bps: int
    """They arrive once more."""
    fork_bps: int
    """Of slots: the newest 1 to `fork_blocks_max` blocks are taken back."""
    fork_blocks_max: int
    return_bps: int
    """Of transactions taken back: another validator includes it again."""
    silent_bps: int
    """Of calls: no answer in time."""
    refused_bps: int
    """Of calls: a JSON-RPC error, of any kind."""
    unsaid_bps: int
    """Of calls that went wrong: it was carried out all the same."""
    slow_bps: int
    """Of calls: the answer takes up to 2 s."""
    lag_blocks_max: int
    """How far behind the node that answers may be."""
    slow_commit_bps: int
    """Of commits: the disk takes up to a second."""
    curse_bps: int
    """Of positions: liquidating them fails on chain until the trouble is over."""
    hidden_bps: int
    """Of curses: the simulation does not show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a market is worth from a slot on; None: the venue is silent about it."""

    slot: int
    market: int
    price_e6: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A position that somebody opens in a slot."""

    slot: int
    number: int
    market: int
    debt_usd: int
    """Against 100 shares, at most a dollar each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All of one world."""

    seed: int
    markets: int
    weather: Weather
    deaths: tuple[Death, ...]
    moves: tuple[Move, ...]
    planted: tuple[Planted, ...]

    @property
    def dice(self) -> Dice:
        """Chance for single occasions."""
        return Dice(self.seed)


CLEAR: Final = Weather(
    lost_bps=0,
    late_bps=0,
    late_slots_max=1,
    copied_bps=0,
    fork_bps=0,
    fork_blocks_max=1,
    return_bps=0,
    silent_bps=0,
    refused_bps=0,
    unsaid_bps=0,
    slow_bps=0,
    lag_blocks_max=0,
    slow_commit_bps=0,
    curse_bps=0,
    hidden_bps=0,
)
"""Nothing goes wrong."""


def schedule_of(seed: int) -> Schedule:
    """Return the schedule that a seed decides."""
    dice = Dice(seed)
    markets = 1 + dice.roll(3, "markets")
    return Schedule(
        seed=seed,
        markets=markets,
        weather=_weather(dice),
        deaths=tuple(_death(dice, number) for number in range(dice.roll(5, "deaths"))),
        moves=tuple(_moves(dice, markets)),
        planted=tuple(_planted(dice, markets)),
    )


def _weather(dice: Dice) -> Weather:
    def up_to(most: int, *key: object) -> int:
        return 0 if dice.happens(_CALM_BPS, "calm", *key) else dice.roll(most + 1, *key)

    return Weather(
        lost_bps=up_to(6_000, "lost"),
        late_bps=up_to(4_000, "late"),
        late_slots_max=1 + dice.roll(25, "late slots"),
        copied_bps=up_to(3_000, "copied"),
        fork_bps=up_to(1_200, "fork"),
        fork_blocks_max=1 + dice.roll(6, "fork blocks"),
        return_bps=dice.roll(10_001, "return"),
        silent_bps=up_to(2_000, "silent"),
        refused_bps=up_to(2_000, "refused"),
        unsaid_bps=dice.roll(10_001, "unsaid"),
        slow_bps=up_to(1_500, "slow"),
        lag_blocks_max=0 if dice.happens(_CALM_BPS, "calm", "lag") else 1 + dice.roll(4, "lag"),
        slow_commit_bps=up_to(2_500, "slow commit"),
        curse_bps=up_to(2_500, "curse"),
        hidden_bps=dice.roll(10_001, "hidden"),
    )


def _death(dice: Dice, number: int) -> Death:
    where = list(Mortal)[dice.roll(len(Mortal), "where", number)]
    times = 10 * TROUBLE_SLOTS // 3 if where is Mortal.IN_TIME else 10
    return Death(
        where=where,
        times=1 + dice.roll(times, "times", number),
        down_slots=dice.roll(30, "down", number) if dice.happens(5_000, "stays", number) else 0,
    )


def _moves(dice: Dice, markets: int) -> list[Move]:
    moves = []
    for number in range(2 + dice.roll(10, "moves")):
        market = dice.roll(markets, "move market", number)
        slot = dice.roll(TROUBLE_SLOTS, "move slot", number)
        price_e6 = 250_000 + 1_000 * dice.roll(500, "move price", number)
        is_silent = dice.happens(2_000, "silence", number)
        moves.append(Move(slot=slot, market=market, price_e6=None if is_silent else price_e6))
    # In the end the venue speaks again of everything.
    moves += [
        Move(
            slot=TROUBLE_SLOTS,
            market=market,
            price_e6=300_000 + 1_000 * dice.roll(400, "last", market),
        )
        for market in range(markets)
    ]
    return sorted(moves, key=lambda move: (move.slot, move.market))


def _planted(dice: Dice, markets: int) -> list[Planted]:
    count = 3 + dice.roll(18, "planted")
    return [
        Planted(
            slot=0
            if dice.happens(5_000, "early", number)
            else dice.roll(TROUBLE_SLOTS, "opened", number),
            number=number,
            market=dice.roll(markets, "its market", number),
            debt_usd=10 + dice.roll(55, "debt", number),
        )
        for number in range(count)
    ]
