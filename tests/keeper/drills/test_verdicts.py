"""Every kind of expectation, met and missed; and what must hold in every drill."""

from dataclasses import replace

import pytest

from keeper.drills.evidence import AttemptEnd, Evidence, Posted, Repeat, Request, Said
from keeper.drills.expectations import (
    Acts,
    Asks,
    Follows,
    Keeps,
    Reaches,
    Refrains,
    Returns,
    Tells,
    Unmoved,
)
from keeper.drills.faults import Family
from keeper.drills.model import (
    Action,
    ActionKind,
    Belief,
    Notice,
    Phase,
    PhaseName,
    Truth,
)
from keeper.drills.outcome import detected_ms, outcome_of, recovered_ms
from keeper.drills.scenario import Scenario
from keeper.drills.verdicts import Case, judge_expectation, standing_verdicts

BEFORE, DURING, AFTER = PhaseName
PHASES = (
    Phase(name=BEFORE, starts_s=0, ends_s=10),
    Phase(name=DURING, starts_s=10, ends_s=20),
    Phase(name=AFTER, starts_s=20, ends_s=30),
)


def belief(at_s, price_class="valid", source="stream", reason="ok", market="m"):
    return Belief(
        at_s=at_s,
        market=market,
        price_e6=500_000,
        band_e6=0,
        price_class=price_class,
        source=source,
        reason=reason,
    )


def action(at_s, kind=ActionKind.POST, price_class="valid", bad=None, market="m"):
    return Action(
        at_s=at_s,
        slot=1,
        kind=kind,
        market=market,
        price_e6=500_000,
        band_e6=0,
        price_class=price_class,
        signature="s",
        bad=bad,
    )


def evidence(**known):
    nothing = dict.fromkeys(
        (
            "truths",
            "said",
            "requests",
            "heard",
            "beliefs",
            "notices",
            "deeds",
            "attempts",
            "repeats",
            "ledger_faults",
        ),
        (),
    )
    fixed = {
        "markets": ("m", "n"),
        "phases": PHASES,
        "landed": {},
        "liquidated": {},
        "exit_status": 0,
        "slot_at_start": 0,
        "took_s": 1,
    }
    return Evidence(**(nothing | fixed | known))


def seen(expectation, *, actions=(), **known):
    """Whether an expectation is met, and what is said of it."""
    case = Case(evidence=evidence(**known), actions=actions)
    verdict = judge_expectation(expectation, case)
    return verdict.passed, verdict.seen


STEADY = (belief(1), belief(1, market="n"))
UNSURE = ("uncertain", "clob", "sources_disagree")


@pytest.mark.parametrize(
    ("within_s", "passed"), [(2.5, True), (2.0, True), (1.9, False)], ids=["early", "just", "late"]
)
def test_reaching_a_class_is_timed_from_the_start_of_the_phase(within_s, passed):
    wanted = Reaches(phase=DURING, classes=("uncertain",), within_s=within_s, market=0)
    assert (passed, "after 2.00 s") == seen(wanted, beliefs=(*STEADY, belief(12, *UNSURE)))


def test_a_class_that_stands_already_is_reached_at_once_and_one_never_reached_is_told():
    wanted = Reaches(phase=DURING, classes=("valid",), within_s=1)
    assert (True, "after 0.00 s") == seen(wanted, beliefs=STEADY)
    missed = replace(wanted, classes=("halted",))
    assert (False, "never; last valid from stream (ok)") == seen(missed, beliefs=STEADY)
    assert (False, "never; nothing was believed") == seen(missed)


def test_every_market_must_reach_it_and_for_the_reason_that_is_named():
    wanted = Reaches(phase=DURING, classes=("uncertain",), within_s=5)
    one = (*STEADY, belief(12, *UNSURE))
    assert not seen(wanted, beliefs=one)[0]
    assert seen(wanted, beliefs=(*one, belief(13, *UNSURE, market="n")))[0]
    assert not seen(replace(wanted, market=0, reason="crossed"), beliefs=one)[0]


