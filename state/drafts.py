"""Files that are written beside their place and moved there whole.

Shell. The folder may be one in which others can write too: a draft is always a file made anew, so that no link somebody has put
under its name is followed, and nobody else reads it before it is whole.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
FOR_EVERYBODY: Final = 0o644


def open_draft(draft: Path) -> int:
    """Make a draft, in place of what an earlier process or somebody else has left there; return its descriptor.

    Raises:
        OSError: it cannot be made, or somebody put something there meanwhile.
    """
    draft.unlink(missing_ok=True)
    return os.open(
        draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )


def put_whole(file: Path, draft: Path, lines: Iterable[str], *, mode: int = PRIVATE) -> None:
    """Write a text and move it into its place, on the disk by then; what was there before is replaced.

    Args:
        file: its place.
        draft: in the same folder, under a name that nobody takes for the file's.
        lines: with their ends.
        mode: whose to read once it is whole.

    Raises:
        OSError: it cannot be written.
    """
    with os.fdopen(open_draft(draft), "w", encoding="utf-8") as out:
        out.writelines(lines)
        out.flush()
        os.fchmod(out.fileno(), mode)
        os.fsync(out.fileno())
    draft.replace(file)
