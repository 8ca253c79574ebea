"""The world that outlives every keeper: a network that loses transactions, epochs that keep closing, wallets that claim.

Shell. The keeper's process reaches it over sockets only; wallets and the audit are inside.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from spl.token.instructions import get_associated_token_address

from bench._reward_world import EPOCH_SLOTS, PROGRAM, Purse, network_of, owe, wallets_of
from bench.payout_kills.audit import Books, Leaf, Payment
from incentives.manifests import file_name
from incentives.proofs import find_claimable
from incentives.roots import place_of
from keeper.keypair import create_keypair
from keeper.manifest import parse_manifest
from programs.accounts import Epoch
from programs.addresses import epoch_address, global_address, treasury_tokens_address
from programs.event_layout import EventKind
from programs.events import decode_logs
from programs.localnet.admission import TransactionRefused
from programs.localnet.faults import FaultProfile
from programs.localnet.ledger import TransactionRecord
from programs.localnet.server import Localnet, serve
from programs.merkle import RewardTree, build_tree
from programs.spl_token import decode_token_account

_LOOK_S: Final = 0.25
_WALLETS: Final = 600
_WITHOUT_ACCOUNT: Final = 10
"""One wallet in so many: the keeper opens theirs."""
_OWED_AT_ONCE: Final = 240
_LOW_LEAVES: Final = 160
"""With fewer to pay the next epoch closes: a keeper that is killed always has work."""
_CLAIM_ONE_IN: Final = 4
"""Looks."""
_AMOUNT_MAX: Final = 10_000
_CAP: Final = 10**12
NOBODY: Final = Pubkey.find_program_address([b"nobody"], PROGRAM)[0]
"""Owed something in every epoch, off the curve and without an account: never paid, and never in the way."""


@dataclass(slots=True, kw_only=True)
class World:
    """What a campaign holds on to."""

    localnet: Localnet
    folder: Path
    """Of manifests."""
    slot_ms: int
    chance: random.Random
    people: dict[str, Keypair]
    trees: list[RewardTree] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    posted: list[tuple[tuple[int, int], str]] = field(default_factory=list)
    claims_tried: int = 0
    treasury_before: int = 0
    is_closing_epochs: bool = True
    _upto_slot: int = -1

    @property
    def payer(self) -> Keypair:
        """The keeper's key: the incentives authority."""
        return self.localnet.bank.faucet

    @property
    def mint(self) -> Pubkey:
        """Of MMT."""
        return Purse(self.localnet.bank).mint

    def write_config(self, folder: Path) -> Path:
        """Write the keeper's key and keeper.toml; the venue of prices is down, which is no concern of payouts."""
        create_keypair(folder / "keeper.json", self.payer)
        urls = ", ".join(f'"{address.url}"' for address in self.localnet.addresses)
        path = folder / "keeper.toml"
        path.write_text(
            f'[cluster]\nrpc_urls = [{urls}]\nprogram_id = "{PROGRAM}"\nslot_ms = {self.slot_ms}\n\n'
            '[keys]\nkeeper = "keeper.json"\n\n[state]\nfolder = "state"\n\n'
            '[polymarket]\nclob_url = "http://127.0.0.1:9"\ngamma_url = "http://127.0.0.1:9"\n'
            'stream_url = "ws://127.0.0.1:9/ws/market"\n\n'
            f"[payouts]\ncreates_token_accounts = true\ninterval_slots = 5\n\n"
            f"[lanes.payouts]\nconcurrency = 4\nhourly_spend_max_lamports = {_CAP}\ndaily_spend_max_lamports = {_CAP}\n"
        )
        return path

    def close_epoch(self) -> None:
        """Owe another two hundred wallets something, as the incentives service would write it down."""
        epoch = len(self.trees)
        chosen = self.chance.sample(sorted(self.people), _OWED_AT_ONCE - 1)
        owners = sorted([NOBODY, *map(Pubkey.from_string, chosen)], key=bytes)
        owed = [(owner, self.chance.randint(1, _AMOUNT_MAX)) for owner in owners]
        genesis_hash = str(self.localnet.bank.genesis_hash)
        owe(self.folder, genesis_hash, epoch, owed)
        body = (self.folder / file_name(genesis_hash, epoch, 0)).read_bytes()
        place = place_of(epoch, 0, EPOCH_SLOTS)
        self.trees.append(build_tree(place.epoch, place.index, parse_manifest(body).rewards))

    def unpaid(self) -> int:
        """Count the leaves that somebody could be paid for, as confirmed."""
        return sum(
            1
            for tree in self.trees
            for leaf, reward in enumerate(tree.rewards)
            if reward.wallet != NOBODY and not self._is_paid(tree, leaf)
        )

    def _root(self, tree: RewardTree) -> Epoch | None:
        address = epoch_address(PROGRAM, tree.epoch, tree.index)[0]
        account = self.localnet.bank.account(address, "confirmed")
        return None if account is None else Epoch.from_bytes(account.data)

    def _is_paid(self, tree: RewardTree, leaf: int) -> bool:
        root = self._root(tree)
        return root is not None and root.is_paid(leaf)

    def claim_one(self) -> None:
        """Let one wallet claim what it is owed, signing and paying for itself."""
        tree = self.trees[-1]
        root = self._root(tree)
        if root is None:
            return
        leaf = self.chance.randrange(len(tree.rewards))
        key = self.people.get(str(tree.rewards[leaf].wallet))
        if key is None or root.is_paid(leaf):
            return
        bank = self.localnet.bank
        body = (
            self.folder / file_name(str(bank.genesis_hash), len(self.trees) - 1, 0)
        ).read_bytes()
        claim = find_claimable(body, key.pubkey())
        assert claim is not None, "it stands in the tree"
        blockhash = bank.block_at("processed").blockhash
        message = Message.new_with_blockhash(
            list(claim.instructions(self.mint)), key.pubkey(), blockhash
        )
        self.claims_tried += 1
        try:
            bank.execute(VersionedTransaction(message, [key]))
        except TransactionRefused:
            self.claims_tried -= 1

    def take(self) -> None:
        """Collect what has become final since the last look: no fork takes that back."""
        bank = self.localnet.bank
        final, fresh = bank.slot_at("finalized"), dict[str, TransactionRecord]()
        for address in (treasury_tokens_address(PROGRAM)[0], global_address(PROGRAM)[0]):
            for record in bank.ledger.newest_first(address):
                if record.slot <= self._upto_slot:
                    break
                if record.slot <= final and record.error is None:
                    fresh[str(record.signature)] = record
        self._upto_slot = max(self._upto_slot, final)
        for record in fresh.values():
            self._read(record)

    def _read(self, record: TransactionRecord) -> None:
        payer = record.transaction.message.account_keys[0]
        for event in decode_logs(record.meta.logs(), PROGRAM):
            if event.kind is EventKind.EPOCH_POSTED:
                place = (event.amount("epoch"), event.amount("index"))
                self.posted.append((place, bytes(event.address("root")).hex()))
            elif event.kind is EventKind.REWARDS_PAID:
                self.payments += [
                    Payment(
                        leaf=(
                            event.amount("epoch"),
                            int(str(each["index"])),
                            int(str(each["leaf"])),
                        ),
                        wallet=str(each["wallet"]),
                        amount=int(str(each["amount"])),
                        signature=str(record.signature),
                        is_ours=payer == self.payer.pubkey(),
                    )
                    for each in event.records
                ]

    def treasury(self) -> int:
        """Return what the season's treasury holds, finalized."""
        account = self.localnet.bank.account(treasury_tokens_address(PROGRAM)[0], "finalized")
        assert account is not None, "founded at the start"
        return decode_token_account(account.data).amount

    def books(self) -> Books:
        """Put together what was owed and what the chain did."""
        owed: dict[Leaf, tuple[str, int]] = {
            (tree.epoch, tree.index, leaf): (str(reward.wallet), reward.amount)
            for tree in self.trees
            for leaf, reward in enumerate(tree.rewards)
        }
        balances = dict[str, int]()
        for wallet in {wallet for wallet, _ in owed.values()}:
            address = get_associated_token_address(Pubkey.from_string(wallet), self.mint)
            account = self.localnet.bank.account(address, "finalized")
            balances[wallet] = 0 if account is None else decode_token_account(account.data).amount
        return Books(
            owed=owed,
            unpayable=frozenset([str(NOBODY)]),
            roots={(tree.epoch, tree.index): tree.root.hex() for tree in self.trees},
            posted=tuple(self.posted),
            payments=tuple(self.payments),
            balances=balances,
            treasury_spent=self.treasury_before - self.treasury(),
        )


