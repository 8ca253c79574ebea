"""Chance that is the same in every run: each question has a key, and the seed and the key decide.

Drawing from one stream would make every answer depend on the order of all questions before it, and on sockets that order
is the machine's.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

ALWAYS_BPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Dice:
    """Answers questions by chance."""

    seed: int

    def roll(self, sides: int, *key: object) -> int:
        """One of 0 to `sides` - 1, all as likely."""
        text = "/".join([str(self.seed), *map(str, key)])
        digest = blake2b(text.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") % sides

    def happens(self, chance_bps: int, *key: object) -> bool:
        """Whether something of this chance happens; 0 never does, 10_000 always."""
        return self.roll(ALWAYS_BPS, *key) < chance_bps
