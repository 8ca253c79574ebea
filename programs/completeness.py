"""Is a list of accounts all of them? What can be told from how many there were before.

Core. A provider that cuts a long reply, pages it without a word, or has lost part of its index answers in perfect form.
A list that has shrunk by more than a quarter is therefore believed only when it is said again: once by another endpoint, or
three times in a row where there is none.
"""

from dataclasses import dataclass, replace
from typing import Final

_KEPT_BPS: Final = 7_500
_FEWEST: Final = 20
"""Below it, a few closed positions are a quarter."""
_REPEATS: Final = 3
"""Replies in a row by which one endpoint alone convinces."""
_BPS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """How many accounts one question brought."""

    believed: int = 0
    """In the last reply that was believed."""
    doubted: int | None = None
    """In the last reply, when it was not."""
    by: int | None = None
    """Which endpoint gave that reply."""
    repeats: int = 0
    """How often it did, in a row."""

    def take(self, count: int, endpoint: int) -> tuple["Census", str | None]:
        """Take in a reply; the second part says why it is not believed, None when it is."""
        if not _is_fall(self.believed, count):
            return Census(believed=count), None
        is_same = self.doubted is not None and not _is_fall(self.doubted, count)
        if is_same and (endpoint != self.by or self.repeats + 1 >= _REPEATS):
            return Census(believed=count), None
        repeats = self.repeats + 1 if is_same and endpoint == self.by else 1
        doubting = replace(self, doubted=count, by=endpoint, repeats=repeats)
        return doubting, f"{count} accounts where there were {self.believed}"


def _is_fall(before: int, count: int) -> bool:
    return before >= _FEWEST and count * _BPS < before * _KEPT_BPS
