"""Liquidity mining: which liquidity is there, and how much of it over how many slots.

Core. An accumulator per wallet and version of the rules adds up value times slots: up to u128, exact, and the same however
the slots are cut into intervals. A deposit counts from its own slot, once it has dwelt; a slot counts by the rules of its
own epoch. What is removed is taken from the newest deposit first: what has not dwelt never does by pretending that it was
older liquidity that left. A market's resolution ends its mining: liquidity there risks nothing any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from incentives.rules.accounts import address_of, name_of
from incentives.rules.claims import Deposit
from incentives.rules.formulas import part_held
from incentives.rules.running import Running

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
    """A deposit that shrank before it had dwelt, and by how much."""

    deposit: Deposit
    liquidity: int


@dataclass(slots=True)
class LiquidityBook:
    """The deposits that are there, and the accumulators of the running epoch."""

    resolved: set[int] = field(default_factory=set)
    """Markets."""
    _markets: dict[int, Pools] = field(default_factory=dict)
    _sums: dict[tuple[bytes, int], list[int]] = field(default_factory=dict)

    def add(self, deposit: Deposit) -> None:
        """Take in a deposit."""
        pools = self._markets.setdefault(deposit.market, {})
        pools.setdefault((deposit.pool, deposit.wallet), []).append(deposit)

    def remove(
        self, market: int, pool: int, wallet: bytes, liquidity: int, slot: int, running: Running
    ) -> tuple[int, list[Lost]]:
        """Take liquidity out, newest deposits first.

        Returns:
            What no deposit accounts for, and what was lost of those that had not dwelt.
        """
        pools = self._markets.get(market, {})
        deposits = pools.get((pool, wallet), [])
        lost: list[Lost] = []
        while liquidity and deposits:
            newest = deposits[-1]
            taken = min(liquidity, newest.held)
            lost += self._shrink(newest, taken, slot, running)
            liquidity -= taken
            if not newest.held:
                deposits.pop()
        if not deposits:
            pools.pop((pool, wallet), None)
        return liquidity, lost

    def held_by(self, market: int, pool: int, wallet: bytes) -> int:
        """Return a wallet's liquidity in a pool, as far as it is a maker's and not a chain's."""
        deposits = self._markets.get(market, {}).get((pool, wallet), [])
        return sum(deposit.held for deposit in deposits if not deposit.chain)

    def end_chain(self, market: int, chain: bytes, slot: int, running: Running) -> list[Lost]:
        """Take out what is left of the deposits that a chain made; return what had not dwelt, in their order."""
        lost, pools = list[Lost](), self._markets.get(market, {})
        for key, deposits in list(pools.items()):
            ended = [deposit for deposit in deposits if deposit.chain == chain]
            for deposit in ended:
                lost += self._shrink(deposit, deposit.held, slot, running)
                deposits.remove(deposit)
            if not deposits:
                del pools[key]
        return sorted(lost, key=lambda one: one.deposit.place)

    def resolve(self, market: int, slot: int, running: Running) -> list[Lost]:
        """End a market's mining; return what had not dwelt, in the order of the deposits."""
        self.resolved.add(market)
        left = (one for deposits in self._markets.pop(market, {}).values() for one in deposits)
        return [
            lost
            for deposit in sorted(left, key=lambda one: one.place)
            for lost in self._shrink(deposit, deposit.held, slot, running)
        ]

    def _shrink(self, deposit: Deposit, taken: int, slot: int, running: Running) -> list[Lost]:
        if deposit.has_dwelt:
            self._count(deposit, slot, running)
        deposit.held -= taken
        return [] if deposit.has_dwelt else [Lost(deposit, taken)]

    def deposits(self) -> Iterator[Deposit]:
        """Yield every deposit that is there."""
        for pools in self._markets.values():
            for deposits in pools.values():
                yield from deposits

    def count_to(self, end: int, running: Running) -> None:
        """Add the slots up to, without, `end` of every deposit that has dwelt."""
        for deposit in self.deposits():
            if deposit.has_dwelt:
                self._count(deposit, end, running)

    def _count(self, deposit: Deposit, end: int, running: Running) -> None:
        season = running.season
        value = part_held(deposit.value, deposit.held, deposit.liquidity)
        first, end = deposit.counted_to, min(end, season.end_slot)
        while first < end:  # epoch by epoch
            until = min(end, season.end_of(season.epoch_at(first)))
            version, rules = running.rules_at(first)
            sums = self._sums.setdefault((deposit.wallet, version), [0, 0])
            sums[0] += value * (until - first)
            sums[1] += value * running.bootstrap.slots_within(first, until, rules.boosted_trades)
            first = until
        deposit.counted_to = first

    def mined(self) -> list[Mined]:
        """Return what the running epoch has counted, by wallet bytes and version."""
        return [Mined(*key, *sums) for key, sums in sorted(self._sums.items())]

    def clear(self) -> None:
        """Begin the next epoch."""
        self._sums.clear()

    def to_state(self) -> dict[str, Any]:
        """Return what a snapshot keeps."""
        deposits = sorted(self.deposits(), key=lambda deposit: deposit.place)
        return {
            "deposits": [deposit.to_state() for deposit in deposits],
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
