"""A small ledger with a line of every kind in it, made by the rules from events."""

import hashlib
from dataclasses import replace
from functools import partial

from solders.pubkey import Pubkey
from solders.signature import Signature

from incentives.chain_reading import ChainReading, record_reading
from incentives.ledger.encoding import Identity
from incentives.ledger.opened import open_ledger
from incentives.ledger.writer import Batch
from incentives.lines import EpochClose
from incentives.parameters import Parameters
from incentives.roots import roots_of
from incentives.rules.rulebook import Rulebook
from programs.event_layout import VAULT_SERIES, EventKind
from programs.events import decode
from programs.genesis import SINK_MMT, TREASURY_MMT
from programs.merkle import Reward, build_tree
from tests.incentives.told_events import Telling, address

PARAMETERS = Parameters(epoch_slots=900)
SEASON_SLOTS = 9_000
IDENTITY = Identity(
    genesis_hash="4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn",
    program="5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw",
    mint="So11111111111111111111111111111111111111112",
)
ALICE, BOB, CAROL = (str(Pubkey.from_bytes(address(name))) for name in ("alice", "bob", "carol"))


def signed(event):
    """Give an event a signature of a real one's length."""
    return replace(
        event, signature=str(Signature(hashlib.sha512(event.signature.encode()).digest()))
    )


def deliveries():
    """Yield (events, through slot): trades, one of them voided, a deposit, two closes, a root paid in part, a foreign one."""
    telling, rulebook = Telling(slot=1_000), Rulebook(PARAMETERS)
    closes = {}

    def told(through, *events):
        listed = [signed(event) for event in events]
        lines = [line for event in listed for line in rulebook.take(event)]
        lines += rulebook.pass_slot(through)
        closes.update({line.epoch: line for line in lines if isinstance(line, EpochClose)})
        return listed, through

    yield told(1_000, telling.genesis(season_slots=SEASON_SLOTS))
    yield told(
        1_030,
        telling.at(1_010).opened("alice", "p1", notional=123_456_789),
        telling.opened("bob", "p2"),
        telling.at(1_020).opened("carol", "p3"),
        telling.added("carol", 1_000, 5_000_000_000, improvement_bps=7),
        telling.event(EventKind.FEES_SWEPT, VAULT_SERIES),
        telling.closed("bob", "p2"),
    )
    yield told(2_000, telling.at(1_700).opened("bob", "p4", notional=777_777_777))
    root = roots_of(closes[0], PARAMETERS.epoch_slots)[0]
    posted = telling.at(2_010).event(
        EventKind.EPOCH_POSTED,
        0x8000_0000,
        epoch=root.epoch,
        index=root.index,
        root=root.root,
        leaf_count=len(root.rewards),
        total=root.total,
        posted_mmt=root.total,
    )
    first = [(0, bytes(root.rewards[0].wallet), root.rewards[0].amount)]
    paid = telling.at(2_020).paid(root.epoch, root.index, first)
    stranger = build_tree(9, 9, [Reward(wallet=Pubkey.from_bytes(address("dave")), amount=5)])
    foreign = telling.event(
        EventKind.EPOCH_POSTED,
        0x8000_0001,
        epoch=9,
        index=9,
        root=stranger.root,
        leaf_count=1,
        total=5,
        posted_mmt=root.total + 5,
    )
    yield told(
        2_100, posted, paid, foreign, telling.paid(9, 9, [(0, address("dave"), 5)], number=1)
    )
    yield told(3_000, telling.at(2_900).opened("alice", "p5"))


async def make_ledger(path, told=None):
    """Write the season into a ledger, as its follower would."""
    rulebook = Rulebook(PARAMETERS)
    async with open_ledger(path, IDENTITY, PARAMETERS) as ledger:
        for events, through in deliveries() if told is None else told:
            lines = [line for event in events for line in rulebook.take(event)]
            lines += rulebook.pass_slot(through)
            series = {}
            for event in events:
                head = decode(event.payload)
                series[head.series] = head.sequence
            snapshot = rulebook.to_json() if through < 3_000 else None
            batch = Batch(lines=lines, through_slot=through, series=series, snapshot=snapshot)
            await ledger.commit(batch)
        paid, stood = await ledger.store.read(
            lambda db: db.conn.execute(
                "SELECT coalesce(sum(iif(state = 'posted', amount, 0)), 0), coalesce(sum(iif(root_seq, amount, 0)), 0) FROM payout"
            ).fetchone()
        )
        reading = ChainReading(
            slot=2_500,
            supply=SINK_MMT + TREASURY_MMT,
            sink=SINK_MMT,
            treasury=TREASURY_MMT - paid - 5,
            posted=stood + 5,
        )
        await ledger.store.transaction(
            partial(record_reading, reading=reading, read_at="2026-01-01")
        )
