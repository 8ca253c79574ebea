"""What sandbox chains left that ended with their keeper, databases and manifests: the newest few stay, for a look at what happened.

Shell. The chain of a sandbox that a keeper started dies with that keeper, so nothing in such a database can ever be
settled. Databases of other clusters lie in another folder and are never touched.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

import structlog

SUBFOLDER: Final = "sandbox"
"""Under state.folder: where the keeper keeps what it remembers of sandboxes it started itself."""
_PATTERNS: Final = ("keeper-*.db", "incentives-*.db")
_KEPT: Final = 5
_BESIDE: Final = ("-wal", "-shm", ".lock")
_MANIFESTS: Final = "payouts"
"""Where the incentives put what the keeper pays, each file named after the first digits of its chain's genesis hash."""
_GENESIS_NAMED: Final = 8

log = structlog.get_logger()


def forget_past_chains(folder: Path) -> None:
    """Delete all but the newest few databases in `folder` that no process holds; what cannot be deleted stays."""
    for pattern in _PATTERNS:
        found = sorted(folder.glob(pattern), key=_changed_at_s, reverse=True)
        for path in found[_KEPT:]:
            try:
                _delete_unheld(path)
            except OSError as error:
                log.info("past_chain.kept", path=str(path), reason=str(error))


def _changed_at_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another keeper was faster
        return 0.0


def _delete_unheld(path: Path) -> None:
    """Delete a database, what lies beside it and its chain's manifests, holding its lock meanwhile.

    Raises:
        OSError: a process holds it, or the folder cannot be written.
    """
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        for ending in _BESIDE:
            Path(f"{path}{ending}").unlink(missing_ok=True)
        _, _, genesis_hash = path.stem.partition("-")
        for manifest in path.parent.glob(f"{_MANIFESTS}/{genesis_hash[:_GENESIS_NAMED]}-*.json"):
            manifest.unlink(missing_ok=True)
    finally:
        os.close(lock)
