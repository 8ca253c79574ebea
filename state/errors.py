# ruff: noqa: N818 - an operator meets a state of affairs, not an error class
"""What can be wrong with the state file, each with what to do about it."""

from pathlib import Path


class StateError(Exception):
    """The keeper's state cannot be used."""


class StateLocked(StateError):
    """Another process holds the state."""

    def __init__(self, path: Path, holder: str) -> None:
        """Name the file and, when it says so itself, the process that holds it."""
        super().__init__(
            f"{path} is in use by {holder}: stop that keeper first, "
            "or give this one a state path of its own"
        )
        self.path = path


class StateNewer(StateError):
    """The file was written by a newer release."""

    def __init__(self, path: Path | str, found: int, expected: int) -> None:
        """Name both schema versions: the number of migrations applied, and known."""
        super().__init__(
            f"{path} has schema version {found}, this release knows {expected}: "
            "run the release that wrote it or a newer one, or start with another state path"
        )
        self.found = found
        self.expected = expected


class StateDiskFull(StateError):
    """The disk holding the state is full; nothing was half-written."""

    def __init__(self, path: Path | str) -> None:
        """Name the file."""
        super().__init__(
            f"no space left to write {path}: free space on that disk and start again; "
            "everything committed before this is kept"
        )


class StateReadOnly(StateError):
    """The file or its folder cannot be written."""

    def __init__(self, path: Path | str) -> None:
        """Name the file."""
        super().__init__(
            f"{path} cannot be written: give this user write access to the file and its folder"
        )


class StateCorrupt(StateError):
    """The file is no SQLite database, or a damaged one."""

    def __init__(self, path: Path | str, detail: str) -> None:
        """Quote SQLite's own words."""
        super().__init__(
            f"{path} is not a healthy SQLite database ({detail}): move it aside and restore a "
            "backup; open attempts in it must be settled before new work is sent"
        )


class StateUnopenable(StateError):
    """The path leads nowhere a database can be, or the disk fails."""

    def __init__(self, path: Path | str, detail: str) -> None:
        """Quote the system's own words."""
        super().__init__(f"cannot use {path} as the state database: {detail}")


class LibraryTooOld(StateError):
    """The SQLite library has the WAL-reset bug."""

    def __init__(self, found: str, expected: str) -> None:
        """Name both versions."""
        super().__init__(
            f"the SQLite library is {found}, which can corrupt a database; {expected} or newer is "
            "needed: install the pysqlite3 wheel of requirements.lock"
        )
        self.found = found
        self.expected = expected


class AlreadyOpen(StateError):
    """A job already has an attempt whose end is unknown: a second one could act twice."""

    def __init__(self, detail: str) -> None:
        """Name the jobs, or quote the constraint."""
        super().__init__(f"refused to open a second attempt: {detail}")


class HistoryConflict(StateError):
    """A write contradicts what the history already says."""
