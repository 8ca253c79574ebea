"""What a guard is here: a few characters of the source, what the code is without them, and the drills that miss them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One guard, and how it is removed."""

    name: str
    """A few words: what is not noticed any more."""
    file: str
    """Path from the root of the project."""
    found: str
    """Text that occurs in the file exactly once."""
    replacement: str
    """What stands there without the guard; it must still run."""
    drills: tuple[str, ...]
    """Those expected to notice, the likeliest first: one failing is enough."""

    def remove(self, root: Path) -> None:
        """Take the guard out of a copy of the project.

        Raises:
            LookupError: the text is not there, or there more than once: the table is behind the source.

        """
        path = root / self.file
        text = path.read_text()
        count = text.count(self.found)
        if count != 1:
            raise LookupError(
                f"{self.name}: its text occurs {count} times in {self.file}, expected once; "
                "bring the table of guards up to date"
            )
        path.write_text(text.replace(self.found, self.replacement))
