"""A shadow's file -> how its decisions compare with what landed.

Core. A job and a landing match by instruction and target; of several landings the one that counts is the nearest in time.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

_NEAR_SLOTS: Final = 150
"""Landings farther away met another need."""
_MISSED_LISTED: Final = 20


class MalformedShadowError(ValueError):
    """A line is none of a shadow's."""


@dataclass(slots=True)
class LaneComparison:
    """What one lane would have done, beside what was done."""

    transactions: int = 0
    jobs: int = 0
    """Targets in the shadow's transactions, each decision once."""
    fees_lamports: int = 0
    simulated_badly: int = 0
    met_by_our_key: int = 0
    """Jobs that the keeper at work landed."""
    met_by_others: int = 0
    unmet: int = 0
    """Jobs that nobody landed nearby: this release sees work that the other does not, or sees it wrongly."""
    slots_later_p50: int | None = None
    """From the shadow's decision to the landing; negative: the chain was first."""
    slots_later_p99: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The whole file."""

    lanes: Mapping[str, LaneComparison]
    missed: tuple[str, ...]
    """Signatures of our key whose instruction no decision of the shadow explains, the first of them."""
    missed_count: int
    lines_unread: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "lanes": {name: asdict(lane) for name, lane in sorted(self.lanes.items())},
            "missed": {"transactions": self.missed_count, "signatures": list(self.missed)},
            "lines_unread": self.lines_unread,
        }


def compare(lines: Iterable[str]) -> Comparison:
    """Match what would have been sent with what landed.

    Raises:
        MalformedShadowError: the file is of another kind; a last line cut short is only counted.
    """
    decisions, landings, unread = _read(lines)
    by_target: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for landing in landings.values():
        if not landing["is_error"]:
            for address in landing["accounts"]:
                by_target[landing["tag"], address].append(landing)
    lanes: dict[str, LaneComparison] = defaultdict(LaneComparison)
    later: dict[str, list[int]] = defaultdict(list)
    explained: set[str] = set()
    for decision in decisions:
        lane = lanes[decision["lane"]]
        lane.transactions += 1
        lane.fees_lamports += decision["fee_lamports"]
        lane.simulated_badly += decision["simulation"] not in {"well", "unanswered"}
        for job in decision["jobs"]:
            lane.jobs += 1
            near = [
                each
                for each in by_target.get((decision["tag"], job["target"]), ())
                if abs(each["slot"] - decision["slot"]) <= _NEAR_SLOTS
            ]
            explained.update(each["signature"] for each in near)
            if not near:
                lane.unmet += 1
                continue
            met = min(near, key=lambda each: abs(each["slot"] - decision["slot"]))
            later[decision["lane"]].append(met["slot"] - decision["slot"])
            lane.met_by_our_key += met["is_our_key"]
            lane.met_by_others += not met["is_our_key"]
    for name, slots in later.items():
        lanes[name].slots_later_p50 = _percentile(sorted(slots), 50)
        lanes[name].slots_later_p99 = _percentile(sorted(slots), 99)
    # What lanes nobody shadows do, deployments for one, is not missed.
    tags = {decision["tag"] for decision in decisions}
    missed = [
        each["signature"]
        for each in landings.values()
        if each["is_our_key"] and each["tag"] in tags and each["signature"] not in explained
    ]
    missed = list(dict.fromkeys(missed))
    return Comparison(
        lanes=dict(lanes),
        missed=tuple(missed[:_MISSED_LISTED]),
        missed_count=len(missed),
        lines_unread=unread,
    )


def _read(
    lines: Iterable[str],
) -> tuple[list[dict[str, Any]], dict[tuple[str, int], dict[str, Any]], int]:
    decisions: list[dict[str, Any]] = []
    landings: dict[tuple[str, int], dict[str, Any]] = {}
    unread = 0
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
            kind = found["kind"]
            if kind == "would_send":
                decisions.append(found)
            elif kind == "landed":
                # Found in two histories it is one landing, and ours if our key's history has it.
                key = (found["signature"], found["tag"])
                known = landings.get(key)
                found["is_our_key"] |= known is not None and known["is_our_key"]
                landings[key] = found
        except (ValueError, TypeError, KeyError, RecursionError):
            unread += 1
            if number == 1:
                raise MalformedShadowError(
                    f"line 1 is {line[:60]!r}, expected what `keeper run --shadow FILE` writes"
                ) from None
    return decisions, landings, unread


def _percentile(ordered: list[int], percent: int) -> int:
    return ordered[max(1, -(-percent * len(ordered) // 100)) - 1]
