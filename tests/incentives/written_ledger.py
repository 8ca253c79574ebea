"""A ledger as a season leaves it, and somebody who goes on writing it while it is read."""

import hashlib
import threading
from contextlib import contextmanager
from dataclasses import replace

import trio
from solders.pubkey import Pubkey
from solders.signature import Signature

from incentives.ledger.encoding import Identity
from incentives.ledger.opened import open_ledger
from incentives.ledger.writer import Batch
from incentives.lines import EpochClose
from incentives.parameters import Parameters
from incentives.roots import roots_of
from incentives.rules.rulebook import Rulebook
from programs.events import decode
from tests.incentives.told_events import Telling, address

IDENTITY = Identity(
    genesis_hash="4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn",
    program="5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw",
    mint="So11111111111111111111111111111111111111112",
)
PARAMETERS = Parameters(epoch_slots=100, dwell_slots=20)
START = 1_000
DOLLARS = 1_000_000


def wallet(name):
    return str(Pubkey.from_bytes(address(name)))


class Season:
    """Tells events, folds them, and keeps the lines for whoever writes them."""

    def __init__(self, parameters=PARAMETERS):
        self.telling = Telling(slot=START)
        self.parameters = parameters
        self.book = Rulebook(parameters)
        self.lines = []
        self.events = []
        self.untold = []
        self.closes = []

    def tell(self, event):
        signature = str(Signature(hashlib.sha512(event.signature.encode()).digest()))
        event = replace(event, signature=signature)
        self.events.append(event)
        self.untold.append(event.payload)
        self._keep(self.book.take(event))
        return event

    def pass_slot(self, slot):
        self._keep(self.book.pass_slot(slot))

    def _keep(self, lines):
        for line in lines:
            self.lines.append(line)
            if isinstance(line, EpochClose):
                self.closes.append(line)

    def tree(self, close):
        (tree,) = roots_of(close, self.parameters.epoch_slots)
        return tree

    def post(self, close):
        tree = self.tree(close)
        return self.tell(
            self.telling.posted(
                tree.epoch, tree.index, tree.root, len(tree.rewards), tree.total, close.epoch
            )
        )

    def pay(self, close, leaves):
        tree = self.tree(close)
        rewards = [
            (leaf, bytes(tree.rewards[leaf].wallet), tree.rewards[leaf].amount) for leaf in leaves
        ]
        return self.tell(self.telling.paid(tree.epoch, tree.index, rewards, close.epoch))

    def batch(self, through_slot):
        lines, self.lines = self.lines, []
        told, self.untold = self.untold, []
        series = {event.series: event.sequence for event in map(decode, told)}
        return Batch(lines=lines, through_slot=through_slot, series=series)


def played():
    """Three epochs: trades doubled, voided and reduced, liquidity, an epoch scaled down, roots posted and partly paid."""
    season = Season()
    told, tell = season.telling, season.tell
    tell(told.genesis())
    told.at(1_010)
    tell(told.opened("alice", "a1", 2_000 * DOLLARS))
    tell(told.opened("bob", "b1", 500 * DOLLARS))
    tell(told.opened("carol", "c1", 300 * DOLLARS, shares=1_000))
    tell(told.added("maker", 10**9, 5_000 * DOLLARS, 120))
    told.at(1_015)
    tell(told.closed("bob", "b1"))
    tell(told.closed("carol", "c1", shares_left=500))
    told.at(1_120)
    tell(told.opened("alice", "a2", 10**7 * DOLLARS))
    tell(told.opened("dave", "d1", 400 * DOLLARS))
    told.at(1_150)
    season.post(season.closes[0])
    told.at(1_160)
    season.pay(season.closes[0], [0])
    told.at(1_205)
    season.pass_slot(1_204)
    season.post(season.closes[1])
    tell(told.opened("erin", "e1", 700 * DOLLARS))
    season.pass_slot(1_210)
    return season


@contextmanager
def being_written(path, season, *, first=()):
    """Write a season, then keep committing trades until the block ends.

    Args:
        first: what to do in a transaction of the writer's before anybody reads.
    """
    ready, over, failed = threading.Event(), threading.Event(), []

    async def write():
        async with open_ledger(path, IDENTITY, season.parameters) as ledger:
            await ledger.commit(season.batch(max(1_210, season.telling.slot)))
            for work in first:
                await ledger.store.transaction(work)
            ready.set()
            number = 0
            while not over.is_set():
                number += 1
                season.telling.at(1_211)
                season.tell(season.telling.opened("late", f"l{number}", 50 * DOLLARS))
                await ledger.commit(season.batch(1_211))
                await trio.sleep(0.005)

    def run():
        try:
            trio.run(write)
        except BaseException as error:  # noqa: BLE001 - told by whoever started the thread
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        assert not failed, failed
        yield
    finally:
        over.set()
        thread.join(30)
        assert not failed, failed