def test_keeping_a_class_looks_at_what_stands_and_at_every_change():
    wanted = Keeps(phase=DURING, classes=("valid",), market=0)
    assert seen(wanted, beliefs=STEADY)[0]
    broken = (*STEADY, belief(12, *UNSURE), belief(13))
    assert (False, "uncertain (sources_disagree) at 2.00 s") == seen(wanted, beliefs=broken)
    assert seen(replace(wanted, after_s=4), beliefs=broken)[0]
    assert not seen(replace(wanted, after_s=2.5), beliefs=broken)[0], "it still stood then"


def test_following_a_source_is_timed():
    wanted = Follows(phase=DURING, source="clob", within_s=1, market=0)
    assert seen(wanted, beliefs=(*STEADY, belief(10.5, source="clob")))[0]
    assert not seen(wanted, beliefs=(*STEADY, belief(12, source="clob")))[0]
    assert not seen(wanted, beliefs=STEADY)[0]


def test_acting_counts_what_landed_in_the_phase():
    wanted = Acts(phase=DURING, kind=ActionKind.POST, within_s=3, at_least=2, market=0)
    assert seen(wanted, actions=(action(11), action(12)))[0]
    assert not seen(wanted, actions=(action(9), action(11)))[0], "one was before"
    assert not seen(wanted, actions=(action(11), action(14)))[0], "the second came late"
    assert not seen(wanted, actions=(action(11), action(12, market="n")))[0]
    elsewhere = replace(wanted, near_e6=400_000, at_least=1)
    assert not seen(elsewhere, actions=(action(11),))[0]
    assert seen(replace(elsewhere, near_e6=503_000), actions=(action(11),))[0]
    degraded = replace(wanted, price_class="degraded", at_least=1)
    assert not seen(degraded, actions=(action(11),))[0]


def test_refraining_grants_the_time_to_notice_and_no_more():
    wanted = Refrains(phase=DURING, after_s=2)
    assert (True, "none") == seen(wanted, actions=(action(11.9), action(20)))
    assert (False, "1, first a post at 2.10 s") == seen(wanted, actions=(action(12.1),))
    liquidations = replace(wanted, kinds=(ActionKind.LIQUIDATE,), market=1)
    assert seen(liquidations, actions=(action(12.1), action(13, ActionKind.LIQUIDATE)))[0]


def test_returning_means_that_the_first_valid_post_is_right_and_in_time():
    wanted = Returns(within_s=3, market=0)
    early = action(20.5, price_class="degraded")
    assert seen(wanted, actions=(early, action(22)))[0]
    assert not seen(wanted, actions=(early, action(24)))[0]
    assert (False, "far off") == seen(wanted, actions=(action(21, bad="far off"), action(22)))
    assert (False, "never") == seen(wanted, actions=(early,))
    assert not seen(replace(wanted, market=None), actions=(action(21),))[0]


def test_asking_is_counted_at_the_venue():
    asked = [
        Request(at_s=at_s, family=Family.CLOB, path="/books", status=429) for at_s in (9, 11, 12)
    ]
    wanted = Asks(phase=DURING, family=Family.CLOB, at_most=2, at_least=2)
    assert (True, "2 times") == seen(wanted, requests=asked)
    assert not seen(replace(wanted, at_most=1, at_least=0), requests=asked)[0]
    assert not seen(replace(wanted, at_most=None, at_least=3), requests=asked)[0]
    assert (False, "1 times") == seen(replace(wanted, after_s=1.5), requests=asked)
    assert seen(replace(wanted, path="/elsewhere", at_most=0, at_least=0), requests=asked)[0]


def test_an_operator_is_told_or_not():
    told = Notice(at_s=12, level="warning", event="source.failed", text="source=clob kind=dns")
    wanted = Tells(phase=DURING, words=("source.failed", "dns"))
    assert seen(wanted, notices=(told,))[0]
    assert not seen(replace(wanted, words=("tls",)), notices=(told,))[0]
    assert not seen(replace(wanted, phase=AFTER), notices=(told,))[0]


def test_unmoved_means_neither_another_class_nor_another_source():
    wanted = Unmoved(phase=DURING, market=0)
    assert seen(wanted, beliefs=(*STEADY, belief(12)))[0]
    assert not seen(wanted, beliefs=(*STEADY, belief(12, source="clob")))[0]
    assert not seen(wanted, beliefs=(*STEADY, belief(12, *UNSURE)))[0]
    assert seen(wanted, beliefs=(*STEADY, belief(12, *UNSURE, market="n")))[0]


