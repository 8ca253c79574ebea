"""The figures that every stress run prints, and how they are counted.

Core. Latencies that the chain can tell are counted from its own records: of a user from handing in to landing, in slots and in
milliseconds; of the keeper from the slot in which it signed. From when work fell due, which only the keeper knows, is its own word.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from keeper.stress.evidence import Evidence
from keeper.stress.model import Curve, Measure, Phase

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


def lanes(evidence: Evidence) -> list[str]:
    """Return the lanes whose work landed, as the keeper reports them."""
    return sorted(evidence.report.get("latency_slots", {}).get("by_lane", {}))


def keeper_latency(evidence: Evidence, lane: str, percent: float) -> float | None:
    """Return the keeper's own word of how many slots a lane's work took from due to landed; None when it did nothing."""
    told = evidence.report.get("latency_slots", {}).get("by_lane", {}).get(lane, {})
    found: float | None = told.get(f"due_to_landed_p{percent:g}".replace(".", "_"))
    return found


def bad_debt(evidence: Evidence) -> int:
    """Return what the vault lost to bad debt in the run, base units."""
    return evidence.vault_after.bad_debt - evidence.vault_before.bad_debt


def fastest_second(evidence: Evidence) -> float | None:
    """Return how many users' transactions landed well in the fullest second of the run."""
    users = {send.signature for send in evidence.sends}
    seconds = Counter(
        int(each.at_s)
        for each in evidence.landings
        if each.is_ok and each.at_s is not None and each.signature in users
    )
    return float(max(seconds.values())) if seconds else None


def user_latencies(
    evidence: Evidence, cu_price_least: int = 0, during: Phase | None = None
) -> list[float]:
    """Return slots from handing in to landing, of users' transactions that landed.

    Args:
        evidence: of the run.
        cu_price_least: only of those that bid so much or more, micro-lamports.
        during: only of those that were handed in during an act.
    """
    landed = {each.signature: each.slot for each in evidence.landings}
    return [
        float(landed[send.signature] - send.sent_slot)
        for send in evidence.sends
        if send.signature in landed
        and send.cu_price_micro_lamports >= cu_price_least
        and (during is None or during.starts_s <= send.sent_s < during.ends_s)
    ]


def user_times_ms(evidence: Evidence) -> list[tuple[float, float]]:
    """Return (seconds of the run, milliseconds from the wish to hand in to being seen in a block) of users' landed transactions.

    The wish: before anything waited for a place on a socket, so that a queue of the users' own counts as well.
    """
    landed = {each.signature: each.at_s for each in evidence.landings}
    found = ((send.sent_s, landed.get(send.signature)) for send in evidence.sends)
    return [(sent_s, 1_000 * (at_s - sent_s)) for sent_s, at_s in found if at_s is not None]


def signed_to_landed(evidence: Evidence, lane: str) -> list[float]:
    """Return slots from the signing of the keeper's transactions of a lane to the block that has them."""
    landed = {each.signature: each.slot for each in evidence.ours}
    return [
        float(landed[row.signature] - row.created_slot)
        for row in evidence.attempts
        if row.lane == lane and row.signature in landed
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


def cu_share(evidence: Evidence) -> float | None:
    """Return how much of the compute units that the keeper asked for it used, per cent."""
    used = [row for row in evidence.attempts if row.cu_used is not None]
    asked = sum(row.cu_limit for row in used)
    return 100 * sum(row.cu_used or 0 for row in used) / asked if asked else None


def _usual(evidence: Evidence) -> Iterator[Measure]:
    yield Measure(name="platform transactions landed", unit="1/s", value=platform_tps(evidence))
    if evidence.sends:
        yield Measure(name="users' transactions", unit="", value=len(evidence.sends))
        yield Measure(
            name="users' transactions that landed well", unit="%", value=user_success(evidence)
        )
        slots = user_latencies(evidence)
        times_ms = [ms for _, ms in user_times_ms(evidence)]
        for values, unit in ((slots, "slots"), (times_ms, "ms")):
            yield from _ranks("users, handed in to landed", values, unit)
    yield Measure(
        name="keeper's transactions that landed well", unit="%", value=keeper_success(evidence)
    )
    for lane in lanes(evidence):
        for percent in QUANTILES:
            yield Measure(
                name=f"{lane}, due to landed p{percent:g}",
                unit="slots",
                value=keeper_latency(evidence, lane, percent),
            )
        yield from _ranks(f"{lane}, signed to landed", signed_to_landed(evidence, lane), "slots")
    used = [row for row in evidence.attempts if row.cu_used is not None]
    yield Measure(
        name="compute units asked for", unit="CU", value=sum(row.cu_limit for row in used)
    )
    yield Measure(name="compute units used", unit="CU", value=sum(row.cu_used or 0 for row in used))
    yield Measure(name="compute units used, of those asked for", unit="%", value=cu_share(evidence))
    yield Measure(
        name="keeper's fees",
        unit="lamports",
        value=sum(row.fee_lamports or 0 for row in evidence.attempts),
    )
    yield Measure(name="bad debt", unit="base units", value=bad_debt(evidence))


def _ranks(what: str, values: Sequence[float], unit: str) -> Iterator[Measure]:
    for percent in QUANTILES:
        yield Measure(name=f"{what} p{percent:g}", unit=unit, value=rank(values, percent))


def usual_curves(evidence: Evidence) -> tuple[Curve, ...]:
    """Return what every run draws: what lands, what of it is the keeper's, and how long its users wait."""
    keeper = Curve(
        name="of them the keeper's",
        unit="1/s",
        points=_by_slot(evidence, [each.slot for each in evidence.ours if each.is_ok]),
    )
    waits: tuple[Curve, ...] = ()
    if evidence.sends:
        worst: dict[int, float] = {}
        for sent_s, ms in user_times_ms(evidence):
            worst[int(sent_s)] = max(worst.get(int(sent_s), 0.0), ms)
        waits = (
            Curve(
                name="users, handed in to landed, the slowest of each second",
                unit="ms",
                points=tuple((float(at_s), ms) for at_s, ms in sorted(worst.items())),
            ),
        )
    return landed_curve(evidence), keeper, *waits


def sum_curve(evidence: Evidence, name: str, changes: Mapping[int, int]) -> Curve:
    """Return a running sum, slot by slot.

    Args:
        evidence: of the run.
        name: of what is summed.
        changes: by slot.
    """
    total, points = 0, []
    for slot, at_s in sorted(evidence.slot_times.items()):
        total += changes.get(slot, 0)
        points.append((at_s, float(total)))
    return Curve(name=name, unit="", points=tuple(points))


def landed_curve(evidence: Evidence) -> Curve:
    """Return the platform's landed transactions a second, slot by slot."""
    return Curve(
        name="platform transactions landed",
        unit="1/s",
        points=_by_slot(
            evidence, [each.slot for each in evidence.landings if each.is_ours and each.is_ok]
        ),
    )


def _by_slot(evidence: Evidence, landed: Sequence[int]) -> tuple[tuple[float, float], ...]:
    counts = Counter(landed)
    return tuple(
        (at_s, counts.get(slot, 0) / evidence.slot_s)
        for slot, at_s in sorted(evidence.slot_times.items())
    )
