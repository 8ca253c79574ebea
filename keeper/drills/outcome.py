"""Evidence -> DrillResult: actions judged, expectations met or not, how long detection and recovery took.

Core.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from keeper.drills.alarm_verdict import alarm_verdict
from keeper.drills.evidence import Evidence
from keeper.drills.expectations import Unmoved
from keeper.drills.judge import DEGRADED_SLOTS, Leeway, judged_actions
from keeper.drills.model import Belief, DrillResult, Notice, PhaseName
from keeper.drills.scenario import Scenario, Settings
from keeper.drills.verdicts import Case, first_return, judge_expectation, standing_verdicts
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import PriceClass

_RANKS: Final = {price_class: rank for rank, price_class in enumerate(PriceClass)}
_ALARMING: Final = frozenset({"warning", "error", "critical"})
_WITHHOLDING: Final = ("prices.", "liquidations.")
"""Lanes whose refusals the keeper counts."""


def outcome_of(scenario: Scenario, evidence: Evidence, *, is_virtual: bool) -> DrillResult:
    """Judge a played scenario."""
    leeway = leeway_of(scenario.settings, venue_lag_s=scenario.venue_lag_s)
    actions = judged_actions(evidence, leeway)
    case = Case(evidence=evidence, actions=actions)
    verdicts = tuple(judge_expectation(expectation, case) for expectation in scenario.expects)
    woken = alarm_verdict(
        scenario.alarms,
        evidence.alarms,
        evidence.phases,
        is_virtual=scenario.is_virtual,
    )
    is_silent = any(
        isinstance(expectation, Unmoved) and expectation.market is None
        for expectation in scenario.expects
    )
    return DrillResult(
        name=scenario.name,
        title=scenario.title,
        is_virtual=is_virtual,
        slot_ms=scenario.settings.slot_ms,
        phases=tuple(evidence.phases),
        verdicts=(*verdicts, woken, *standing_verdicts(case)),
        detected_ms=None if is_silent else detected_ms(case),
        recovered_ms=None if is_silent else recovered_ms(case, scenario.concerns),
        actions_landed=len(actions),
        actions_refused=_refused(evidence),
        truths=tuple(evidence.truths),
        heard=tuple(evidence.heard),
        beliefs=tuple(evidence.beliefs),
        actions=actions,
        notices=tuple(evidence.notices),
        alarms=tuple(evidence.alarms),
        took_s=evidence.took_s,
    )


def leeway_of(settings: Settings, *, venue_lag_s: float = 0.0) -> Leeway:
    """Derive what the judge grants from the keeper's own settings."""
    changed: dict[str, Any] = {**settings.polymarket, "slot_ms": settings.slot_ms}
    feed = replace(FeedConfig(), **changed)
    fresh_ms = max(feed.stream_traits.fresh_ms, feed.clob_traits.fresh_ms)
    fresh_s = min(fresh_ms / 1_000, settings.slots_s(DEGRADED_SLOTS))
    return Leeway(slot_s=settings.slot_s, fresh_s=fresh_s, venue_lag_s=venue_lag_s)


def detected_ms(case: Case) -> int | None:
    """Return how long after the fault's start the keeper showed a first sign of it."""
    phase = case.phase(PhaseName.DURING)
    signs = [
        belief.at_s
        for market in case.evidence.markets
        if (belief := _first_sign(case.beliefs(market, phase.starts_s, phase.ends_s))) is not None
    ]
    signs += [
        notice.at_s
        for notice in case.evidence.notices
        if _is_alarm(notice) and phase.starts_s <= notice.at_s < phase.ends_s
    ]
    return round((min(signs) - phase.starts_s) * 1_000) if signs else None


def recovered_ms(case: Case, market: int | None) -> int | None:
    """Return how long after the fault's end the market concerned was posted as valid again, and rightly."""
    if market is None:
        return None
    phase = case.phase(PhaseName.AFTER)
    first = first_return(case, case.evidence.markets[market])
    if first is None or first.bad is not None:
        return None
    return round((first.at_s - phase.starts_s) * 1_000)


def _first_sign(window: Sequence[Belief]) -> Belief | None:
    for before, belief in pairwise(window):
        is_worse = _rank(belief) > _rank(before)
        if is_worse or belief.source != before.source or belief.reason != before.reason:
            return belief
    return None


def _rank(belief: Belief) -> int:
    return _RANKS[PriceClass(belief.price_class)]


def _is_alarm(notice: Notice) -> bool:
    return notice.level in _ALARMING


def _refused(evidence: Evidence) -> int:
    refusals = evidence.report.get("refusals", {})
    return sum(count for reason, count in refusals.items() if str(reason).startswith(_WITHHOLDING))
