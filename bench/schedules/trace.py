"""What happened, one line after the other, as one hash: the same seed gives the same one, bit for bit.

Core.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any


@dataclass(slots=True)
class Trace:
    """Takes every event of a world."""

    lines: list[str] | None = None
    """Kept too, when somebody wants to read them."""
    count: int = 0
    _hash: Any = field(default_factory=sha256)

    def note(self, *words: object) -> None:
        """Add an event."""
        line = " ".join(map(str, words))
        self._hash.update(line.encode() + b"\n")
        self.count += 1
        if self.lines is not None:
            self.lines.append(line)

    def digest(self) -> str:
        """Return the hash of everything so far."""
        return str(self._hash.hexdigest())[:16]
