"""Each stated expectation against what was seen, and what must hold in every drill.

Core. Beliefs and notices are the keeper's own word and serve for what it understood; what it *did* is `judge.py`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from keeper.drills.chain_books import listed
from keeper.drills.evidence import Evidence, Repeat
from keeper.drills.expectations import (
    Acts,
    Asks,
    Expectation,
    Follows,
    Keeps,
    Reaches,
    Refrains,
    Returns,
    Tells,
    Unmoved,
)
from keeper.drills.model import (
    Action,
    ActionKind,
    Belief,
    Phase,
    PhaseName,
    Verdict,
)
from keeper.prices.price import PriceClass

_NEAR_E6: Final = 5_000
_RECORDED_S: Final = 0.001
"""A recording counts milliseconds."""
_ENDS: Final = {True: "landed", False: "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What verdicts are given on."""

    evidence: Evidence
    actions: Sequence[Action]

    def phase(self, name: PhaseName) -> Phase:
        """Return an act; every scenario has all three."""
        return next(phase for phase in self.evidence.phases if phase.name is name)

    def named(self, market: int | None) -> tuple[str, ...]:
        """Return the addresses that an expectation is about."""
        markets = tuple(self.evidence.markets)
        return markets if market is None else (markets[market],)

    def beliefs(self, market: str, from_s: float, to_s: float) -> list[Belief]:
        """Return what was believed of a market in a window, what stood at its beginning included."""
        mine = [belief for belief in self.evidence.beliefs if belief.market == market]
        # On the virtual clock a fault and its first sign may share an instant: what happens then is news,
        # and what is believed in the instant in which an act ends belongs to the next one.
        from_s, to_s = from_s - _RECORDED_S, to_s - _RECORDED_S
        standing = [belief for belief in mine if belief.at_s < from_s][-1:]
        return standing + [belief for belief in mine if from_s <= belief.at_s < to_s]

    def done(self, phase: Phase, after_s: float = 0.0) -> list[Action]:
        """Return what was done from a moment of an act to its end."""
        from_s = phase.starts_s + after_s
        return [action for action in self.actions if from_s <= action.at_s < phase.ends_s]


def judge_expectation(expectation: Expectation, case: Case) -> Verdict:
    """Give the verdict on one stated expectation."""
    phase = case.phase(expectation.phase)
    match expectation:
        case Reaches():
            found = _reaches(expectation, case, phase)
        case Keeps():
            found = _keeps(expectation, case, phase)
        case Follows():
            found = _follows(expectation, case, phase)
        case Acts():
            found = _acts(expectation, case, phase)
        case Refrains():
            found = _refrains(expectation, case, phase)
        case Returns():
            found = _returns(expectation, case, phase)
        case Asks():
            found = _asks(expectation, case, phase)
        case Tells():
            found = _tells(expectation, case, phase)
        case _:
            found = _unmoved(expectation, case, phase)
    expected, seen, passed = found
    return Verdict(phase=phase.name, expected=expected, seen=seen, passed=passed)


def standing_verdicts(case: Case) -> tuple[Verdict, ...]:
    """Give the verdicts on what must hold in every drill."""
    evidence = case.evidence
    bad = [action for action in case.actions if action.bad is not None]
    ends = {attempt.signature: attempt.state for attempt in evidence.attempts}
    unsettled = [signature for signature, state in ends.items() if state == "open"]
    unrecorded = [
        signature
        for signature, is_ok in evidence.landed.items()
        if ends.get(signature) != _ENDS[is_ok]
    ]
    unlanded = [
        signature
        for signature, state in ends.items()
        if state in _ENDS.values() and signature not in evidence.landed
    ]
    twice = [repeat for repeat in evidence.repeats if _is_done_twice(repeat, evidence)]
    status = evidence.exit_status
    return (
        _after(
            "nothing was done on a bad price, and no price was invented",
            f"{len(bad)} of {len(case.actions)} actions: {bad[0].bad}"
            if bad
            else f"{len(case.actions)} actions, all right",
            passed=not bad,
        ),
        _after(
            "every attempt is settled, as the chain says",
            f"{len(unsettled)} open, {len(unrecorded)} on chain but not in the database, {len(unlanded)} the other way",
            passed=not (unsettled or unrecorded or unlanded),
        ),
        _after(
            "nothing landed twice",
            f"{len(twice)} duplicates among {len(ends)} attempts"
            + "".join(f"; {each.job} on {each.effect}" for each in twice),
            passed=not twice,
        ),
        _after(
            "vault, markets and positions add up on chain",
            listed(evidence.ledger_faults),
            passed=not evidence.ledger_faults,
        ),
        _after(
            "the keeper ends in order",
            "it was killed" if status is None else f"exit {status}",
            passed=status == 0,
        ),
    )


