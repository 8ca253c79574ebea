"""Liquidity mining: which liquidity is there, and how much of it over how many slots.

Core. An accumulator per wallet and version of the rules adds up value times slots: up to u128, exact, and the same however
the slots are cut into intervals. A deposit counts from its own slot, once it has dwelt; a slot counts in the rules of its
own epoch. What is removed is taken from the newest deposit first: what has not dwelt never does, by pretending that it was
older liquidity that left. A market's resolution ends its mining: liquidity there risks nothing any more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from incentives.parameters import Parameters, Rules
from incentives.rules.bootstrap import Bootstrap
from incentives.rules.claims import Deposit
from incentives.rules.formulas import part_held
from incentives.rules.season import Season
from incentives.rules.wallets import address_of, name_of

Pools = dict[tuple[int, bytes], list[Deposit]]
"""Of one market: deposits by pool and wallet, oldest first."""


@dataclass(frozen=True, slots=True)
class Mined:
    """What one wallet's liquidity was under one version of the rules."""

    wallet: bytes
    version: int
    value_slots: int
    bootstrap_value_slots: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A deposit that shrank before it had dwelt."""

    deposit: Deposit
    liquidity: int


@dataclass(slots=True)
class LiquidityBook:
    """The deposits that are there, and the accumulators of the running epoch."""

    markets: dict[int, Pools] = field(default_factory=dict)
    resolved: set[int] = field(default_factory=set)
    _sums: dict[tuple[bytes, int], list[int]] = field(default_factory=dict)

    def add(self, deposit: Deposit) -> None:
        """Take in a deposit."""
        pools = self.markets.setdefault(deposit.market, {})
        pools.setdefault((deposit.pool, deposit.wallet), []).append(deposit)

    def remove(
        self,
        market: int,
        pool: int,
        wallet: bytes,
        liquidity: int,
        count: Callable[[Deposit], None],
    ) -> tuple[int, list[Lost]]:
        """Take liquidity out, newest deposits first.

        Args:
            count: called with each deposit that has dwelt, before it shrinks.

        Returns:
            What no deposit accounts for, and what was lost of those that had not dwelt.
        """
        deposits = self.markets.get(market, {}).get((pool, wallet), [])
        lost: list[Lost] = []
        while liquidity and deposits:
            newest = deposits[-1]
            taken = min(liquidity, newest.held)
            if newest.has_dwelt:
                count(newest)
            else:
                lost.append(Lost(newest, taken))
            newest.held -= taken
            liquidity -= taken
            if not newest.held:
                deposits.pop()
        if not deposits and market in self.markets:
            self.markets[market].pop((pool, wallet), None)
        return liquidity, lost

    def resolve(self, market: int, count: Callable[[Deposit], None]) -> list[Lost]:
        """End a market's mining; return what had not dwelt."""
        lost: list[Lost] = []
        for deposits in self.markets.pop(market, {}).values():
            for deposit in deposits:
                if deposit.has_dwelt:
                    count(deposit)
                else:
                    lost.append(Lost(deposit, deposit.held))
                deposit.held = 0
        self.resolved.add(market)
        return sorted(lost, key=lambda one: one.deposit.place)

    def deposits(self) -> Iterator[Deposit]:
        """Yield every deposit that is there."""
        for pools in self.markets.values():
            for deposits in pools.values():
                yield from deposits

    def count(
        self,
        deposit: Deposit,
        end: int,
        season: Season,
        parameters: Parameters,
        bootstrap: Bootstrap,
    ) -> None:
        """Add a deposit's slots up to, without, `end` to its wallet's accumulators, epoch by epoch."""
        value = part_held(deposit.value, deposit.held, deposit.liquidity)
        first = deposit.counted_to
        while first < end:
            epoch = season.epoch_at(first)
            until = min(end, season.end_of(epoch))
            version = parameters.version_at(epoch)
            rules = parameters.rules(version)
            self._add(deposit.wallet, version, value, first, until, rules, bootstrap)
            first = until
        deposit.counted_to = first

    def _add(
        self,
        wallet: bytes,
        version: int,
        value: int,
        first: int,
        end: int,
        rules: Rules,
        bootstrap: Bootstrap,
    ) -> None:
        sums = self._sums.setdefault((wallet, version), [0, 0])
        sums[0] += value * (end - first)
        sums[1] += value * bootstrap.slots_within(first, end, rules.boosted_trades)

    def mined(self) -> list[Mined]:
        """Return what the running epoch has counted, by wallet bytes and version."""
        return [Mined(*key, *sums) for key, sums in sorted(self._sums.items())]

    def clear(self) -> None:
        """Begin the next epoch."""
        self._sums.clear()

    def _in_order(self) -> list[Deposit]:
        return sorted(self.deposits(), key=lambda deposit: deposit.place)

    def to_state(self) -> dict[str, Any]:
        """Return what a snapshot keeps."""
        return {
            "deposits": [deposit.to_state() for deposit in self._in_order()],
            "resolved": sorted(self.resolved),
            "sums": [
                [
                    name_of(one.wallet),
                    one.version,
                    str(one.value_slots),
                    str(one.bootstrap_value_slots),
                ]
                for one in self.mined()
            ],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "LiquidityBook":
        """Restore what `to_state` returned."""
        book = cls(resolved=set(state["resolved"]))
        for deposit in state["deposits"]:
            book.add(Deposit.from_state(deposit))
        for name, version, value_slots, bootstrap_value_slots in state["sums"]:
            book._sums[address_of(name), version] = [int(value_slots), int(bootstrap_value_slots)]
        return book
