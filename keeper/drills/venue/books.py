"""A told book: the resting orders that a telling shows, and Gamma's flags beside them.

Core.
"""

import json
from typing import Final

from keeper.drills.faults import Shape, Telling
from keeper.sandbox.venue.bodies import Body, decimal_of, market_body
from keeper.sandbox.venue.depth import Depth
from keeper.sandbox.venue.draws import draw_below
from keeper.sandbox.venue.markets import SandboxMarket

_ONE_E6: Final = 1_000_000
_LEVELS: Final = 6
_THIN_BID_E6: Final = 10_000
_NOTHING: Final = Depth(bids={}, asks={})


def told_depth(telling: Telling, price_e6: int, market: int) -> Depth:
    """Return the book around a price; its midpoint is the price to half a tick."""
    tick_e6 = telling.tick_e6
    low = max((price_e6 - telling.half_spread_e6) // tick_e6, 1) * tick_e6
    high = -(-(price_e6 + telling.half_spread_e6) // tick_e6) * tick_e6
    high = min(high, _ONE_E6 - tick_e6)
    bids, asks = _side(low, -tick_e6, market), _side(high, tick_e6, market)
    match telling.shape:
        case Shape.SOUND:
            return Depth(bids=bids, asks=asks)
        case Shape.ONE_SIDED:
            return Depth(bids=bids, asks={})
        case Shape.CROSSED:
            return Depth(bids=_side(high, -tick_e6, market), asks=_side(low, tick_e6, market))
        case Shape.THIN:
            size_e6 = 5_000_000
            return Depth(bids={_THIN_BID_E6: size_e6}, asks={_ONE_E6 - _THIN_BID_E6: size_e6})
        case Shape.EMPTY | Shape.OMITTED:
            return _NOTHING


def told_midpoint_e6(depth: Depth) -> int | None:
    """Return the midpoint a reader takes from the book, rounded down; None without two sides in order."""
    if not depth.bids or not depth.asks:
        return None
    bid_e6, ask_e6 = max(depth.bids), min(depth.asks)
    return None if bid_e6 >= ask_e6 else (bid_e6 + ask_e6) // 2


def told_listing(market: SandboxMarket, telling: Telling, depth: Depth, price_e6: int) -> Body:
    """Write Gamma's market for a telling: a side without orders has no best price."""
    sound = told_depth(Telling(), price_e6, market.number)
    body = market_body(market, sound, price_e6)
    for key, side, best in (("bestBid", depth.bids, max), ("bestAsk", depth.asks, min)):
        if side:
            body[key] = best(side) / _ONE_E6  # Gamma writes JSON numbers
        else:
            del body[key]
    if "bestBid" not in body or "bestAsk" not in body:
        del body["spread"]
    if telling.is_closed or telling.has_conflicting_flags:
        body["closed"] = True
        body["acceptingOrders"] = telling.has_conflicting_flags
    if telling.is_closed:
        winner = price_e6 * 2 > _ONE_E6
        body["outcomePrices"] = json.dumps(["1", "0"] if winner else ["0", "1"])
        body["umaResolutionStatus"] = "resolved"
    return body


def tick_change_body(
    market: SandboxMarket, token_id: str, old_e6: int, new_e6: int, time_ms: int
) -> Body:
    """Write the stream's event of another grid of prices."""
    return {
        "event_type": "tick_size_change",
        "asset_id": token_id,
        "market": market.condition_id,
        "old_tick_size": decimal_of(old_e6),
        "new_tick_size": decimal_of(new_e6),
        "side": "buy",
        "timestamp": str(time_ms),
    }


def resolved_body(market: SandboxMarket, time_ms: int) -> Body:
    """Write the stream's event of a market that is over."""
    return {
        "event_type": "market_resolved",
        "market": market.condition_id,
        "assets_ids": list(market.token_ids),
        "winning_asset_id": market.token_ids[0],
        "winning_outcome": "Yes",
        "timestamp": str(time_ms),
    }


def _side(first_e6: int, step_e6: int, market: int) -> dict[int, int]:
    """Return a few levels from the best price outwards; the best price always holds something."""
    levels = {}
    for number in range(_LEVELS):
        price_e6 = first_e6 + number * step_e6
        if 0 < price_e6 < _ONE_E6:
            size = 100 + draw_below(900, market, price_e6, "size")
            levels[price_e6] = size * 1_000_000
    return levels
