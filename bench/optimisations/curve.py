"""Where Newton starts, and whether results of the curve are worth keeping, off the chain.

Starting points. The curve's search for cash begins at a crossing of tangents from a table, on chain and off it: that pays
(it is what keeps the search under the program's cap). To begin where the last search of the same pool ended, which only a
keeper could, saves a further step at the most and is not used: the search may stop anywhere within a tolerance, so some
quotes would be other integers than the program's, and a forecast is only worth something while it is the program's.

Keeping results. Counted on what the keeper asks of the curve while 500 chains are due and the platform trades: u of an
oracle's price is asked again nearly always, and is kept (`normal.u_of_price`). A purchase for cash is rarely the same, for its
cash follows from the vault's coverage, which each loan changes: there a cache saves nothing. What is asked again more often
(g, Phi, what liquidity costs) takes a few microseconds, and a cache of it saves one or two a call, ten of 300 on a
forecast: not worth its memory and its place in every profile, so there is none. A whole forecast is kept while chain,
market and vault stand (`chain_plan.Forecasts`): in a flood of chains the vault never does, in slots without one it does.
"""

import random
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Final

from bench.optimisations.timing import compared
from bench.report.figure import Figure, Goal
from keeper.chain_plan import Forecasts, Scene, plan_steps
from keeper.profile.cases.chains import SHAPES, Stage
from keeper.profile.measure import committed_code
from keeper.profile.world import USD
from programs import addresses, curve, normal
from programs.accounts import Vault
from programs.chain_account import Chain, ChainStatus
from programs.curve import Curve, CurveError, Side, _first_guess, _u_of_g
from programs.fixed import E18
from programs.tables import U_MAX

CHAINS: Final = 500
MARKETS: Final = 50
SLOTS: Final = 6
_QUOTES: Final = 300
_PLANNED: Final = 16
_EXECUTED: Final = 2
_TRADES: Final = 5
_CACHED: Final = 4_096
_CACHED_GOAL: Final = Goal(value=10, source="origin: cached AMM under 10 µs")
_ASKED: Final[dict[str, Callable[..., Any]]] = {
    "g": normal.g,
    "Phi": normal.price_e18,
    "purchases for cash": curve.buy_cash,
    "what liquidity costs": curve.add_liquidity,
    "sales down to a price": curve.shares_to_price,
}


def measured(runs: int) -> list[Figure]:
    """Time starting points and results kept; count what the keeper asks again."""
    return [*_starts(runs), *_kept(runs), *_asked_again(runs)]


@dataclass(frozen=True, slots=True)
class _Quote:
    """One search: from `low`, for the u at which g is at least `wanted - tolerance` and at most `wanted`."""

    low: int
    wanted: int
    tolerance: int
    tangents: int
    """Where the program starts."""

    @property
    def plain(self) -> int:
        """Where Newton starts without tangents: one step from where the pool stands."""
        climb = self.wanted - self.tolerance // 2 - normal.g(self.low)
        return min(U_MAX, self.low + normal.newton_step(climb, normal.slope_e9(self.low)))


