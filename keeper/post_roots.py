"""Roots that are not on chain yet: which of them this keeper posts, and why it leaves the others.

Shell. A root is posted only by the incentives authority, only where its manifest says it belongs, and only when no second
manifest in the folder claims its place with other leaves. The program makes one account for each epoch and index and never
another, so a root can stand there once; while an attempt to post it may land, no other is signed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from solders.pubkey import Pubkey

from keeper.execute import Lane
from keeper.payout_jobs import Due, post, post_id
from keeper.payout_loads import Memory
from keeper.payout_roots import AbsentRoot, Root

_NOT_POSTED: Final = "the root is not posted yet"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """Who posts roots, and who may."""

    lane: Lane
    """The payouts lane, signing with a key that may be the authority's."""
    incentives_authority: Pubkey
    """As genesis has fixed it."""

    @property
    def is_ours(self) -> bool:
        """Whether the program takes roots from us."""
        return self.lane.authority == self.incentives_authority


async def posts(posting: Posting | None, memory: Memory, absent: Iterable[AbsentRoot]) -> list[Due]:
    """Make jobs of the roots that are ours to post now; say of the others why they wait."""
    due = list[Due]()
    for each in absent:
        root = each.root
        if posting is None or (reason := _why_not(posting, memory, root)) is not None:
            # Nothing is known of who may post when nobody here does.
            said = f"{_NOT_POSTED}" if posting is None else f"{_NOT_POSTED}: {reason}"
            memory.roots.wait(root, f"{root.address} is not on chain: {said}")
            continue
        if not memory.may_begin(post_id(root.address), each.slot):
            continue
        tree = await memory.roots.load_tree(root)
        if tree is not None:
            log.info("root.posting", leaves=len(tree.rewards), base_units=tree.total, **root.names)
            due.append(post(memory.roots.program, posting.lane.authority, tree))
    return due


def _why_not(posting: Posting, memory: Memory, root: Root) -> str | None:
    if not posting.is_ours:
        return (
            f"only the incentives authority {posting.incentives_authority} may, and this keeper signs as "
            f"{posting.lane.authority} (payouts.authority names the authority's keypair file)"
        )
    if not root.head.names_its_chain:
        return "its manifest does not name the chain and the program it is for, so it is paid but never posted"
    if (rival := memory.roots.rival_of(root)) is not None:
        return f"{rival.file} claims the same place with other leaves: take one of the two away"
    return None
