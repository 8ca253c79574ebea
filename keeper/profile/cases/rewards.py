"""Reward epochs: posted, and paid in batches."""

import hashlib
from collections.abc import Iterator
from itertools import count
from typing import Final

from solders.pubkey import Pubkey

from keeper.profile.call import Call
from keeper.profile.world import World, keypair
from programs import instructions
from programs.merkle import Batch, Reward, hash_leaf, hash_node
from programs.units import BaseUnits

DEPTH: Final = 16
_LEAVES: Final = (8, 1)
"""The largest batch and the smallest."""
_ACCRUAL_SLOTS: Final = 5_000
_AMOUNT: Final = BaseUnits(1_000_000)


def post_epoch(code: bytes) -> Iterator[Call]:
    """The largest root and a small one."""
    world = World(code)
    world.warp(_ACCRUAL_SLOTS)
    for number in count():
        leaves = (1 << DEPTH, 100)[number % 2]
        posted = instructions.post_epoch(
            world.program,
            world.admin.pubkey(),
            epoch=0,
            index=number,
            root=bytes(32),
            leaf_count=leaves,
            total=_AMOUNT,
        )
        case = f"{leaves} leaves"
        yield Call(world=world, instruction=posted, signers=[world.admin], case=case)


def pay_rewards(code: bytes) -> Iterator[Call]:
    """Batches of eight leaves and of one, under a root of 65_536 leaves."""
    world = World(code)
    world.warp(_ACCRUAL_SLOTS)
    wallets = [keypair(f"wallet {i}").pubkey() for i in range(max(_LEAVES))]
    accounts = [world.token_account(wallet, world.mmt_mint.pubkey()) for wallet in wallets]
    for number in count():
        leaves = _LEAVES[number % len(_LEAVES)]
        batch, root = _deep_batch(number, wallets[:leaves])
        posted = instructions.post_epoch(
            world.program,
            world.admin.pubkey(),
            epoch=0,
            index=number,
            root=root,
            leaf_count=1 << DEPTH,
            total=BaseUnits(_AMOUNT * leaves),
        )
        world.send([posted], [world.admin])
        paid = instructions.pay_rewards(world.program, batch, accounts[:leaves])
        case = f"{leaves} {'leaf' if leaves == 1 else 'leaves'}"
        yield Call(world=world, instruction=paid, signers=[world.admin], case=case)


def _deep_batch(index: int, wallets: list[Pubkey]) -> tuple[Batch, bytes]:
    """The first leaves of a tree whose other nodes are made up, and its root."""
    rewards = [Reward(wallet=wallet, amount=_AMOUNT) for wallet in wallets]
    level = [hash_leaf(0, index, i, reward) for i, reward in enumerate(rewards)]
    height = len(rewards).bit_length() - 1
    while len(level) > 1:
        level = [hash_node(*level[i : i + 2]) for i in range(0, len(level), 2)]
    path = tuple(hashlib.sha256(f"node {i}".encode()).digest() for i in range(DEPTH - height))
    root = level[0]
    for sibling in path:
        root = hash_node(root, sibling)
    batch = Batch(
        epoch=0,
        index=index,
        first_leaf=0,
        entries=tuple(reward.amount for reward in rewards),
        wallets=tuple(wallets),
        path=path,
    )
    return batch, root
