"""Manifests as files: listed, read by their heads, read whole, hashed; what takes long in a thread of its own.

Shell.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import trio

from keeper.manifest import (
    HEAD_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    Manifest,
    ManifestError,
    ManifestHead,
    parse_manifest,
    peek,
)
from programs.merkle import RewardTree, build_tree

_IN_LOOP_LEAVES_MAX: Final = 1_000
_IN_LOOP_BYTES_MAX: Final = 100 * _IN_LOOP_LEAVES_MAX
"""A larger tree is read and hashed in a thread: 65_536 leaves take half a second, in which no other lane would move."""


def list_manifests(folder: Path) -> list[tuple[Path, tuple[int, int]]]:
    """List manifests with modification time in ns and size in bytes; a folder that is not there has none.

    What is no regular file is left out: a pipe would never end, and a link to nowhere, or to itself, must not hide the others.

    Raises:
        OSError: the folder cannot be listed.
    """
    found: list[tuple[Path, tuple[int, int]]] = []
    for file in sorted(folder.glob("*.json")):
        with suppress(OSError):
            status = file.stat()
            if stat.S_ISREG(status.st_mode):
                found.append((file, (status.st_mtime_ns, status.st_size)))
    return found


async def read_head(file: Path, size_bytes: int) -> ManifestHead:
    """Read what a manifest says before its leaves; all of it where these come first.

    Raises:
        ManifestError: it is none.
        OSError: the disk did not give it.
    """
    with _opened(file) as opened:
        head = peek(opened.read(HEAD_BYTES_MAX))
    return head or (await read_manifest(file, size_bytes)).head


async def read_manifest(file: Path, size_bytes: int) -> Manifest:
    """Read a manifest with its leaves.

    Args:
        file: where it is.
        size_bytes: as listed.

    Raises:
        ManifestError: it is none, or too large to be one.
        OSError: the disk did not give it.
    """
    if size_bytes <= _IN_LOOP_BYTES_MAX:
        return _parse(file, size_bytes)
    return await trio.to_thread.run_sync(_parse, file, size_bytes)


async def hash_tree(manifest: Manifest) -> RewardTree:
    """Hash a manifest's leaves into its tree."""
    terms = (manifest.epoch, manifest.index, manifest.rewards)
    if len(manifest.rewards) <= _IN_LOOP_LEAVES_MAX:
        return build_tree(*terms)
    return await trio.to_thread.run_sync(build_tree, *terms)


def _parse(file: Path, size_bytes: int) -> Manifest:
    if size_bytes > MANIFEST_BYTES_MAX:
        raise ManifestError(f"{size_bytes} bytes, expected at most {MANIFEST_BYTES_MAX}")
    with _opened(file) as opened:
        return parse_manifest(opened.read(MANIFEST_BYTES_MAX + 1))


def _opened(file: Path) -> BinaryIO:
    """Open a manifest that lies in its folder, as itself or by a link within.

    A link that leads elsewhere would have the keeper read, and tell of, files that whoever put it there may not read himself.
    """
    try:
        real = file.resolve(strict=True)
    except RuntimeError as error:  # a link to itself
        raise ManifestError(f"{error}") from error
    if not real.is_relative_to(file.parent.resolve()):
        raise ManifestError("a link that leads out of its folder, expected a file in it")
    handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ManifestError("no regular file")
    return os.fdopen(handle, "rb")
