"""Events as the program would log them, from the fields that a test cares about."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from solders.signature import Signature

from incentives.lines import Transfer
from incentives.sourced import Place, SourcedEvent
from incentives.unread import Unread
from programs.event_layout import (
    ADDRESS,
    BODIES,
    EVENT_VERSION,
    HEAD,
    REWARDS_SERIES,
    STRUCTS,
    TAIL_STRUCTS,
    TAILS,
    VAULT_SERIES,
    EventKind,
)
from programs.genesis import SINK_MMT, TREASURY_MMT
from programs.instructions.tags import Tag

NOTHING = bytes(32)


def address(name):
    """Return 32 bytes that stand for a name."""
    return hashlib.sha256(str(name).encode()).digest()


def payload(kind, series, sequence, slot, fields, records=()):
    """Return an event's bytes; fields that are not given are zero."""

    def packed(packing, layout, given):
        assert set(given) <= {name for name, _ in layout}, given
        return packing.pack(
            *(given.get(name, NOTHING if code == ADDRESS else 0) for name, code in layout)
        )

    if kind in TAILS:
        fields = {TAILS[kind][0]: len(records), **fields}
    tail = (packed(TAIL_STRUCTS[kind], TAILS[kind][1], record) for record in records)
    head = HEAD.pack(EVENT_VERSION, kind, 0, series, sequence, slot)
    return head + packed(STRUCTS[kind], BODIES[kind], fields) + b"".join(tail)


def signature(slot, tx_index):
    """Return a transaction's signature, base58."""
    return str(Signature(hashlib.sha512(f"{slot} {tx_index}".encode()).digest()))


@dataclass
class Telling:
    """A chain's history being told: each event is the only one of its transaction."""

    slot: int = 1_000
    tx_index: int = 0
    inner: int = 0
    trades: int = 0
    sequences: dict = field(default_factory=dict)

    def at(self, slot):
        """Go on at a later slot."""
        assert slot >= self.slot
        if slot > self.slot:
            self.slot, self.tx_index = slot, 0
        return self

    def event(self, kind, series, /, *, records=(), **fields):
        self.tx_index += 1
        self.inner = 0
        sequence = self.sequences[series] = self.sequences.get(series, 0) + 1
        return SourcedEvent(
            place=Place(self.slot, self.tx_index, 0, 0),
            signature=signature(self.slot, self.tx_index),
            payload=payload(kind, series, sequence, self.slot, fields, records),
        )

    def within(self, kind, series, /, *, records=(), **fields):
        """Another event of the instruction that told the last one."""
        self.inner += 1
        sequence = self.sequences[series] = self.sequences.get(series, 0) + 1
        return SourcedEvent(
            place=Place(self.slot, self.tx_index, 0, self.inner),
            signature=signature(self.slot, self.tx_index),
            payload=payload(kind, series, sequence, self.slot, fields, records),
        )

    def unread(self, tag, market=0, *, tells=1, **fields):
        """An instruction alone in its transaction, whose events nobody can read."""
        self.tx_index += 1
        self.sequences[market] = self.sequences.get(market, 0) + tells
        place = Place(self.slot, self.tx_index, 0, 0)
        fields = {"series": market, **fields}
        is_trade = tag is Tag.OPEN_POSITION and fields["amount"] >= 100_000_000
        self.trades += is_trade and self.trades < 100
        return SourcedEvent(
            place=place,
            signature=signature(self.slot, self.tx_index),
            payload=Unread(tag=tag, **fields).payload(place, 0),
        )

    def chained(self, wallet, chain, liquidity, value, improvement_bps=0, market=0, pool=0):
        """A chain's step into liquidity: both of its events."""
        yield self.added(wallet, liquidity, value, improvement_bps, market, pool)
        yield self.within(
            EventKind.CHAIN_STEPPED, market, chain=address(chain), kind=1, shares=liquidity
        )

    def genesis(self, season_slots=38_880_000):
        return self.event(
            EventKind.INITIALIZED,
            VAULT_SERIES,
            season_start_slot=self.slot,
            season_slots=season_slots,
            treasury_mmt=TREASURY_MMT,
            sink_mmt=SINK_MMT,
        )

    def opened(self, wallet, position, notional=1_000_000_000, shares=1_000, market=0, **fields):
        """An open; a trade of $100 or more gets the next number while there are any."""
        if notional >= 100_000_000 and self.trades < 100 and not fields.get("holding"):
            self.trades += 1
            fields["trade_number"] = self.trades
        return self.event(
            EventKind.POSITION_OPENED,
            market,
            owner=address(wallet),
            position=address(position),
            notional=notional,
            shares=shares,
            **fields,
        )

    def closed(self, wallet, position, shares_left=0, market=0, **fields):
        return self.event(
            EventKind.POSITION_CLOSED,
            market,
            owner=address(wallet),
            position=address(position),
            shares_left=shares_left,
            **fields,
        )

    def redeemed(self, wallet, position, market=0, **fields):
        return self.event(
            EventKind.POSITION_REDEEMED,
            market,
            owner=address(wallet),
            position=address(position),
            **fields,
        )

    def liquidated(self, *sold, market=0):
        records = [
            {"position": address(name), "shares_sold": shares, "shares_to_inventory": rest}
            for name, shares, rest in sold
        ]
        return self.event(EventKind.POSITIONS_LIQUIDATED, market, records=records)

    def added(self, wallet, liquidity, value, improvement_bps=0, market=0, pool=0):
        return self.event(
            EventKind.LIQUIDITY_ADDED,
            market,
            owner=address(wallet),
            pool=pool,
            liquidity_added=liquidity,
            value=value,
            improvement_bps=improvement_bps,
        )

    def removed(self, wallet, liquidity, market=0, pool=0):
        return self.event(
            EventKind.LIQUIDITY_REMOVED,
            market,
            owner=address(wallet),
            pool=pool,
            liquidity_removed=liquidity,
        )

    def resolved(self, market=0):
        return self.event(EventKind.MARKET_RESOLVED, market, records=[{"payout_e6": 1_000_000}])

    def posted(self, epoch, index, root, count, total, number=0):
        return self.event(
            EventKind.EPOCH_POSTED,
            REWARDS_SERIES + number,
            epoch=epoch,
            index=index,
            root=root,
            leaf_count=count,
            total=total,
        )

    def paid(self, epoch, index, leaves, number=0):
        records = [
            {"index": index, "leaf": leaf, "wallet": wallet, "amount": amount}
            for leaf, wallet, amount in leaves
        ]
        amount = sum(leaf[2] for leaf in leaves)
        return self.event(
            EventKind.REWARDS_PAID,
            REWARDS_SERIES + number,
            epoch=epoch,
            index=index,
            amount=amount,
            records=records,
        )


def balances(lines):
    """Return what the transfers among the lines leave in each account."""
    sums = Counter()
    for line in lines:
        if isinstance(line, Transfer):
            assert line.amount > 0
            assert line.debit != line.credit
            sums[line.debit] -= line.amount
            sums[line.credit] += line.amount
    assert not sum(sums.values())
    return sums
