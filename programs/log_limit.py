"""How much of a transaction's logs counts, whatever a node keeps.

Core. Validators collect 10,000 bytes of a transaction's log messages by default: the first message that would reach the
limit is left out, "Log truncated" takes its place, and shorter ones may still follow it. A node may be told to keep more, or
less. What stands before the first message that was left out is the same on every node that keeps the default or more; what
follows it is a selection that a stranger can choose, and is not read.

Source: agave svm-log-collector/src/lib.rs, LogCollector.
"""

from collections.abc import Sequence
from typing import Final

LOG_BYTES_MAX: Final = 10_000
"""LOG_MESSAGES_BYTES_LIMIT: messages come to less than this, in bytes of UTF-8 without separators."""
CUT: Final = "Log truncated"
"""What a node puts where it left out the first message; it does not count."""


def until_cut(logs: Sequence[str]) -> tuple[Sequence[str], bool]:
    """Return the messages before the first one that is left out, and whether one is."""
    used = 0
    for number, line in enumerate(logs):
        used += byte_count(line)
        if used >= LOG_BYTES_MAX or line == CUT:
            return logs[:number], True
    return logs, False


def byte_count(line: str) -> int:
    """Return what a message counts for."""
    return len(line) if line.isascii() else len(line.encode())