def _is_done_twice(repeat: Repeat, evidence: Evidence) -> bool:
    """Tell whether a job that landed again did anything again: a liquidation passes over what a slot's cap spares."""
    kind, _, address = repeat.job.partition(":")
    if kind != ActionKind.LIQUIDATE:
        return True
    done = [name for name in repeat.signatures if address in evidence.liquidated.get(name, ())]
    return len(done) > 1


def _after(expected: str, seen: str, *, passed: bool) -> Verdict:
    return Verdict(phase=PhaseName.AFTER, expected=expected, seen=seen, passed=passed)


_Found = tuple[str, str, bool]


def _reaches(wanted: Reaches, case: Case, phase: Phase) -> _Found:
    named = "/".join(wanted.classes) + (f" ({wanted.reason})" if wanted.reason else "")
    expected = f"{_which(wanted.market)}: {named} within {wanted.within_s:g} s"
    latest_s, passed = 0.0, True
    lines: list[str] = []
    for market in case.named(wanted.market):
        window = case.beliefs(market, phase.starts_s, phase.ends_s)
        first = next((belief for belief in window if _is_wanted(belief, wanted)), None)
        if first is None:
            passed = False
            lines.append(f"never; {_last(window)}")
            continue
        took_s = max(first.at_s - phase.starts_s, 0.0)
        latest_s = max(latest_s, took_s)
        passed = passed and took_s <= wanted.within_s
    seen = "; ".join(dict.fromkeys(lines)) or f"after {latest_s:.2f} s"
    return expected, seen, passed


def _is_wanted(belief: Belief, wanted: Reaches) -> bool:
    is_class = belief.price_class in wanted.classes
    return is_class and (wanted.reason is None or belief.reason == wanted.reason)


def _last(window: Sequence[Belief]) -> str:
    if not window:
        return "nothing was believed"
    last = window[-1]
    return f"last {last.price_class} from {last.source} ({last.reason})"


def _keeps(wanted: Keeps, case: Case, phase: Phase) -> _Found:
    since = f" after {wanted.after_s:g} s" if wanted.after_s else ""
    expected = f"{_which(wanted.market)}: nothing but {'/'.join(wanted.classes)}{since}"
    for market in case.named(wanted.market):
        for belief in case.beliefs(market, phase.starts_s + wanted.after_s, phase.ends_s):
            if belief.price_class not in wanted.classes:
                at_s = max(belief.at_s - phase.starts_s, 0.0)
                return expected, f"{belief.price_class} ({belief.reason}) at {at_s:.2f} s", False
    return expected, "so it was", True


def _follows(wanted: Follows, case: Case, phase: Phase) -> _Found:
    expected = (
        f"{_which(wanted.market)}: the price from {wanted.source} within {wanted.within_s:g} s"
    )
    latest_s = 0.0
    for market in case.named(wanted.market):
        window = case.beliefs(market, phase.starts_s, phase.ends_s)
        first = next((belief for belief in window if belief.source == wanted.source), None)
        if first is None:
            return expected, f"never; {_last(window)}", False
        latest_s = max(latest_s, first.at_s - phase.starts_s)
    return expected, f"after {latest_s:.2f} s", latest_s <= wanted.within_s


