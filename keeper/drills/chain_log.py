"""What a keeper did to the chain: its landed transactions, read in their order.

Core. A reading is taken from the instruction (the event has it after the clamp); the price at which a liquidation was judged
is the chain's own, followed event by event.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.drills.evidence import Deed, Liquidated, Posted
from keeper.drills.places import Place, places_of
from keeper.prices.price import CHAIN_CLASSES
from programs.accounts import Market, Side
from programs.event_layout import EventKind
from programs.events import Event, decode_logs
from programs.instructions.tags import Tag

_UPDATE: Final = struct.Struct("<BBB5xQ")
"""Tag, class, readings, publish slot. Source: instructions.markets.update_prices."""
_READING: Final = struct.Struct("<II")
_MARKET_AT: Final = 2
"""Place of the market among the accounts of update_prices and of liquidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedTransaction:
    """One transaction of the keeper's on chain."""

    at_s: float
    slot: int
    signature: str
    transaction: VersionedTransaction
    addresses: Sequence[Pubkey]
    """Of the message and, after them, out of lookup tables: what instructions count in."""
    logs: Sequence[str]
    is_ok: bool


@dataclass(slots=True)
class ChainLog:
    """Reads transactions one after the other."""

    program: Pubkey
    markets: dict[Pubkey, Market]
    """As they stand before the first transaction."""
    deeds: list[Deed] = field(default_factory=list)
    landed: dict[str, bool] = field(default_factory=dict)
    touched: dict[str, frozenset[str]] = field(default_factory=dict)
    """Addresses of the positions that each transaction liquidated."""
    _prices: dict[Place, tuple[int, int, str]] = field(init=False)
    _by_id: Mapping[int, tuple[Place, ...]] = field(init=False)

    def __post_init__(self) -> None:
        """Start from the markets as they are."""
        self._by_id = {
            market.market_id: places_of(address, len(market.pools))
            for address, market in self.markets.items()
        }
        self._prices = {
            place: (pool.price_e6, pool.band_e6, str(CHAIN_CLASSES[market.price_class]))
            for market in self.markets.values()
            for place, pool in zip(self._by_id[market.market_id], market.pools, strict=True)
        }

    def take(self, found: LandedTransaction) -> None:
        """Read the next transaction of the chain's order."""
        self.landed[found.signature] = found.is_ok
        if not found.is_ok:
            return
        for compiled in found.transaction.message.instructions:
            data = bytes(compiled.data)
            called = found.addresses[compiled.program_id_index]
            if called == self.program and data[:1] == bytes([Tag.UPDATE_PRICES]):
                market = found.addresses[compiled.accounts[_MARKET_AT]]
                self.deeds += _posted(found, market, data)
        for event in decode_logs(found.logs, self.program):
            if event.kind is EventKind.PRICES_UPDATED:
                price_class = str(CHAIN_CLASSES[event.amount("price_class")])
                places = self._by_id[event.series]
                for place, reading in zip(places, event.readings, strict=True):
                    self._prices[place] = (*reading, price_class)
            elif event.kind is EventKind.POSITIONS_LIQUIDATED:
                positions = (str(record["position"]) for record in event.records)
                self.touched[found.signature] = frozenset(positions)
                self.deeds += self._liquidated(found, self._by_id[event.series], event)

    def _liquidated(
        self, found: LandedTransaction, places: tuple[Place, ...], event: Event
    ) -> Iterator[Liquidated]:
        targets = Counter(zip(event.amounts("pool"), event.amounts("side"), strict=True))
        for (pool, side), positions in targets.items():
            price_e6, band_e6, price_class = self._prices[places[pool]]
            yield Liquidated(
                at_s=found.at_s,
                slot=found.slot,
                signature=found.signature,
                market=places[pool].name,
                side=Side(side),
                price_e6=price_e6,
                band_e6=band_e6,
                price_class=price_class,
                positions=positions,
            )

    def liquidated(self, market: str) -> int:
        """Return how many liquidations of the positions at a place were seen so far."""
        return sum(
            deed.positions
            for deed in self.deeds
            if isinstance(deed, Liquidated) and deed.market == market
        )


def _posted(found: LandedTransaction, market: Pubkey, data: bytes) -> Iterator[Posted]:
    """Yield what was submitted for each pool of a market."""
    _, price_class, count, publish_slot = _UPDATE.unpack_from(data)
    readings = _READING.iter_unpack(data[_UPDATE.size :])
    for place, (price_e6, band_e6) in zip(places_of(market, count), readings, strict=True):
        yield Posted(
            at_s=found.at_s,
            slot=found.slot,
            signature=found.signature,
            market=place.name,
            price_e6=price_e6,
            band_e6=band_e6,
            price_class=str(CHAIN_CLASSES[price_class]),
            publish_slot=publish_slot,
        )
