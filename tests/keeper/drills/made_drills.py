"""Drills that never ran, for pages to be drawn of: an outage outlasted, a spike believed, hours of flapping."""

import math

from keeper.drills.model import (
    Action,
    ActionKind,
    Belief,
    DrillResult,
    Heard,
    Notice,
    Phase,
    PhaseName,
    Truth,
    Verdict,
)

MARKET = "7Yk3qVtZ1cJmFv9oWb2hXnRsD8LpQeUgA5TzKxNiBwHr"
OTHER = "3FhTq8mZwYvJc2rLpXs6NbKdGuE9aQiVtR4oWnMxUyCz"


def phases(during_s, after_s, ends_s, *faults):
    return (
        Phase(name=PhaseName.BEFORE, starts_s=0.0, ends_s=during_s),
        Phase(name=PhaseName.DURING, starts_s=during_s, ends_s=after_s, faults=faults),
        Phase(name=PhaseName.AFTER, starts_s=after_s, ends_s=ends_s),
    )


def heard(at_s, source, price_e6, half=5_000, reason="ok", market=MARKET):
    return Heard(
        at_s=at_s,
        market=market,
        source=source,
        price_e6=price_e6,
        half_spread_e6=half,
        reason=reason,
    )


def belief(
    at_s, price_e6, price_class="valid", source="stream", reason="ok", band=5_000, market=MARKET
):
    return Belief(
        at_s=at_s,
        market=market,
        price_e6=price_e6,
        band_e6=band,
        price_class=price_class,
        source=source,
        reason=reason,
    )


def action(at_s, price_e6, kind=ActionKind.POST, bad=None, market=MARKET, price_class="valid"):
    return Action(
        at_s=at_s,
        slot=int(at_s * 20),
        kind=kind,
        market=market,
        price_e6=price_e6,
        band_e6=5_000,
        price_class=price_class,
        signature=f"{int(at_s * 1_000):08d}" + "5xKq" * 20,
        bad=bad,
    )


def result(name="total-outage", **replaced):
    settings = {
        "name": name,
        "title": "Every endpoint of the venue is gone.",
        "is_virtual": False,
        "slot_ms": 50,
        "phases": (),
        "verdicts": (),
        "detected_ms": 320,
        "recovered_ms": 1_460,
        "actions_landed": 0,
        "actions_refused": 0,
        "truths": (),
        "heard": (),
        "beliefs": (),
        "actions": (),
        "notices": (),
        "took_s": 21.3,
    } | replaced
    return DrillResult(**settings)


def truth_at(at_s):
    return 620_000 + round(22_000 * math.sin(at_s / 3.1) + 9_000 * math.sin(at_s * 1.7))


