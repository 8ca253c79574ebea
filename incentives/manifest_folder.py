"""The folder in which the keeper finds manifests: each file is moved there whole, and never changes.

Shell. Writing again what is there already does nothing, so after a crash it is simply done again. A file that says something
else is refused: its root may stand on chain.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from incentives.manifests import ManifestFile
from state.drafts import put_whole


class ManifestConflictError(Exception):
    """A manifest in the folder differs from what the ledger says, or the folder cannot be written."""


def write_manifests(folder: Path, manifests: Iterable[ManifestFile]) -> int:
    """Put manifests where they are missing, the folder too.

    Returns:
        How many were missing.

    Raises:
        ManifestConflictError: one is there with other content, or the folder cannot be written.
    """
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for manifest in manifests:
            written += _write(folder / manifest.name, manifest.text)
        if written:
            _sync(folder)
    except OSError as error:
        raise ManifestConflictError(
            f"manifests cannot be written to {folder} ({error}): nobody is paid until they can"
        ) from error
    return written


def _write(file: Path, text: str) -> bool:
    with suppress(FileNotFoundError):
        if file.read_text() == text:
            return False
        raise ManifestConflictError(
            f"{file} differs from what the ledger says now, and its root may stand on chain: find out why "
            "(`incentives verify`, `incentives recompute --diff`) before it is moved away"
        )
    # The name tells the keeper, which reads *.json, to leave a draft alone.
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    put_whole(file, draft, [text])
    return True


def _sync(folder: Path) -> None:
    """Have the names survive a power cut too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