def _quotes() -> list[_Quote]:
    """Purchases all over the curve, each of the pool that the one before left."""
    draws, found = random.Random(2), list[_Quote]()
    liquidity = 10**12
    while len(found) < _QUOTES:
        q = int(draws.uniform(-2.9, 2.9) * liquidity)
        cash = int(liquidity * 10 ** draws.uniform(-6, -0.2))
        low = curve.u(Curve(liquidity=liquidity, q=q))
        rise = cash * E18 // liquidity
        wanted = normal.g(low) + rise - curve.G_ERROR
        if wanted > normal.g(U_MAX):
            continue
        tolerance = min(E18 // 8 // liquidity + 8, wanted - normal.g(low))
        aim = wanted - tolerance // 2
        guess = _first_guess(low, normal.price_e18(low), aim - normal.g(low), aim)
        found.append(_Quote(low, wanted, tolerance, guess))
    return found


def _starts(runs: int) -> list[Figure]:
    quotes = _quotes()

    def search(start: Callable[[_Quote], int]) -> Callable[[], list[tuple[int, int]]]:
        return lambda: [
            _u_of_g(each.low, start(each), each.wanted, each.tolerance) for each in quotes
        ]

    def warm(each: _Quote) -> int:
        """The end of the search before, of which this one differs by a thousandth."""
        before = each.wanted - (each.wanted - normal.g(each.low)) // 1_000
        return _u_of_g(each.low, each.tangents, before, each.tolerance)[0]

    tangents, plain = search(lambda each: each.tangents), search(lambda each: each.plain)
    ends = {each: warm(each) for each in quotes}
    from_last = search(ends.__getitem__)
    others = sum(one != other for (one, _), (other, _) in zip(tangents(), from_last(), strict=True))
    return [
        compared(
            "searching u for cash from the tangents",
            "µs",
            ("from Newton's own first step", plain),
            tangents,
            runs=runs,
            per=_QUOTES,
        ),
        *(
            Figure(name=f"steps of the search, {name}", unit="", runs=(_mean(way()),))
            for name, way in (
                ("from Newton's own first step", plain),
                ("from the tangents", tangents),
                ("from the end of a search that differs by a thousandth", from_last),
            )
        ),
        Figure(
            name="quotes that would be other integers than the program's, from the last end",
            unit="%",
            runs=(100 * others / len(quotes),),
        ),
    ]


def _mean(found: Sequence[tuple[int, int]]) -> float:
    return sum(steps for _, steps in found) / len(found)


def _kept(runs: int) -> list[Figure]:
    pool = Curve(liquidity=10**12, q=12_345_678_901)
    prices = range(2_000, 998_000, 4_000)
    compute = normal.u_of_price.__wrapped__
    known = {price: compute(price) for price in prices}
    assert [normal.u_of_price(price) for price in prices] == list(known.values())
    looked_up = ("looking as many prices up in a dict", lambda: [known[price] for price in prices])
    return [
        compared(
            "u of a price, kept",
            "µs",
            ("computed", lambda: [compute(price) for price in prices]),
            lambda: [normal.u_of_price(price) for price in prices],
            runs=runs,
            per=len(prices),
            goal=_CACHED_GOAL,
            limit=looked_up,
        ),
        compared(
            "shares that a pool buys down to a price, with the u kept",
            "µs",
            ("computed", lambda: [_sale_computed(pool, price) for price in prices]),
            lambda: [curve.shares_to_price(pool, Side.YES, price) for price in prices],
            runs=runs,
            per=len(prices),
            goal=_CACHED_GOAL,
            limit=looked_up,
            claim="cached-amm",
        ),
    ]


def _sale_computed(pool: Curve, price_e6: int) -> int:
    lowest = normal.u_of_price.__wrapped__(price_e6) + normal.U_ERROR
    return max(pool.q + (-lowest * pool.liquidity // E18), 0)


@dataclass(slots=True)
class _Listener:
    """Hears every call of some functions, with its arguments, as the interpreter makes it."""

    names: dict[CodeType, str]
    heard: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))

    def hear(self, frame: FrameType, event: str, _: object) -> None:
        name = self.names.get(frame.f_code) if event == "call" else None
        if name is not None:
            self.heard[name].append(tuple(frame.f_locals.values()))


def _cached(name: str, calls: Sequence[tuple[Any, ...]], runs: int) -> list[Figure]:
    """Say how often the same was asked again, and what a cache of it would have been worth."""
    compute = _ASKED[name]
    cache: Any = lru_cache(maxsize=_CACHED)(compute)

    def all_of(way: Callable[..., object]) -> None:
        for call in calls:
            with suppress(CurveError):
                way(*call)

    def cached() -> None:
        cache.cache_clear()
        all_of(cache)

    return [
        Figure(
            name=f"{name}: asked again, of {len(calls):,} times",
            unit="%",
            runs=(100 * (1 - len(set(calls)) / len(calls)),),
        ),
        compared(
            f"{name}, with a cache of {_CACHED:,} (not in the product)",
            "µs",
            ("computed", lambda: all_of(compute)),
            cached,
            runs=runs,
            per=len(calls),
        ),
    ]


def _asked_again(runs: int) -> list[Figure]:
    """Count, while chains are planned slot after slot on a platform that trades."""
    stage = Stage(committed_code())
    world = stage.world
    markets = [stage.market(SHAPES[number % len(SHAPES)]) for number in range(MARKETS)]
    chains = []
    for number in range(CHAINS):
        market = number % MARKETS
        steps = SHAPES[market % len(SHAPES)].steps
        chains.append(stage.open(markets[market], steps, (100 + number) * USD))
    listener = _Listener({way.__code__: name for name, way in _ASKED.items()})
    before = normal.u_of_price.cache_info()
    forecasts, made, stood, draws = Forecasts(), 0, 0, random.Random(3)
    for _ in range(SLOTS):
        vault = Vault.from_bytes(world.data(addresses.vault_address(world.program)[0]))
        scene = Scene(
            markets={market: world.market(market) for market in markets},
            vault=vault,
            counts_trade=True,
            is_halted=False,
            slot=world.slot,  # type: ignore[arg-type]  # a plain int of the SVM
        )
        due = [(address, Chain.from_bytes(world.data(address))) for address in chains]
        due = [each for each in due if each[1].status is ChainStatus.RUNNING]
        sys.setprofile(listener.hear)
        running = []
        for address, chain in due:
            stand = scene.stand(chain)
            found = forecasts.find(address, stand)
            if found is None:
                found, made = forecasts.make(address, stand, scene.slot), made + 1
            else:
                stood += 1
            if found.steps:
                running.append((address, chain))
        planned = plan_steps(running[:_PLANNED], scene)
        sys.setprofile(None)
        for _ in range(_TRADES):
            world.open(stage.owner, draws.choice(markets), draws.randrange(10, 100) * USD)
        for portion in planned[:_EXECUTED]:
            run = stage.execution(portion.chain.market, portion.address, portion.steps)
            world.send([run], [stage.keeper.key])
    after = normal.u_of_price.cache_info()
    asked = after.hits - before.hits + after.misses - before.misses
    where = f"{CHAINS} chains in {SLOTS} slots of a platform that trades"
    return [
        *(
            figure
            for name, calls in listener.heard.items()
            for figure in _cached(name, calls, runs)
        ),
        Figure(
            name=f"u of a price found kept ({asked:,} times): {where}",
            unit="%",
            runs=(100 * (after.hits - before.hits) / asked,),
        ),
        Figure(
            name=f"forecasts made anew, for the vault changes in each slot: {where}",
            unit="%",
            runs=(100 * made / (made + stood),),
        ),
    ]
