"""Reward roots posted and paid on the platform under test, with wallets that have MMT token accounts."""

import hashlib
from dataclasses import dataclass, field, replace

import spl.token.instructions as spl
from harness import Platform, Receipt, keypair
from solders.pubkey import Pubkey

from programs import addresses, instructions
from programs.accounts import Epoch
from programs.merkle import Batch, Reward, RewardTree, build_tree, hash_leaf, hash_node


def wallet(name: object) -> Pubkey:
    """A wallet that is the same in every run."""
    return keypair(f"wallet {name}").pubkey()


def deep_batch(epoch: int, index: int, rewards: list[Reward], depth: int) -> tuple[Batch, bytes]:
    """The first leaves of a tree of 2**depth, whose other nodes are made up, and its root."""
    level = [hash_leaf(epoch, index, i, reward) for i, reward in enumerate(rewards)]
    while len(level) > 1:
        level = [hash_node(*level[i : i + 2]) for i in range(0, len(level), 2)]
    (root,) = level
    height = len(rewards).bit_length() - 1
    path = tuple(hashlib.sha256(f"node {i}".encode()).digest() for i in range(depth - height))
    for sibling in path:
        root = hash_node(root, sibling)
    return (
        Batch(
            epoch=epoch,
            index=index,
            first_leaf=0,
            entries=tuple(reward.amount for reward in rewards),
            wallets=tuple(reward.wallet for reward in rewards),
            path=path,
        ),
        root,
    )


@dataclass(repr=False)
class RewardDesk:
    """Whoever posts and pays."""

    platform: Platform
    accounts: dict[Pubkey, Pubkey] = field(default_factory=dict)
    """MMT token account by wallet."""
    next_index: int = 0

    def tokens_of(self, owner: Pubkey) -> Pubkey:
        """The wallet's MMT account, created when asked for first."""
        if owner not in self.accounts:
            platform, mint = self.platform, self.platform.mmt_mint.pubkey()
            create = spl.create_associated_token_account(platform.admin.pubkey(), owner, mint)
            platform.send(create, [platform.admin])
            self.accounts[owner] = spl.get_associated_token_address(owner, mint)
        return self.accounts[owner]

    def balance(self, owner: Pubkey) -> int:
        return self.platform.tokens(self.tokens_of(owner))

    def tree(self, *amounts: int, epoch: int = 0) -> RewardTree:
        """A root for wallets 0, 1, ...; every tree has an index of its own."""
        rewards = [Reward(wallet=wallet(i), amount=amount) for i, amount in enumerate(amounts)]
        self.next_index += 1
        return build_tree(epoch, self.next_index - 1, rewards)

    def post(self, tree: RewardTree, **changes: object) -> Receipt:
        """Post a tree's root, with some terms changed."""
        terms = {
            "epoch": tree.epoch,
            "index": tree.index,
            "root": tree.root,
            "leaf_count": len(tree.rewards),
            "total": tree.total,
        }
        return self.post_terms(**terms | changes)

    def post_terms(self, **terms: object) -> Receipt:
        admin = self.platform.admin
        instruction = instructions.post_epoch(self.platform.program, admin.pubkey(), **terms)
        return self.platform.send(instruction, [admin])

    def posted(self, *amounts: int, epoch: int = 0) -> RewardTree:
        """A posted tree."""
        tree = self.tree(*amounts, epoch=epoch)
        self.post(tree)
        return tree

    def pay(
        self, batch: Batch, token_accounts: list[Pubkey] | None = None, **changes: object
    ) -> Receipt:
        """Pay a batch to its wallets' accounts, or to others, with parts of it changed; the admin pays the fee."""
        if token_accounts is None:
            token_accounts = [self.tokens_of(owner) for owner in batch.wallets]
        instruction = instructions.pay_rewards(
            self.platform.program, replace(batch, **changes), token_accounts
        )
        return self.platform.send(instruction, [self.platform.admin])

    def epoch(self, tree: RewardTree | Batch) -> Epoch:
        address = addresses.epoch_address(self.platform.program, tree.epoch, tree.index)[0]
        return Epoch.from_bytes(self.platform.data(address))

    def treasury(self) -> int:
        return self.platform.tokens(addresses.treasury_tokens_address(self.platform.program)[0])
