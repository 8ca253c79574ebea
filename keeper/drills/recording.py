"""The keeper's own recording and log, read: what it heard, what it believed, what an operator would have seen.

Core. A line that cannot be read is left out: a keeper killed with -9 leaves half of one.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from keeper.drills.model import Belief, Heard, Notice

_NOT_WORDS: Final = frozenset({"event", "level", "timestamp"})


def read_recording(
    lines: Iterable[str], *, market_of: Mapping[str, str], started_ms: int
) -> tuple[list[Heard], list[Belief]]:
    """Read the lines of `keeper run --record`.

    Args:
        lines: of the file.
        market_of: address of the market that each token prices.
        started_ms: the drill's start, Unix milliseconds.
    """
    heard: list[Heard] = []
    beliefs: list[Belief] = []
    for line in lines:
        entry = _object(line)
        market = market_of.get(str(entry.get("token_id")))
        if market is None:
            continue
        at_s = (entry["at_ms"] - started_ms) / 1_000
        if entry["kind"] == "heard":
            heard.append(
                Heard(
                    at_s=at_s,
                    market=market,
                    source=entry["source"],
                    price_e6=entry["price_e6"],
                    half_spread_e6=entry["half_spread_e6"],
                    reason=entry["reason"],
                )
            )
        elif entry["kind"] == "judged":
            beliefs.append(
                Belief(
                    at_s=at_s,
                    market=market,
                    price_e6=entry["price_e6"],
                    band_e6=entry["band_e6"],
                    price_class=entry["price_class"],
                    source=entry["source"],
                    reason=entry["reason"],
                )
            )
    return heard, beliefs


def notice_of(line: str, at_s: float) -> Notice | None:
    """Read a line of the keeper's log; what is no JSON (a traceback) is an error that an operator sees as it is."""
    entry = _object(line)
    if not entry:
        return Notice(at_s=at_s, level="error", event="said", text=line) if line.strip() else None
    words = (f"{key}={value}" for key, value in entry.items() if key not in _NOT_WORDS)
    return Notice(
        at_s=at_s,
        level=str(entry.get("level", "error")),
        event=str(entry.get("event", "")),
        text=" ".join(words),
    )


def _object(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
