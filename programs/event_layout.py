"""Event layouts, byte by byte: which kinds there are, and the field tables that their bytes are read with.

Mirrors events.h, which a test compares with the tables here field by field. An event is a 24-byte head (version, kind,
series, sequence, slot), a body of integers and addresses, and in some kinds records that the body counts.
"""

import struct
from enum import IntEnum
from typing import Final

EVENT_VERSION: Final = 1
VAULT_SERIES: Final = 0xFFFF_FFFF
"""Series number of the vault's events."""
REWARDS_SERIES: Final = 0x8000_0000
"""Plus a root's number: the series of that root's events. Every smaller series is a market id."""


class EventKind(IntEnum):
    """What happened."""

    INITIALIZED = 1
    MARKET_CREATED = 2
    PRICES_UPDATED = 3
    LIQUIDITY_ADDED = 4
    STAKED = 5
    POSITION_OPENED = 6
    POSITION_CLOSED = 7
    POSITIONS_LIQUIDATED = 8
    BAD_DEBT_BOOKED = 9
    LIQUIDITY_REMOVED = 10
    MAKER_FEES_CLAIMED = 11
    FEES_WITHDRAWN = 12
    FEES_SWEPT = 13
    UNSTAKE_REQUESTED = 14
    UNSTAKED = 15
    INVENTORY_BOUGHT = 16
    CHAIN_OPENED = 17
    CHAIN_STEPPED = 18
    CHAIN_CANCELLED = 19
    PLEDGES_SEIZED = 20
    EPOCH_POSTED = 21
    REWARDS_PAID = 22
    MARKET_RESOLVED = 23
    POSITION_REDEEMED = 24
    HALTED = 25


