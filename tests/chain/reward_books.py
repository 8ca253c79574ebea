"""Reward roots folded from their events, and compared with their accounts and the treasury behind them."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from incentives.emission import emitted_by
from programs.accounts import Epoch, Global
from programs.event_layout import REWARDS_SERIES, EventKind
from programs.events import Event
from programs.genesis import TREASURY_MMT


@dataclass
class RootBooks:
    """One root."""

    address: Pubkey = field(default_factory=Pubkey.default)
    root: Pubkey = field(default_factory=Pubkey.default)
    total: int = 0
    leaf_count: int = 0
    sequence: int = 0
    paid: dict[int, tuple[Pubkey, int]] = field(default_factory=dict)
    """By leaf: to whom, and how much."""


@dataclass
class RewardBooks:
    """All roots, by number."""

    roots: dict[int, RootBooks] = field(default_factory=lambda: defaultdict(RootBooks))
    posted: int = 0
    emitted: int = 0

    def apply(self, event: Event) -> None:
        """Book one event of a series of rewards."""
        amount, number = event.amount, event.series - REWARDS_SERIES
        root = self.roots[number]
        root.sequence = event.sequence
        if event.kind is EventKind.EPOCH_POSTED:
            assert event.sequence == 1
            assert number == len(self.roots) - 1
            root.address, root.root = event.address("account"), event.address("root")
            root.total, root.leaf_count = amount("total"), amount("leaf_count")
            self.posted += root.total
            self.emitted = amount("emitted_mmt")
            assert amount("posted_mmt") == self.posted <= self.emitted
        else:
            assert event.kind is EventKind.REWARDS_PAID
            for record in event.records:
                leaf = record["leaf"]
                assert leaf not in root.paid, "a leaf was paid twice"
                assert leaf < root.leaf_count
                root.paid[leaf] = record["wallet"], record["amount"]
                assert record["index"] == amount("index")
            assert amount("count") == len(event.records) > 0
            assert amount("amount") == sum(record["amount"] for record in event.records)

    @property
    def paid(self) -> int:
        """MMT base units that left the treasury."""
        return sum(amount for root in self.roots.values() for _, amount in root.paid.values())

    def check(
        self, global_: Global, slot: int, treasury: int, read: Callable[[Pubkey], bytes]
    ) -> None:
        """Compare with the accounts."""
        assert (global_.posted_mmt, global_.root_count) == (self.posted, len(self.roots))
        assert self.posted <= emitted_by(slot, global_.season_start_slot)
        assert treasury == TREASURY_MMT - self.paid
        for number, root in self.roots.items():
            epoch = Epoch.from_bytes(read(root.address))
            paid = sum(amount for _, amount in root.paid.values())
            assert (epoch.root_number, epoch.root, epoch.total) == (number, root.root, root.total)
            assert (epoch.leaf_count, epoch.event_sequence) == (root.leaf_count, root.sequence)
            assert (epoch.paid, epoch.paid_count) == (paid, len(root.paid))
            assert epoch.paid <= epoch.total
            bits = int.from_bytes(epoch.bitmap, "little")
            assert bits == sum(1 << leaf for leaf in root.paid)