async def run_world(
    seed: int,
    slot_ms: int,
    faults: FaultProfile,
    folder: Path,
    *,
    task_status: trio.TaskStatus[World] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until cancelled; started once a keeper can start in it, with the faults armed."""
    config = network_of(slot_ms=slot_ms, finality_slots=12, faults=faults, fault_seed=seed)
    async with trio.open_nursery() as nursery:
        localnet = await nursery.start(serve, config)
        keys = wallets_of(_WALLETS)
        owners = [key.pubkey() for key in keys]
        purse = Purse(localnet.bank)
        purse.fund(owners)
        purse.open_accounts([each for i, each in enumerate(owners) if i % _WITHOUT_ACCOUNT])
        world = World(
            localnet=localnet,
            folder=folder,
            slot_ms=slot_ms,
            chance=random.Random(f"payouts {seed}"),
            people={str(key.pubkey()): key for key in keys},
        )
        while localnet.bank.slot_at("finalized") < config.bank.finality_slots:  # noqa: ASYNC110 - a chain has no event
            await trio.sleep(_LOOK_S)
        world.treasury_before = world.treasury()
        world.close_epoch()
        localnet.trouble.arm()
        task_status.started(world)
        while True:
            world.take()
            if world.chance.randrange(_CLAIM_ONE_IN) == 0:
                world.claim_one()
            if world.is_closing_epochs and world.unpaid() < _LOW_LEAVES:
                world.close_epoch()
            await trio.sleep(_LOOK_S)
