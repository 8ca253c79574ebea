"""The venue's bodies, written: the shapes of the real CLOB, Gamma and stream.

Core. Numbers leave as the venue writes them: decimal text without trailing zeros, or JSON numbers in Gamma.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from keeper.sandbox.venue.depth import Depth, LevelChange
from keeper.sandbox.venue.markets import SandboxMarket

Body = dict[str, object]
_ONE_E6: Final = 1_000_000


def decimal_of(value_e6: int) -> str:
    """Write millionths as decimal text: 63_000 is "0.063"."""
    whole, fraction = divmod(value_e6, _ONE_E6)
    return f"{whole}.{fraction:06d}".rstrip("0").rstrip(".")


def book_body(
    market: SandboxMarket, depth: Depth, *, is_yes: bool, time_ms: int, last_trade_e6: int
) -> Body:
    """Write a book. Bids ascend and asks descend: the best is last, as at the real venue."""
    bids, asks = (depth.bids, depth.asks) if is_yes else (_mirror(depth.asks), _mirror(depth.bids))
    body: Body = {
        "market": market.condition_id,
        "asset_id": market.token_ids[0 if is_yes else 1],
        "timestamp": str(time_ms),
        "hash": "",
        "bids": [_level(price, bids[price]) for price in sorted(bids)],
        "asks": [_level(price, asks[price]) for price in sorted(asks, reverse=True)],
        "min_order_size": "5",
        "tick_size": decimal_of(market.tick_e6),
        "neg_risk": market.place is not None,
        "last_trade_price": decimal_of(last_trade_e6),
    }
    compact = json.dumps(body, separators=(",", ":")).encode()
    body["hash"] = hashlib.sha1(compact, usedforsecurity=False).hexdigest()
    return body


def price_change_body(
    market: SandboxMarket,
    changes: Sequence[LevelChange],
    hashes: tuple[str, str],
    depth: Depth,
    time_ms: int,
) -> Body:
    """Write one frame with every changed level of both tokens, stating the best prices after all of them."""
    entries = []
    best_bid, best_ask = max(depth.bids), min(depth.asks)
    for change in changes:
        for is_yes in (True, False):
            price = change.price_e6 if is_yes else _ONE_E6 - change.price_e6
            bid, ask = (best_bid, best_ask) if is_yes else (_ONE_E6 - best_ask, _ONE_E6 - best_bid)
            entries.append(
                {
                    "asset_id": market.token_ids[0 if is_yes else 1],
                    "price": decimal_of(price),
                    "size": decimal_of(change.size_e6),
                    "side": "BUY" if change.is_bid is is_yes else "SELL",
                    "hash": hashes[0 if is_yes else 1],
                    "best_bid": decimal_of(bid),
                    "best_ask": decimal_of(ask),
                }
            )
    return {
        "market": market.condition_id,
        "price_changes": entries,
        "timestamp": str(time_ms),
        "event_type": "price_change",
    }


def last_trade_body(market: SandboxMarket, price_e6: int, *, is_buy: bool, time_ms: int) -> Body:
    """Write the stream's event of one trade of the YES token."""
    return {
        "asset_id": market.token_ids[0],
        "event_type": "last_trade_price",
        "fee_rate_bps": "0",
        "market": market.condition_id,
        "price": decimal_of(price_e6),
        "side": "BUY" if is_buy else "SELL",
        "size": "100",
        "timestamp": str(time_ms),
    }


def market_body(market: SandboxMarket, depth: Depth, last_trade_e6: int) -> Body:
    """Write a Gamma market: lists as JSON strings, prices as JSON numbers."""
    bid_e6, ask_e6 = max(depth.bids), min(depth.asks)
    midpoint_e6 = (bid_e6 + ask_e6) // 2
    return {
        **_listed(market),
        "outcomePrices": json.dumps([decimal_of(midpoint_e6), decimal_of(_ONE_E6 - midpoint_e6)]),
        "spread": _number(ask_e6 - bid_e6),
        "lastTradePrice": _number(last_trade_e6),
        "bestBid": _number(bid_e6),
        "bestAsk": _number(ask_e6),
    }


def placeholder_body(market: SandboxMarket) -> Body:
    """Write a Gamma market that is listed and never traded: it has no price."""
    return {**_listed(market), "outcomePrices": json.dumps(["0", "0"]), "acceptingOrders": False}


def _listed(market: SandboxMarket) -> Body:
    body: Body = {
        "id": str(market.number + 1),
        "question": market.question,
        "conditionId": market.condition_id,
        "slug": f"sandbox-{market.number}",
        "outcomes": json.dumps(["Yes", "No"]),
        "active": True,
        "closed": False,
        "archived": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "orderPriceMinTickSize": _number(market.tick_e6),
        "orderMinSize": 5,
        "clobTokenIds": json.dumps(list(market.token_ids)),
        "negRisk": False,
        "negRiskOther": False,
    }
    if market.place is not None:
        body |= {
            "active": market.place.is_active,
            "negRisk": True,
            "negRiskOther": market.place.is_other,
            "negRiskMarketID": market.place.group_id,
            "questionID": market.place.question_id,
            "groupItemThreshold": str(market.place.question),
            "groupItemTitle": f"Candidate {market.place.question + 1}",
        }
    return body


def simplified_body(market: Mapping[str, object]) -> Body:
    """Write a CLOB simplified market from a Gamma one."""
    token_ids = json.loads(str(market["clobTokenIds"]))
    outcomes = json.loads(str(market["outcomes"]))
    prices = json.loads(str(market["outcomePrices"]))
    return {
        "condition_id": market["conditionId"],
        "tokens": [
            {"token_id": token_id, "outcome": outcome, "price": price, "winner": False}
            for token_id, outcome, price in zip(token_ids, outcomes, prices, strict=True)
        ],
        "active": market.get("active", True),
        "closed": market.get("closed", False),
        "archived": market.get("archived", False),
        "accepting_orders": market.get("acceptingOrders", True),
    }


def event_body(market: Mapping[str, object]) -> Body:
    """Write the Gamma event that holds one market."""
    return {
        "id": market["id"],
        "title": market["question"],
        "slug": market["slug"],
        "active": market.get("active", True),
        "closed": market.get("closed", False),
        "negRisk": market.get("negRisk", False),
        "markets": [market],
    }


def _number(value_e6: int) -> float:
    # Gamma writes JSON numbers. This is the far side of the wire: the reader takes the token's text.
    return value_e6 / _ONE_E6


def _level(price_e6: int, size_e6: int) -> dict[str, str]:
    return {"price": decimal_of(price_e6), "size": decimal_of(size_e6)}


def _mirror(side: Mapping[int, int]) -> dict[int, int]:
    return {_ONE_E6 - price_e6: size_e6 for price_e6, size_e6 in side.items()}
