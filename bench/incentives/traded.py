"""A season's events as the program would log them: genesis, then opens by many wallets, a hundred or so in each slot.

Every signature, wallet and position is drawn, so that indexes meet keys in no order, as on chain.
"""

import hashlib
import random
from collections.abc import Iterator
from typing import Final

from solders.signature import Signature

from incentives.ledger.encoding import Identity
from incentives.sourced import Place, SourcedEvent
from programs.event_layout import (
    BODIES,
    EVENT_VERSION,
    HEAD,
    STRUCTS,
    VAULT_SERIES,
    EventKind,
)
from programs.genesis import SINK_MMT, TREASURY_MMT

EPOCH_SLOTS: Final = 9_000
SEASON_START: Final = 1_000
SEASON_SLOTS: Final = 38_880_000
IDENTITY: Final = Identity(
    genesis_hash="4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn",
    program="5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw",
    mint="So11111111111111111111111111111111111111112",
)
_NUMBERED: Final = 100


def wallet(number: int) -> bytes:
    """Return the address of a wallet by its number."""
    return hashlib.sha256(b"wallet %d" % number).digest()


def events(trades: int, wallets: int, *, epochs: int = 1) -> Iterator[SourcedEvent]:
    """Yield genesis and `trades` opens over so many epochs, evenly; every wallet trades as often as the others."""
    draw = random.Random(6)
    yield _event(draw, SEASON_START, 0, VAULT_SERIES, 1, EventKind.INITIALIZED, _GENESIS)
    spread = EPOCH_SLOTS * epochs - 200
    tx_index, last_slot = 0, SEASON_START
    for trade in range(trades):
        slot = SEASON_START + 1 + trade * spread // trades
        tx_index = tx_index + 1 if slot == last_slot else 0
        last_slot = slot
        fields = {
            "owner": wallet(trade % wallets),
            "position": draw.randbytes(32),
            "notional": 100_000_000 + draw.randrange(10_000) * 12_345,
            "shares": 1_000_000,
            "trade_number": trade + 1 if trade < _NUMBERED else 0,
        }
        yield _event(draw, slot, tx_index, 7, trade + 1, EventKind.POSITION_OPENED, fields)


_GENESIS: Final = {
    "season_start_slot": SEASON_START,
    "season_slots": SEASON_SLOTS,
    "treasury_mmt": TREASURY_MMT,
    "sink_mmt": SINK_MMT,
}


def _event(
    draw: random.Random,
    slot: int,
    tx_index: int,
    series: int,
    sequence: int,
    kind: EventKind,
    fields: dict,
) -> SourcedEvent:
    body = (fields.get(name, bytes(32) if code == "32s" else 0) for name, code in BODIES[kind])
    head = HEAD.pack(EVENT_VERSION, kind, 0, series, sequence, slot)
    return SourcedEvent(
        Place(slot, tx_index, 0, 0),
        str(Signature(draw.randbytes(64))),
        head + STRUCTS[kind].pack(*body),
    )