def total_outage():
    """The stream goes, then everything; the last good price ages; all comes back."""
    times = [step * 0.5 for step in range(49)]
    truths, said, beliefs, actions = [], [], [], []
    for at_s in times:
        price = truth_at(at_s) // 1_000 * 1_000
        truths.append(Truth(at_s=at_s, market=MARKET, price_e6=price))
        if at_s < 6 or at_s >= 18:
            said += [heard(at_s + 0.02, "stream", price), heard(at_s + 0.25, "clob", price)]
        if at_s in {0, 2, 4, 18, 20, 22}:
            said.append(
                heard(at_s + 0.4, "gamma", truth_at(max(at_s - 1, 0)) // 10_000 * 10_000, 10_000)
            )
        if at_s < 6:
            beliefs.append(belief(at_s + 0.05, price))
            actions.append(action(at_s + 0.15, price))
        if at_s >= 19.5:
            beliefs.append(belief(at_s + 0.05, price))
            actions.append(action(at_s + 0.15, price))
    last = beliefs[11]
    beliefs += [
        belief(6.3, last.price_e6, "degraded", "last_good", "fallback"),
        belief(13.5, last.price_e6, "stale", "last_good", "too_old"),
        belief(16.0, last.price_e6, "halted", "last_good", "sources_failing"),
        belief(18.5, truth_at(18.5), "degraded", "gamma", "fallback", band=22_000),
    ]
    actions += [
        action(6.6, last.price_e6, price_class="degraded"),
        action(21.3, 630_000, ActionKind.LIQUIDATE),
        action(21.4, 630_000, ActionKind.LIQUIDATE),
        action(22.0, 622_000, ActionKind.LIQUIDATE),
    ]
    return result(
        phases=phases(6.0, 18.0, 24.5, "every connection refused", "the websocket is cut"),
        truths=tuple(truths),
        heard=tuple(said),
        beliefs=tuple(sorted(beliefs, key=lambda each: each.at_s)),
        actions=tuple(sorted(actions, key=lambda each: each.at_s)),
        actions_landed=len(actions),
        actions_refused=412,
        verdicts=(
            Verdict(
                phase=PhaseName.BEFORE,
                expected="class valid, at least one post",
                seen="valid from 0.05 s, 12 posts",
                passed=True,
            ),
            Verdict(
                phase=PhaseName.DURING,
                expected="degraded within 2 s, stale after 150 slots, halted after 750 slots or 5 failures in a row",
                seen="degraded after 0.3 s, stale after 7.5 s, halted after 10 s",
                passed=True,
            ),
            Verdict(
                phase=PhaseName.DURING,
                expected="nothing posted or liquidated once stale",
                seen="0 posts, 0 liquidations",
                passed=True,
            ),
            Verdict(
                phase=PhaseName.AFTER,
                expected="valid within 3 s, first post within 10 slots of that",
                seen="valid after 1.46 s, posted 2 slots later",
                passed=True,
            ),
        ),
        notices=(
            Notice(at_s=0.0, level="info", event="feed.started", text="tokens=2 clob_url=http://127.0.0.1:8990"),
            Notice(at_s=6.02, level="warning", event="source.failed", text="source=stream kind=closed since_success=1"),
            Notice(at_s=6.3, level="info", event="price.classed", text="price_class=degraded before=valid"),
            Notice(at_s=13.5, level="info", event="price.classed", text="price_class=stale before=degraded"),
            Notice(at_s=16.0, level="error", event="price.classed", text="price_class=halted before=stale"),
            Notice(at_s=18.1, level="info", event="source.recovered", text="source=clob"),
        ),
    )  # fmt: skip


def spike_believed():
    """What a missing guard looks like: a spike of one source is posted, and somebody is liquidated on it."""
    good = total_outage()
    why = "250_000 from the truth, allowed 31_000"
    lies = [
        heard(8.0, "stream", 880_000),
        heard(8.2, "stream", 884_000),
        heard(11.0, "stream", 640_000),
    ]
    return result(
        "price-spike",
        title="The stream alone says a price far from the truth; the books do not.",
        phases=phases(8.0, 11.0, 24.5, "the stream's book is 25 points too high"),
        truths=good.truths,
        heard=tuple(sorted([e for e in good.heard if not 6 <= e.at_s < 12] + lies + [heard(6.0 + n / 4, "clob", truth_at(6 + n / 4) // 1_000 * 1_000) for n in range(24)], key=lambda e: e.at_s)),
        beliefs=tuple(sorted([e for e in good.beliefs if e.price_class == "valid"] + [belief(8.1, 880_000, band=12_000), belief(8.4, 884_000), belief(11.2, truth_at(11.2), "uncertain", reason="sources_disagree"), belief(12.4, truth_at(12.4))], key=lambda e: e.at_s)),
        actions=tuple(sorted([e for e in good.actions if e.at_s < 8 or e.at_s > 18] + [action(8.2, 880_000, bad=why), action(8.5, 884_000, bad=why), action(8.9, 884_000, ActionKind.LIQUIDATE, bad="the position was healthy at the truth"), action(10.4, 884_000, bad=why)], key=lambda e: e.at_s)),
        actions_landed=26,
        actions_refused=3,
        detected_ms=3_200,
        recovered_ms=None,
        verdicts=(
            Verdict(phase=PhaseName.DURING, expected="uncertain within 2 s", seen="uncertain after 3.2 s", passed=False),
            Verdict(phase=PhaseName.DURING, expected="nothing sent on a bad price", seen="3 posts, 1 liquidation", passed=False),
            Verdict(phase=PhaseName.AFTER, expected="valid within 3 s", seen="valid after 1.4 s", passed=True),
        ),
        notices=(Notice(at_s=11.2, level="warning", event="price.doubted", text="reason=sources_disagree gap_e6=250000"),),
    )  # fmt: skip


def hours_of_flapping(hours=6, *, changes_per_minute=20):
    """Far more readings than a picture has columns."""
    truths, said, beliefs, actions = [], [], [], []
    steps = hours * 60 * changes_per_minute
    for step in range(steps):
        at_s = step * 60 / changes_per_minute
        price = 400_000 + round(120_000 * math.sin(at_s / 4_000)) + step * 7_919 % 9_000
        truths.append(Truth(at_s=at_s, market=OTHER, price_e6=price))
        is_broken = 3_600 <= at_s < (hours - 1) * 3_600 and step % 4
        said.append(heard(at_s + 0.1, "stream", None if is_broken else price, market=OTHER))
        said.append(heard(at_s + 1.0, "clob", price, market=OTHER))
        price_class, reason = ("uncertain", "sources_disagree") if is_broken else ("valid", "ok")
        beliefs.append(belief(at_s + 0.2, price, price_class, reason=reason, market=OTHER))
        if not is_broken:
            actions.append(action(at_s + 0.8, price, market=OTHER))
    ends_s = hours * 3_600.0
    return result(
        "flapping-for-hours",
        title="Every source comes and goes every few seconds, for hours.",
        is_virtual=True,
        slot_ms=400,
        phases=phases(3_600.0, ends_s - 3_600, ends_s, "stream and books vanish and return every 3 s"),
        truths=tuple(truths),
        heard=tuple(said),
        beliefs=tuple(beliefs),
        actions=tuple(actions),
        actions_landed=len(actions),
        actions_refused=88_120,
        detected_ms=3_000,
        recovered_ms=95_000,
        notices=tuple(
            Notice(at_s=each.at_s, level="info", event="price.classed", text=f"price_class={each.price_class}")
            for each in beliefs
        ),
        took_s=14.9,
    )  # fmt: skip
