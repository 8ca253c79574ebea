"""One process per database: a lock file beside it, which names its holder."""

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from state.errors import StateDiskFull, StateError, StateLocked, StateReadOnly, StateUnopenable


@contextmanager
def exclusive_lock(path: Path) -> Generator[None]:
    """Hold the lock file beside the database at `path`; the kernel drops it with the process.

    Raises:
        StateLocked: another process holds it; says which.
        StateError: the folder or the file cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(
            path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except PermissionError as error:
        raise StateReadOnly(path) from error
    except OSError as error:
        raise from_os_error(path, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            raise StateLocked(path, f"process {pid}" if pid else "another process") from error
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise from_os_error(path, error) from error
        yield
    finally:
        os.close(lock)


def from_os_error(path: Path, error: OSError) -> StateError:
    """Say what a file system's refusal means for the operator."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StateDiskFull(path)
    if error.errno == errno.EROFS:
        return StateReadOnly(path)
    return StateUnopenable(path, error.strerror or str(error))
