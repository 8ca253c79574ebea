"""The figures that every stress run prints, and how they are counted.

Core. Latencies are counted in slots from the chain's own records: that of a user from the slot in which the bytes were handed in,
that of the keeper from the slot in which work fell due (its own report, in milliseconds, beside it).
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from keeper.stress.evidence import Evidence
from keeper.stress.model import Curve, Measure

QUANTILES: Final = (50.0, 99.0, 99.9)


def usual(evidence: Evidence) -> tuple[Measure, ...]:
    """Return what every run prints."""
    return tuple(_usual(evidence))


def rank(values: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(percent * len(values) / 100), 1) - 1]


def platform_tps(evidence: Evidence) -> float | None:
    """Return the platform's transactions a second that landed well, from the first slot with one to the last."""
    slots = [each.slot for each in evidence.landings if each.is_ours and each.is_ok]
    if not slots:
        return None
    length_s = (max(slots) - min(slots) + 1) * evidence.slot_s
    return len(slots) / length_s


def tps_between(evidence: Evidence, starts_s: float, ends_s: float) -> float:
    """Return users' transactions a second that landed well in slots that began within a time of the run."""
    times = evidence.slot_times
    users = {send.signature for send in evidence.sends}
    count = sum(
        each.is_ok and each.signature in users and starts_s <= times.get(each.slot, -1.0) < ends_s
        for each in evidence.landings
    )
    return count / (ends_s - starts_s)


def keeper_latency(evidence: Evidence, lane: str, percent: float) -> float | None:
    """Return the keeper's own word of how many slots a lane's work took from due to landed; None when it did nothing."""
    told = evidence.report.get("latency_slots", {}).get("by_lane", {}).get(lane, {})
    found: float | None = told.get(f"due_to_landed_p{percent:g}".replace(".", "_"))
    return found


def bad_debt(evidence: Evidence) -> int:
    """Return what the vault lost to bad debt in the run, base units."""
    return evidence.vault_after.bad_debt - evidence.vault_before.bad_debt


def user_latencies(evidence: Evidence, cu_price_least: int = 0) -> list[float]:
    """Return slots from handing in to landing, of users' transactions that landed and bid so much or more."""
    landed = {each.signature: each.slot for each in evidence.landings}
    return [
        float(landed[send.signature] - send.sent_slot)
        for send in evidence.sends
        if send.signature in landed and send.cu_price_micro_lamports >= cu_price_least
    ]


def user_success(evidence: Evidence) -> float | None:
    """Return the share of users' transactions that landed well, per cent."""
    if not evidence.sends:
        return None
    well = {each.signature for each in evidence.landings if each.is_ok}
    return 100 * sum(send.signature in well for send in evidence.sends) / len(evidence.sends)


def keeper_success(evidence: Evidence) -> float | None:
    """Return the share of the keeper's transactions that landed well, of all that ended, per cent."""
    ends = Counter(row.state for row in evidence.attempts)
    ended = sum(ends.values()) - ends["open"]
    return 100 * ends["landed"] / ended if ended else None


def _usual(evidence: Evidence) -> Iterator[Measure]:
    yield Measure(name="platform transactions landed", unit="1/s", value=platform_tps(evidence))
    if evidence.sends:
        yield Measure(name="users' transactions", unit="", value=len(evidence.sends))
        yield Measure(
            name="users' transactions that landed well", unit="%", value=user_success(evidence)
        )
        latencies = user_latencies(evidence)
        for percent in QUANTILES:
            yield Measure(
                name=f"users, handed in to landed p{percent:g}",
                unit="slots",
                value=rank(latencies, percent),
            )
    yield Measure(
        name="keeper's transactions that landed well", unit="%", value=keeper_success(evidence)
    )
    lanes = evidence.report.get("latency_slots", {}).get("by_lane", {})
    for lane in sorted(lanes):
        for percent in QUANTILES:
            yield Measure(
                name=f"{lane}, due to landed p{percent:g}",
                unit="slots",
                value=keeper_latency(evidence, lane, percent),
            )
    used = [row for row in evidence.attempts if row.cu_used is not None]
    yield Measure(
        name="compute units asked for", unit="CU", value=sum(row.cu_limit for row in used)
    )
    yield Measure(name="compute units used", unit="CU", value=sum(row.cu_used or 0 for row in used))
    yield Measure(
        name="keeper's fees",
        unit="lamports",
        value=sum(row.fee_lamports or 0 for row in evidence.attempts),
    )
    yield Measure(name="bad debt", unit="base units", value=bad_debt(evidence))


def landed_curve(evidence: Evidence) -> Curve:
    """Return the platform's landed transactions a second, slot by slot."""
    times = evidence.slot_times
    counts = Counter(each.slot for each in evidence.landings if each.is_ours and each.is_ok)
    return Curve(
        name="platform transactions landed",
        unit="1/s",
        points=tuple(
            (at_s, counts.get(slot, 0) / evidence.slot_s) for slot, at_s in sorted(times.items())
        ),
    )
