"""Reward roots that are to be paid: manifests from a folder, believed only when the chain has the same root.

Shell. Nothing is remembered that the chain does not say: a root is done when every bit of its account is set, whoever paid,
and a restart asks the chain again.
"""

import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.manifest import MANIFEST_BYTES_MAX, Manifest, ManifestError, parse_manifest
from keeper.payouts import why_not
from keeper.tally import Tally
from programs.accounts import Epoch, MalformedAccountError
from programs.addresses import epoch_address
from programs.merkle import RewardTree, build_tree
from programs.rpc import Account, Rpc
from programs.units import Slot

LANE: Final = "payouts"
_IN_LOOP_LEAVES_MAX: Final = 1_000
_IN_LOOP_BYTES_MAX: Final = 100 * _IN_LOOP_LEAVES_MAX
"""A larger tree is read and hashed in a thread: 65_536 leaves take half a second, in which no other lane would move."""
log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Root:
    """A manifest, and what became of it."""

    file: Path
    manifest: Manifest
    address: Pubkey
    tree: RewardTree | None = None
    """Hashed once the root is found on chain."""
    is_over: bool = False
    """Paid whole, or refused for good."""
    waits_for: str | None = None
    """What was said last about why it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoot:
    """A root as one slot has it, with something left to pay."""

    slot: Slot
    address: Pubkey
    epoch: Epoch
    tree: RewardTree
    """Proved to be what was posted."""


@dataclass(slots=True)
class Roots:
    """The manifests of one folder."""

    program: Pubkey
    tally: Tally
    _roots: dict[tuple[int, int, Path], Root] = field(default_factory=dict)
    """By epoch, index and file: a draft beside the true manifest of a root takes nothing from it."""
    _read: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Modification time and size of the files read."""

    @property
    def waiting(self) -> list[Root]:
        """Those that are not over, by epoch; of several files for one root the first that the chain does not contradict."""
        open_ = [(key, root) for key, root in sorted(self._roots.items()) if not root.is_over]
        firsts: dict[tuple[int, int], Root] = {}
        for (epoch, index, _), root in open_:
            firsts.setdefault((epoch, index), root)
        return list(firsts.values())

    async def read_folder(self, folder: Path) -> None:
        """Read manifests that are new or changed; a file that is none is told once."""
        try:
            found = _listed(folder)
        except OSError as error:
            log.warning("payouts.folder_unread", folder=str(folder), reason=str(error))
            return
        for file, seen in found:
            if self._read.get(file) != seen:
                self._read[file] = seen
                await self._read_file(file, seen[1])

    async def _read_file(self, file: Path, size_bytes: int) -> None:
        try:
            if size_bytes <= _IN_LOOP_BYTES_MAX:
                manifest = _parse(file, size_bytes)
            else:
                manifest = await trio.to_thread.run_sync(_parse, file, size_bytes)
        except (ManifestError, OSError) as error:
            self.tally.refusals[f"{LANE}.manifest_unreadable"] += 1
            log.warning("manifest.refused", file=str(file), reason=str(error))
            return
        address = epoch_address(self.program, manifest.epoch, manifest.index)[0]
        self._roots[manifest.epoch, manifest.index, file] = Root(file, manifest, address)

    async def look_at(self, root: Root, rpc: Rpc) -> OpenRoot | None:
        """Read a root's account, and prove its manifest; None when there is nothing to pay now, or ever.

        Raises:
            RpcFailure: no node could say.
        """
        reading = await rpc.get_multiple_accounts([root.address], "confirmed")
        epoch = self._decode(root, reading.accounts[0])
        if epoch is None:
            return None
        if epoch.paid_count == epoch.leaf_count:
            root.is_over, root.tree = True, None
            log.info("root.paid", leaves=epoch.leaf_count, base_units=epoch.paid, **_names(root))
            return None
        if root.tree is None:
            tree = await _hashed(root.manifest)
            if (reason := _contradiction(root.manifest, tree, epoch)) is not None:
                root.is_over = True
                self.tally.refusals[f"{LANE}.manifest_contradicted"] += 1
                log.warning("manifest.refused", reason=reason, **_names(root))
                return None
            root.tree, root.waits_for = tree, None
            log.info(
                "root.verified", leaves=epoch.leaf_count, paid=epoch.paid_count, **_names(root)
            )
        return OpenRoot(slot=reading.slot, address=root.address, epoch=epoch, tree=root.tree)

    def _decode(self, root: Root, account: Account | None) -> Epoch | None:
        reason = f"{root.address} is not on chain: the root is not posted yet"
        if account is not None and account.owner == self.program:
            try:
                return Epoch.from_bytes(account.data)
            except MalformedAccountError as error:
                reason = str(error)
        if root.waits_for != reason:
            root.waits_for = reason
            self.tally.refusals[f"{LANE}.root_not_posted"] += 1
            log.info("root.waits", reason=reason, **_names(root))
        return None


def _listed(folder: Path) -> list[tuple[Path, tuple[int, int]]]:
    """List manifests with modification time and size; a folder that is not there has none.

    What is no regular file is left out: a pipe would never end, and a link to nowhere must not hide the others.
    """
    found: list[tuple[Path, tuple[int, int]]] = []
    for file in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError):
            status = file.stat()
            if stat.S_ISREG(status.st_mode):
                found.append((file, (status.st_mtime_ns, status.st_size)))
    return found


def _parse(file: Path, size_bytes: int) -> Manifest:
    if size_bytes > MANIFEST_BYTES_MAX:
        raise ManifestError(f"{size_bytes} bytes, expected at most {MANIFEST_BYTES_MAX}")
    return parse_manifest(file.read_bytes())


async def _hashed(manifest: Manifest) -> RewardTree:
    terms = (manifest.epoch, manifest.index, manifest.rewards)
    if len(manifest.rewards) <= _IN_LOOP_LEAVES_MAX:
        return build_tree(*terms)
    return await trio.to_thread.run_sync(build_tree, *terms)


def _contradiction(manifest: Manifest, tree: RewardTree, epoch: Epoch) -> str | None:
    if manifest.root != tree.root:
        return f"it names the root {manifest.root.hex()}, its leaves make {tree.root.hex()}"
    return why_not(tree, epoch)


def _names(root: Root) -> dict[str, object]:
    return {
        "file": str(root.file),
        "epoch": root.manifest.epoch,
        "index": root.manifest.index,
    }
