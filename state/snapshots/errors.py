# ruff: noqa: N818 - an operator meets a state of affairs, not an error class
"""What can be wrong with a snapshot, each with what to do about it."""

from pathlib import Path

from state.errors import StateError


class SnapshotDamaged(StateError):
    """The file is no snapshot, or not all of one."""

    def __init__(self, detail: str, path: Path | None = None) -> None:
        """Say what was found and what was expected; the path is added where it is known."""
        self.detail = detail
        where = "the snapshot" if path is None else str(path)
        super().__init__(
            f"{where} cannot be used ({detail}): take another copy, or write a new snapshot"
        )


class SnapshotForeign(StateError):
    """The file is a sound snapshot of something else."""


class SumsTooLarge(StateError):
    """Amounts that no platform holds: their sum is outside of an unsigned integer of 64 bits."""

    def __init__(self, name: str, total: int) -> None:
        """Name the sum."""
        super().__init__(f"the sum of {name} is {total}, expected at most {2**64 - 1}")
