"""Where snapshots lie: beside the databases, named after the cluster they are of.

Shell.
"""

from pathlib import Path
from typing import Final

from solders.hash import Hash

from state.errors import StateError
from state.snapshots.file import load_header

_SUFFIX: Final = ".snapshot"
_HASH_CHARS: Final = 12


def default_path(folder: Path, genesis_hash: bytes) -> Path:
    """Return where a cluster's whole snapshot is."""
    return folder / f"accounts-{_short(genesis_hash)}{_SUFFIX}"


def changes_path(base: Path, slot: int) -> Path:
    """Return where changes of a snapshot go, beside it."""
    stem = base.name.removesuffix(_SUFFIX).partition("@")[0]
    return base.with_name(f"{stem}@{slot}{_SUFFIX}")


def newest(folder: Path, genesis_hash: bytes) -> tuple[Path | None, dict[Path, str]]:
    """Return the snapshot of the latest slot of a cluster, whole or of changes, and why others cannot be read."""
    found, refused = [], {}
    for path in folder.glob(f"accounts-{_short(genesis_hash)}*{_SUFFIX}"):
        try:
            found.append((load_header(path).slot, path))
        except StateError as error:
            refused[path] = str(error)
    return max(found)[1] if found else None, refused


def _short(genesis_hash: bytes) -> str:
    return str(Hash.from_bytes(genesis_hash))[:_HASH_CHARS]
