"""The three things that the payouts lane does, as jobs: post a root, open a token account, pay a subtree.

Core. What a job is called, and the state it acts upon, follow from what it is about, so whoever does it again is found out:
while an attempt may still land, or has landed and is not final, no other is signed for the same job and state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey
from spl.token.constants import ASSOCIATED_TOKEN_PROGRAM_ID
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
)

from keeper.costs import (
    CREATE_LOADED_BYTES,
    TOKEN_ACCOUNT_RENT,
    create_token_account_cu,
    epoch_rent_lamports,
    pay_rewards_cu,
    pay_rewards_loaded_bytes,
    pay_rewards_log_bytes,
    post_epoch_cu,
    post_epoch_loaded_bytes,
)
from keeper.payouts import Subtree, tight_batch
from programs.accounts import Epoch
from programs.addresses import TOKEN_PROGRAM, epoch_address
from programs.instructions import pay_rewards, post_epoch
from programs.merkle import RewardTree
from programs.outcomes import JobRef
from programs.pack import Group
from programs.units import Lamports

_NO_RENT: Final = Lamports(0)
CREATED: Final = "create"
"""What opening a token account acts upon: that there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One job, ready to be packed."""

    job: JobRef
    group: Group
    rent_lamports: Lamports = _NO_RENT
    """What it locks in a new account."""
    place: tuple[int, int] | None = None
    """Epoch and index of the root that it pays leaves of."""
    leaves: tuple[int, ...] = ()
    """Which it pays."""
    opens_for: Pubkey | None = None
    """The wallet that it opens a token account for."""


def payment_id(epoch: int, index: int, subtree: int) -> str:
    """Name the payment of a subtree."""
    return f"pay:{epoch}:{index}:{subtree}"


def payment(
    program: Pubkey,
    mint: Pubkey,
    tree: RewardTree,
    epoch: Epoch,
    subtree: Subtree,
    payable: Sequence[int],
) -> Due:
    """Pay leaves of a subtree.

    Args:
        mint: of MMT.
        epoch: the root as the chain has it.
        payable: numbers of leaves, at least one, whose wallets have a usable account.
    """
    batch = tight_batch(tree, payable)
    accounts = [get_associated_token_address(wallet, mint) for wallet in batch.wallets]
    job_id = payment_id(tree.epoch, tree.index, subtree.number)
    target = str(epoch_address(program, tree.epoch, tree.index)[0])
    return Due(
        # The marks only ever grow: the same job on the same marks landing twice would be a duplicate.
        job=JobRef(job_id=job_id, kind="pay", target=target, effect=f"{subtree.marks:02x}"),
        group=Group(
            job_id=job_id,
            instructions=(pay_rewards(program, batch, accounts),),
            cu=pay_rewards_cu(batch),
            loaded_bytes=pay_rewards_loaded_bytes(batch, epoch.leaf_count),
            log_bytes=pay_rewards_log_bytes(batch),
        ),
        place=(tree.epoch, tree.index),
        leaves=tuple(payable),
    )


def creation_id(mint: Pubkey, wallet: Pubkey) -> str:
    """Name the opening of a wallet's token account."""
    return f"create_token_account:{get_associated_token_address(wallet, mint)}"


def creation(payer: Pubkey, mint: Pubkey, wallet: Pubkey) -> Due:
    """Open a wallet's token account."""
    seeds = [bytes(wallet), bytes(TOKEN_PROGRAM), bytes(mint)]
    address, bump = Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM_ID)
    job_id, target = creation_id(mint, wallet), str(address)
    return Due(
        job=JobRef(job_id=job_id, kind="create_token_account", target=target, effect=CREATED),
        group=Group(
            job_id=job_id,
            instructions=(create_idempotent_associated_token_account(payer, wallet, mint),),
            cu=create_token_account_cu(bump),
            loaded_bytes=CREATE_LOADED_BYTES,
        ),
        rent_lamports=TOKEN_ACCOUNT_RENT,
        opens_for=wallet,
    )


def post_id(root: Pubkey) -> str:
    """Name the posting of a root by the account that it makes: there is one for each epoch and index, for ever."""
    return f"post_root:{root}"


def post(program: Pubkey, authority: Pubkey, tree: RewardTree) -> Due:
    """Post a root: the account must not be there yet, and once it is the program makes no other in its place."""
    address, bump = epoch_address(program, tree.epoch, tree.index)
    job_id, leaf_count = post_id(address), len(tree.rewards)
    return Due(
        # Whatever its leaves: while one post of this account may land, no other is signed.
        job=JobRef(job_id=job_id, kind="post_root", target=str(address), effect="absent"),
        group=Group(
            job_id=job_id,
            instructions=(
                post_epoch(
                    program,
                    authority,
                    epoch=tree.epoch,
                    index=tree.index,
                    root=tree.root,
                    leaf_count=leaf_count,
                    total=tree.total,
                ),
            ),
            cu=post_epoch_cu(bump),
            loaded_bytes=post_epoch_loaded_bytes(leaf_count),
        ),
        rent_lamports=epoch_rent_lamports(leaf_count),
    )
