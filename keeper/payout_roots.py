"""Reward roots that are to be paid: manifests from a folder, believed only when the chain has the same root.

Shell. Nothing is remembered that the chain does not say: a root is done when every bit of its account is set, whoever paid,
and a restart asks the chain again. Of a season there may be thousands of roots, each waiting for a few wallets: leaves are read,
and trees hashed, only of those with something to pay now, and few are kept at a time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.manifest import ManifestError, ManifestHead
from keeper.manifest_files import hash_tree, list_manifests, read_head, read_manifest
from keeper.payouts import why_not
from keeper.tally import Tally
from programs.accounts import Epoch, MalformedAccountError
from programs.addresses import epoch_address
from programs.merkle import RewardTree
from programs.rpc import Account, Accounts, Rpc
from programs.units import Slot

LANE: Final = "payouts"
_TREES_KEPT: Final = 4
"""The largest is of 20 MB with its leaves."""
_REST_MAX_S: Final = 3_600.0
"""Of a season's roots most wait for a few wallets that may never open an account."""
_DOUBLINGS_MAX: Final = 16
_UNREADABLE_S: Final = 60.0
"""Before a file that the disk did not give is tried again."""
log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Root:
    """A manifest, and what became of it."""

    file: Path
    size_bytes: int
    head: ManifestHead
    address: Pubkey
    tree: RewardTree | None = None
    """As the manifest has it; of few roots at a time."""
    is_verified: bool = False
    """Its tree is what stands on chain: said once."""
    is_surveyed: bool = False
    """What opening token accounts for it costs has been told."""
    is_over: bool = False
    """Paid whole, or refused for good."""
    waits_for: str | None = None
    """What was said last about why it waits."""
    rests: int = 0
    """How often in a row nothing of it could be paid."""
    rests_until_s: float = 0.0
    marks: int | None = None
    """The bitmap as read last, as one number; None: not yet."""
    ours: int = 0
    """Leaves that transactions of this process pay, as bits of the bitmap."""

    @property
    def names(self) -> dict[str, object]:
        """What it is called in logs."""
        return {"file": str(self.file), "epoch": self.head.epoch, "index": self.head.index}

    def rest(self, first_s: float) -> None:
        """Leave it alone for a while, twice as long each time: nothing of it can be paid now."""
        self.rests_until_s = trio.current_time() + min(first_s * 2.0**self.rests, _REST_MAX_S)
        self.rests = min(self.rests + 1, _DOUBLINGS_MAX)

    def note_ours(self, leaves: Iterable[int], *, is_paid: bool) -> None:
        """Remember leaves that we pay, or did not pay after all."""
        mask = sum(1 << leaf for leaf in leaves)
        self.ours = self.ours | mask if is_paid else self.ours & ~mask


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoot:
    """A root as one slot has it, with something left to pay."""

    root: Root
    slot: Slot
    epoch: Epoch
    tree: RewardTree
    """Proved to be what was posted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentRoot:
    """A root that one slot does not have."""

    root: Root
    slot: Slot


@dataclass(slots=True)
class Roots:
    """The manifests of one folder."""

    program: Pubkey
    tally: Tally
    genesis_hash: str | None = None
    """Of the cluster; None: manifests of every cluster are taken."""
    _roots: dict[tuple[int, int, Path], Root] = field(default_factory=dict)
    """By epoch, index and file: a draft beside the true manifest of a root takes nothing from it."""
    _read: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Modification time and size of the files read."""
    _with_trees: list[Root] = field(default_factory=list)
    """Used last at the end."""

    @property
    def waiting(self) -> list[Root]:
        """Those that are not over, by epoch; of several files for one root the first that the chain does not contradict."""
        open_ = [(key, root) for key, root in sorted(self._roots.items()) if not root.is_over]
        firsts: dict[tuple[int, int], Root] = {}
        for (epoch, index, _), root in open_:
            firsts.setdefault((epoch, index), root)
        return list(firsts.values())

    def rival_of(self, root: Root) -> Root | None:
        """Find another manifest for the place of a root that has other leaves."""
        place = (root.head.epoch, root.head.index)
        for (*other, _), each in self._roots.items():
            if tuple(other) == place and not each.is_over and each.head.root != root.head.root:
                return each
        return None

    async def read_folder(self, folder: Path) -> None:
        """Read manifests that are new or changed; a file that is none is told once."""
        try:
            found = list_manifests(folder)
        except OSError as error:
            log.warning("payouts.folder_unread", folder=str(folder), reason=str(error))
            return
        for file, seen in found:
            if self._read.get(file) != seen:
                self._read[file] = seen
                await self._read_file(file, seen[1])

    async def _read_file(self, file: Path, size_bytes: int) -> None:
        try:
            head = await read_head(file, size_bytes)
        except (ManifestError, OSError) as error:
            self._refuse_unreadable(file, error)
            return
        if (reason := self._elsewhere(head)) is not None:
            self.tally.refusals[f"{LANE}.manifest_of_another_chain"] += 1
            log.info("manifest.ignored", file=str(file), reason=reason)
            return
        address = epoch_address(self.program, head.epoch, head.index)[0]
        self._roots[head.epoch, head.index, file] = Root(file, size_bytes, head, address)

    def _elsewhere(self, head: ManifestHead) -> str | None:
        if head.program is not None and head.program != str(self.program):
            return f"it is for the program {head.program}, ours is {self.program}"
        if None not in {head.genesis_hash, self.genesis_hash} and (
            head.genesis_hash != self.genesis_hash
        ):
            return (
                f"it is for the chain of genesis {head.genesis_hash}, ours is {self.genesis_hash}"
            )
        return None

    def _refuse_unreadable(self, file: Path, error: Exception) -> None:
        self.tally.refusals[f"{LANE}.manifest_unreadable"] += 1
        log.warning("manifest.refused", file=str(file), reason=str(error))

    async def read(self, roots: Sequence[Root], rpc: Rpc) -> Accounts:
        """Read the accounts of roots, at once.

        Raises:
            RpcFailure: no node could say.
        """
        return await rpc.get_multiple_accounts([root.address for root in roots], "confirmed")

    async def look_at(
        self, root: Root, account: Account | None, slot: Slot
    ) -> OpenRoot | AbsentRoot | None:
        """Judge a root by its account at a slot, and prove its manifest; None: nothing to pay now, or ever."""
        if account is None or account.owner != self.program:
            return AbsentRoot(root=root, slot=slot)
        try:
            epoch = Epoch.from_bytes(account.data)
        except MalformedAccountError as error:
            self.wait(root, str(error))
            return None
        self._note_claims(root, epoch)
        if epoch.paid_count == epoch.leaf_count:
            root.is_over, root.tree = True, None
            log.info("root.paid", leaves=epoch.leaf_count, base_units=epoch.paid, **root.names)
            return None
        tree = await self.load_tree(root)
        if tree is None:
            return None
        if not root.is_verified:
            if (reason := why_not(tree, epoch)) is not None:
                self._contradict(root, f"{reason}: what stands there is paid by its own manifest")
                return None
            root.is_verified, root.waits_for = True, None
            log.info("root.verified", leaves=epoch.leaf_count, paid=epoch.paid_count, **root.names)
        return OpenRoot(root=root, slot=slot, epoch=epoch, tree=tree)

    def wait(self, root: Root, reason: str) -> None:
        """Say why a root waits, once for each reason."""
        if root.waits_for != reason:
            root.waits_for = reason
            self.tally.refusals[f"{LANE}.root_not_posted"] += 1
            log.info("root.waits", reason=reason, **root.names)

    async def load_tree(self, root: Root) -> RewardTree | None:
        """Read a root's leaves and hash them; None, and the root is over, if they are not what its head says."""
        if root.tree is None:
            try:
                manifest = await read_manifest(root.file, root.size_bytes)
            except ManifestError as error:
                root.is_over = True
                self._refuse_unreadable(root.file, error)
                return None
            except OSError as error:  # it may come back
                root.rest(_UNREADABLE_S)
                self._refuse_unreadable(root.file, error)
                return None
            tree = await hash_tree(manifest)
            if (root.head, tree.root) != (manifest.head, root.head.root):
                named = root.head.root.hex()
                self._contradict(
                    root, f"it names the root {named}, its leaves make {tree.root.hex()}"
                )
                return None
            root.tree = tree
        self._keep(root)
        return root.tree

    def _keep(self, root: Root) -> None:
        self._with_trees = [each for each in self._with_trees if each is not root] + [root]
        while len(self._with_trees) > _TREES_KEPT:
            self._with_trees.pop(0).tree = None

    def _contradict(self, root: Root, reason: str) -> None:
        root.is_over, root.tree = True, None
        self.tally.refusals[f"{LANE}.manifest_contradicted"] += 1
        log.warning("manifest.refused", reason=reason, **root.names)

    def _note_claims(self, root: Root, epoch: Epoch) -> None:
        """Notice leaves that were paid since the last look, and not by this process: claimed by their wallets, mostly."""
        marks = int.from_bytes(epoch.bitmap, "little")
        if root.marks is not None and (claimed := marks & ~root.marks & ~root.ours):
            self.tally.rewards_claimed += claimed.bit_count()
            log.info("rewards.claimed", leaves=claimed.bit_count(), **root.names)
        # A node that lags shows fewer marks than were seen: they are no news when they come again.
        root.marks = marks | (root.marks or 0)