def failed(*, actions=(), **known):
    """What must hold in every drill and does not."""
    verdicts = standing_verdicts(Case(evidence=evidence(**known), actions=actions))
    return [verdict.expected.split()[0] for verdict in verdicts if not verdict.passed]


POSTED_TWICE = Repeat(job="post:m", effect="1:2", signatures=("s", "t"))
SOLD_TWICE = Repeat(job="liquidate:p", effect="5:3", signatures=("s", "t"))
BOTH = {"s": frozenset({"p", "q"}), "t": frozenset({"p"})}
END = AttemptEnd(signature="s", state="landed")


def test_a_clean_drill_fails_nothing():
    assert [] == failed(actions=(action(1),), landed={"s": True}, attempts=(END,))


@pytest.mark.parametrize(
    ("known", "first_word"),
    [
        ({"actions": (action(1, bad="far off"),)}, "nothing"),
        ({"attempts": (replace(END, state="open"),)}, "every"),
        ({"landed": {"s": True}}, "every"),
        ({"landed": {"s": False}, "attempts": (END,)}, "every"),
        ({"attempts": (END,)}, "every"),
        ({"repeats": (POSTED_TWICE,)}, "nothing"),
        ({"repeats": (SOLD_TWICE,), "liquidated": BOTH}, "nothing"),
        ({"ledger_faults": ("one cent is gone",)}, "vault,"),
        ({"exit_status": 1}, "the"),
        ({"exit_status": None}, "the"),
    ],
)
def test_whatever_must_hold_and_does_not_fails_the_drill(known, first_word):
    assert [first_word] == failed(**known)


def test_a_liquidation_that_a_batch_passed_over_may_land_again():
    passed_over = {"s": frozenset({"q"}), "t": frozenset({"p"})}
    assert [] == failed(repeats=(SOLD_TWICE,), liquidated=passed_over)


def test_detection_is_the_first_sign_of_belief_or_alarm():
    late = belief(13, *UNSURE)
    assert 3_000 == detected_ms(Case(evidence=evidence(beliefs=(*STEADY, late)), actions=()))
    alarm = Notice(at_s=10.25, level="warning", event="source.failed", text="")
    chatter = replace(alarm, at_s=10.1, level="info")
    both = evidence(beliefs=(*STEADY, late), notices=(chatter, alarm))
    assert 250 == detected_ms(Case(evidence=both, actions=()))
    assert detected_ms(Case(evidence=evidence(beliefs=STEADY), actions=())) is None


def test_recovery_is_the_first_right_post_of_the_market_concerned():
    case = Case(evidence=evidence(), actions=(action(21, market="n"), action(22.5)))
    assert 2_500 == recovered_ms(case, 0)
    assert 1_000 == recovered_ms(case, 1)
    assert recovered_ms(case, None) is None
    assert recovered_ms(Case(evidence=evidence(), actions=(action(21, bad="x"),)), 0) is None


async def nothing(_stage):
    """A script that does nothing."""


def test_an_outcome_counts_what_was_done_and_what_was_withheld():
    deed = Posted(
        at_s=21,
        slot=525,
        signature="s",
        market="m",
        price_e6=500_000,
        band_e6=0,
        price_class="valid",
        publish_slot=520,
    )
    found = outcome_of(
        Scenario(name="x", title="X.", play=nothing, expects=(Returns(within_s=2, market=0),)),
        evidence(
            truths=(Truth(at_s=0, market="m", price_e6=500_000),),
            said=(Said(at_s=20.9, family=Family.CLOB, market="m", price_e6=500_000),),
            deeds=(deed,),
            landed={"s": True},
            attempts=(END,),
            report={"refusals": {"prices.stale": 3, "liquidations.no_price": 2, "fees.unread": 9}},
        ),
        is_virtual=False,
    )
    assert found.passed
    assert (1, 5, 0, 1_000) == (
        found.actions_landed,
        found.actions_refused,
        found.bad_price_actions,
        found.recovered_ms,
    )


def test_a_fault_that_must_not_show_has_no_time_of_detection():
    silent = Scenario(name="x", title="X.", play=nothing, expects=(Unmoved(phase=DURING),))
    moved = evidence(beliefs=(*STEADY, belief(12, *UNSURE)))
    assert outcome_of(silent, moved, is_virtual=False).detected_ms is None