ADDRESS: Final = "32s"
BODIES: Final[dict[EventKind, list[tuple[str, str]]]] = {
    EventKind.INITIALIZED: [
        ("quote_mint", ADDRESS),
        ("mmt_mint", ADDRESS),
        ("sink_tokens", ADDRESS),
        ("treasury_tokens", ADDRESS),
        ("season_start_slot", "Q"),
        ("season_slots", "Q"),
        ("treasury_mmt", "Q"),
        ("sink_mmt", "Q"),
    ],
    EventKind.MARKET_CREATED: [
        ("market", ADDRESS),
        ("condition_id", ADDRESS),
        ("outcomes", "Q"),
        ("pools", "Q"),
    ],
    EventKind.PRICES_UPDATED: [("price_class", "I"), ("pools", "I"), ("publish_slot", "Q")],
    EventKind.LIQUIDITY_ADDED: [
        ("owner", ADDRESS),
        ("position", ADDRESS),
        ("pool", "I"),
        ("price_e6", "I"),
        ("liquidity_added", "Q"),
        ("liquidity_before", "Q"),
        ("liquidity_high", "Q"),
        ("liquidity_after", "Q"),
        ("cash", "Q"),
        ("surplus_yes", "Q"),
        ("surplus_no", "Q"),
        ("value", "Q"),
        ("improvement_bps", "Q"),
    ],
    EventKind.STAKED: [
        ("owner", ADDRESS),
        ("amount", "Q"),
        ("shares", "Q"),
        ("share_supply", "Q"),
        ("vault_value", "Q"),
    ],
    EventKind.POSITION_OPENED: [
        ("position", ADDRESS),
        ("owner", ADDRESS),
        ("pool", "H"),
        ("holding", "H"),
        ("side", "I"),
        ("leverage", "I"),
        ("margin_bps", "I"),
        ("margin", "Q"),
        ("notional", "Q"),
        ("shares", "Q"),
        ("debt", "Q"),
        ("fee", "Q"),
        ("fee_rate_ubp", "Q"),
        ("coverage_e6", "Q"),
        ("oracle_e6", "I"),
        ("pool_price_e6", "I"),
        ("trade_number", "Q"),
    ],
    EventKind.POSITION_CLOSED: [
        ("position", ADDRESS),
        ("owner", ADDRESS),
        ("pool", "H"),
        ("holding", "H"),
        ("side", "I"),
        ("shares", "Q"),
        ("shares_left", "Q"),
        ("proceeds", "Q"),
        ("fee", "Q"),
        ("debt_repaid", "Q"),
        ("payout", "Q"),
    ],
    EventKind.POSITIONS_LIQUIDATED: [
        ("positions", "Q"),
        ("to_vault", "Q"),
        ("to_keeper", "Q"),
    ],
    EventKind.BAD_DEBT_BOOKED: [
        ("amount", "Q"),
        ("positions", "Q"),
        ("market_id", "Q"),
        ("total", "Q"),
    ],
    EventKind.LIQUIDITY_REMOVED: [
        ("owner", ADDRESS),
        ("position", ADDRESS),
        ("pool", "I"),
        ("price_e6", "I"),
        ("liquidity_removed", "Q"),
        ("liquidity_after", "Q"),
        ("cash", "Q"),
        ("shares_yes", "Q"),
        ("shares_no", "Q"),
        ("fees_paid", "Q"),
    ],
    EventKind.MAKER_FEES_CLAIMED: [
        ("owner", ADDRESS),
        ("pool", "Q"),
        ("amount", "Q"),
    ],
    EventKind.FEES_WITHDRAWN: [
        ("amount", "Q"),
    ],
    EventKind.FEES_SWEPT: [
        ("fees", "Q"),
        ("inventory_cash", "Q"),
        ("inventory_cost", "Q"),
    ],
    EventKind.UNSTAKE_REQUESTED: [
        ("owner", ADDRESS),
        ("shares", "Q"),
        ("value", "Q"),
        ("locked_shares", "Q"),
    ],
    EventKind.UNSTAKED: [
        ("owner", ADDRESS),
        ("shares", "Q"),
        ("amount", "Q"),
        ("shares_left", "Q"),
        ("share_supply", "Q"),
        ("vault_value", "Q"),
    ],
    EventKind.INVENTORY_BOUGHT: [
        ("position", ADDRESS),
        ("owner", ADDRESS),
        ("pool", "I"),
        ("side", "I"),
        ("shares", "Q"),
        ("cash", "Q"),
        ("inventory_cost", "Q"),
    ],
    EventKind.CHAIN_OPENED: [
        ("chain", ADDRESS),
        ("kind", "B"),
        ("version", "B"),
        ("bump", "B"),
        ("status", "B"),
        ("pool", "B"),
        ("side", "B"),
        ("step_count", "B"),
        ("next_step", "B"),
        ("market", ADDRESS),
        ("owner", ADDRESS),
        ("chain_id", "I"),
        ("trigger_e6", "I"),
        ("is_above", "I"),
        ("leverage_e6", "I"),
        ("expiry_slot", "Q"),
        ("deposit", "Q"),
    ],
    EventKind.CHAIN_STEPPED: [
        ("chain", ADDRESS),
        ("step", "I"),
        ("kind", "I"),
        ("amount", "Q"),
        ("shares", "Q"),
        ("working", "Q"),
        ("debt", "Q"),
        ("bounty", "Q"),
        ("leverage_e6", "Q"),
    ],
    EventKind.CHAIN_CANCELLED: [
        ("chain", ADDRESS),
        ("debt_repaid", "Q"),
        ("bounty", "Q"),
        ("cash", "Q"),
        ("shares_staked", "Q"),
        ("is_closed", "Q"),
    ],
    EventKind.PLEDGES_SEIZED: [
        ("chain", ADDRESS),
        ("debt_repaid", "Q"),
        ("stake_shares", "Q"),
        ("cash", "Q"),
        ("inventory_shares", "Q"),
        ("inventory_credit", "Q"),
    ],
    EventKind.EPOCH_POSTED: [
        ("epoch", "Q"),
        ("index", "I"),
        ("leaf_count", "I"),
        ("total", "Q"),
        ("root", ADDRESS),
        ("account", ADDRESS),
        ("posted_mmt", "Q"),
        ("emitted_mmt", "Q"),
    ],
    EventKind.REWARDS_PAID: [
        ("epoch", "Q"),
        ("index", "I"),
        ("count", "I"),
        ("amount", "Q"),
    ],
    EventKind.MARKET_RESOLVED: [
        ("pools", "Q"),
    ],
    EventKind.POSITION_REDEEMED: [
        ("position", ADDRESS),
        ("owner", ADDRESS),
        ("pool", "I"),
        ("side", "I"),
        ("payout_e6", "I"),
        ("holding", "I"),
        ("shares", "Q"),
        ("value", "Q"),
        ("debt_repaid", "Q"),
        ("bad_debt", "Q"),
        ("payout", "Q"),
    ],
    EventKind.HALTED: [
        ("authority", ADDRESS),
    ],
}
TAILS: Final[dict[EventKind, tuple[str, list[tuple[str, str]]]]] = {
    EventKind.PRICES_UPDATED: ("pools", [("price_e6", "I"), ("band_e6", "I")]),
    EventKind.CHAIN_OPENED: (
        "step_count",
        [("kind", "B"), ("padding", "B"), ("leverage", "H"), ("limit_e6", "I")],
    ),
    EventKind.POSITIONS_LIQUIDATED: (
        "positions",
        [
            ("position", ADDRESS),
            ("pool", "I"),
            ("side", "I"),
            ("shares_sold", "Q"),
            ("proceeds", "Q"),
            ("shares_to_inventory", "Q"),
            ("inventory_credit", "Q"),
            ("debt_repaid", "Q"),
            ("debt_left", "Q"),
            ("bounty", "Q"),
            ("bad_debt", "Q"),
            ("equity_before", "Q"),
            ("required_before", "Q"),
        ],
    ),
    EventKind.REWARDS_PAID: (
        "count",
        [("index", "I"), ("leaf", "I"), ("wallet", ADDRESS), ("amount", "Q")],
    ),
    EventKind.MARKET_RESOLVED: ("pools", [("payout_e6", "Q")]),
}
"""Kinds whose bodies are followed by records: the field that counts them, and the fields of one."""
STRUCTS: Final = {
    kind: struct.Struct("<" + "".join(code for _, code in body)) for kind, body in BODIES.items()
}
TAIL_STRUCTS: Final = {
    kind: struct.Struct("<" + "".join(code for _, code in record))
    for kind, (_, record) in TAILS.items()
}
HEAD: Final = struct.Struct("<BBHIQQ")
