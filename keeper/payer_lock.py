"""One keeper for each payer of a cluster on this machine: a lock that the kernel drops with the process, even with kill -9.

The database has a lock of its own; this one stops two keepers with different state folders, who would each bid for the
same work with the same money. It lies where every process of the user looks, named after the genesis hash and the payer.
Across machines only the chain can tell: keeper/other_signers.py.
"""

import fcntl
import os
import stat
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from solders.pubkey import Pubkey

from keeper.errors import PayerTakenError, RuntimeFolderError


@contextmanager
def hold_payers(genesis_hash: str, payers: Sequence[Pubkey]) -> Generator[None]:
    """Keep every other keeper of this user from these payers until the block ends.

    Raises:
        PayerTakenError: another process holds one of them.
        RuntimeFolderError: there is no folder to lock in.
    """
    folder = runtime_folder()
    with ExitStack() as held:
        # In one order for everybody; two keepers that each hold what the other wants would both give up.
        for payer in sorted(set(payers), key=bytes):
            held.enter_context(_hold(folder / f"{genesis_hash[:12]}-{payer}.lock", payer))
        yield


def runtime_folder() -> Path:
    """Return this user's folder for locks, made if need be (0700).

    $XDG_RUNTIME_DIR would differ between a login and a service, so it is not asked: two keepers must meet. /run/user is
    cleared with the last login, but never while a lock in it is held; below /tmp the folder's owner is checked, for
    anyone can make one there first.

    Raises:
        RuntimeFolderError: it cannot be made, or belongs to somebody else.
    """
    uid = os.geteuid()
    session = Path(f"/run/user/{uid}")
    parent = session if os.access(session, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    folder = parent / f"betting-keeper-{uid}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise RuntimeFolderError(
            f"{folder} cannot be made ({error.strerror}): keepers that share a payer find each other there; "
            f"make {parent} writable"
        ) from error
    if found.st_uid != uid or not stat.S_ISDIR(found.st_mode):
        raise RuntimeFolderError(
            f"{folder} is not a folder of user {uid} (owner {found.st_uid}): remove it, or find out who made it"
        )
    return folder


@contextmanager
def _hold(path: Path, payer: Pubkey) -> Generator[None]:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise RuntimeFolderError(f"the lock {path} cannot be opened ({error.strerror})") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            raise PayerTakenError(
                f"{f'process {pid}' if pid else 'another process'} keeps with the payer {payer} on this cluster already: "
                "stop it first, give this keeper keys of its own (keys.keeper, lanes.X.key), or watch with --shadow"
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


@contextmanager
def no_lock(_genesis_hash: str, _payers: Sequence[Pubkey]) -> Generator[None]:
    """Hold nothing: who sends nothing, or shares its process with other keepers."""
    yield
