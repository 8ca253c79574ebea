"""A file as it is being written, under a name of its own beside the one that it will have.

Shell.
"""

import os
from pathlib import Path


def create_draft(path: Path, mode: int = 0o600) -> int:
    """Create a file that is ours alone, and return its descriptor, for writing.

    The name of a draft can be foreseen. What lies there, a draft that was left behind or a link that somebody put there, is taken
    away first; a link that comes back in between is refused, never followed.

    Args:
        path: of the draft.
        mode: of the file, less the umask.

    Raises:
        OSError: the disk refuses, or somebody makes one at the same time.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