def _acts(wanted: Acts, case: Case, phase: Phase) -> _Found:
    what = f"{wanted.kind} at {wanted.price_class}" if wanted.price_class else str(wanted.kind)
    if wanted.near_e6 is not None:
        what += f" near {wanted.near_e6}"
    expected = f"{_which(wanted.market)}: {wanted.at_least} x {what} within {wanted.within_s:g} s"
    markets = case.named(wanted.market)
    found = [
        action
        for action in case.done(phase)
        if action.kind is wanted.kind
        and action.market in markets
        and wanted.price_class in (None, action.price_class)
        and (wanted.near_e6 is None or abs(action.price_e6 - wanted.near_e6) <= _NEAR_E6)
    ]
    if len(found) < wanted.at_least:
        return expected, f"{len(found)}", False
    took_s = found[wanted.at_least - 1].at_s - phase.starts_s
    return expected, f"after {took_s:.2f} s", took_s <= wanted.within_s


def _refrains(wanted: Refrains, case: Case, phase: Phase) -> _Found:
    since = f" after {wanted.after_s:g} s" if wanted.after_s else ""
    expected = f"{_which(wanted.market)}: no {' and no '.join(wanted.kinds)}{since}"
    markets = case.named(wanted.market)
    found = [
        action
        for action in case.done(phase, wanted.after_s)
        if action.kind in wanted.kinds and action.market in markets
    ]
    if not found:
        return expected, "none", True
    first = found[0]
    at_s = first.at_s - phase.starts_s
    return expected, f"{len(found)}, first a {first.kind} at {at_s:.2f} s", False


def _returns(wanted: Returns, case: Case, phase: Phase) -> _Found:
    expected = f"{_which(wanted.market)}: posted as valid within {wanted.within_s:g} s, the first one right"
    latest_s = 0.0
    for market in case.named(wanted.market):
        first = first_return(case, market)
        if first is None:
            return expected, "never", False
        if first.bad is not None:
            return expected, first.bad, False
        latest_s = max(latest_s, first.at_s - phase.starts_s)
    return expected, f"after {latest_s:.2f} s", latest_s <= wanted.within_s


def first_return(case: Case, market: str) -> Action | None:
    """Return the first reading posted as valid after the fault; degraded ones until then are judged like all others."""
    for action in case.done(case.phase(PhaseName.AFTER)):
        is_post = action.kind is ActionKind.POST and action.price_class == PriceClass.VALID
        if action.market == market and is_post:
            return action
    return None


def _asks(wanted: Asks, case: Case, phase: Phase) -> _Found:
    most = f" and at most {wanted.at_most}" if wanted.at_most is not None else ""
    since = f" after {wanted.after_s:g} s" if wanted.after_s else ""
    where = f"{wanted.family} {wanted.path}".rstrip()
    expected = f"{where} is asked at least {wanted.at_least}{most} times{since}"
    from_s = phase.starts_s + wanted.after_s
    count = sum(
        request.family is wanted.family
        and wanted.path in request.path
        and from_s <= request.at_s < phase.ends_s
        for request in case.evidence.requests
    )
    is_polite = wanted.at_most is None or count <= wanted.at_most
    return expected, f"{count} times", count >= wanted.at_least and is_polite


def _tells(wanted: Tells, case: Case, phase: Phase) -> _Found:
    expected = f"an operator is told: {' '.join(wanted.words)}"
    for notice in case.evidence.notices:
        line = f"{notice.event} {notice.text}"
        if phase.starts_s <= notice.at_s < phase.ends_s and all(w in line for w in wanted.words):
            return expected, f"{notice.level} {notice.event}", True
    return expected, "no such line", False


def _unmoved(wanted: Unmoved, case: Case, phase: Phase) -> _Found:
    expected = f"{_which(wanted.market)}: class and source stay as they were"
    for market in case.named(wanted.market):
        window = case.beliefs(market, phase.starts_s + wanted.after_s, phase.ends_s)
        for before, belief in pairwise(window):
            if (before.price_class, before.source) != (belief.price_class, belief.source):
                at_s = belief.at_s - phase.starts_s
                seen = (
                    f"{belief.price_class} from {belief.source} ({belief.reason}) at {at_s:.2f} s"
                )
                return expected, seen, False
    return expected, "they did", True


def _which(market: int | None) -> str:
    return "every market" if market is None else f"market {market}"
