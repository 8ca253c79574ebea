"""What a stress run is judged by, on evidence with one thing wrong at a time."""

from dataclasses import fields, replace

import pytest
from solders.pubkey import Pubkey

from keeper.drills.evidence import Repeat
from keeper.stress import measures, verdicts
from keeper.stress.evidence import AttemptRow, Evidence, Landing, UserSend
from keeper.stress.model import Curve, Phase, StressResult, Verdict, written
from keeper.stress.page import page, write_report
from keeper.stress.plot import ceiling, plot
from keeper.stress.summary import closing_line, result_lines, results_json
from programs.accounts import Vault
from programs.event_layout import EventKind
from programs.events import Event

NOTHING = Vault(**{each.name: 0 for each in fields(Vault)} | {"tokens": Pubkey.default()})


def landing(signature, slot=10, payer="keeper", **changed):
    found = Landing(
        slot=slot,
        at_s=(slot - 10) * 0.5 + 0.1,
        signature=signature,
        payer=payer,
        is_ok=True,
        is_ours=True,
        cu_used=1_000,
        fee_lamports=5_000,
        events=(),
    )
    return replace(found, **changed)


def row(signature, state="landed", **changed):
    found = AttemptRow(
        signature=signature,
        lane="prices",
        state=state,
        created_slot=9,
        slot=10,
        cu_limit=1_100,
        cu_used=1_000,
        fee_lamports=5_000,
        jobs=1,
    )
    return replace(found, **changed)


def send(signature, slot, **changed):
    found = UserSend(
        signature=signature,
        sent_s=0.0,
        sent_slot=slot,
        is_taken=True,
        cu_price_micro_lamports=0,
    )
    return replace(found, **changed)


WELL = Evidence(
    scale=1.0,
    slot_s=0.5,
    keeper="keeper",
    phases=(Phase(name="load", starts_s=0.0, ends_s=4.0),),
    slots=tuple((slot, (slot - 10) * 0.5) for slot in range(10, 18)),
    landings=(landing("a"), landing("b", 11, is_ok=False), landing("u", 12, payer="user")),
    attempts=(row("a"), row("b", "failed"), row("c", "expired", slot=None)),
    repeats=(),
    sends=(send("u", 10), send("lost", 10)),
    vault_before=NOTHING,
    vault_after=replace(NOTHING, bad_debt=7),
    book_faults=(),
    ledger_faults=(),
    alarms=(),
    exit_status=0,
    report={"latency_slots": {"by_lane": {"prices": {"due_to_landed_p99_9": 4.5}}}},
    rival=None,
    kept={},
)


def event(kind, fields, records=()):
    return Event(kind=kind, series=1, sequence=1, slot=10, fields=fields, records=records)


def stepped(chain, step):
    return event(EventKind.CHAIN_STEPPED, {"chain": chain, "step": step})


def sold(*positions):
    records = tuple({"position": each} for each in positions)
    return event(EventKind.POSITIONS_LIQUIDATED, {}, records)


def missed(evidence):
    return [each.seen for each in verdicts.sound(evidence) if not each.passed]


def test_a_sound_run_misses_nothing():
    assert missed(WELL) == []


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"repeats": (Repeat(job="pay", effect="7", signatures=("a", "b")),)}, "pay 7"),
        ({"attempts": WELL.attempts[1:]}, "a landed on chain, not recorded"),
        (
            {"attempts": (row("a", "failed"), *WELL.attempts[1:])},
            "a landed on chain, failed recorded",
        ),
        ({"landings": WELL.landings[1:]}, "a recorded as landed is not on chain"),
        ({"attempts": (*WELL.attempts, row("d", "open", slot=None))}, "1 of 4 are open"),
        ({"book_faults": ["1", "2", "3", "4", "5"]}, "1; 2; 3 and 2 more"),
        ({"ledger_faults": ["verify"]}, "verify"),
        ({"exit_status": None}, "exit status None"),
    ],
)
def test_one_thing_wrong_is_one_verdict_missed(changed, seen):
    assert missed(replace(WELL, **changed)) == [seen]


def test_a_step_of_a_chain_that_runs_twice_is_found_on_the_chain():
    chain, other = Pubkey([1] * 32), Pubkey([2] * 32)
    once = replace(
        WELL, landings=(*WELL.landings, landing("s", 12, "rival", events=(stepped(chain, 1),)))
    )
    assert missed(once) == []
    again = landing("t", 13, "rival", events=(stepped(other, 1), stepped(chain, 1)))
    assert missed(replace(once, landings=(*once.landings, again))) == [
        f"step 1 of {chain} ran 2 times"
    ]


@pytest.mark.parametrize(("signed_slot", "is_sound"), [(11, False), (12, True)])
def test_a_sale_signed_before_the_last_one_landed_is_one_too_many(signed_slot, is_sound):
    position = Pubkey([3] * 32)
    twice = replace(
        WELL,
        landings=(
            *WELL.landings,
            landing("first", 12, events=(sold(position),)),
            landing("second", 14, events=(sold(position),)),
        ),
        attempts=(
            *WELL.attempts,
            row("first", created_slot=11),
            row("second", created_slot=signed_slot),
        ),
    )
    found = f"{position} was sold in slots 12 and 14, the second signed in slot 11"
    assert missed(twice) == ([] if is_sound else [found])


def lanes_took(**slots):
    by_lane = {lane: {"due_to_landed_p99": took} for lane, took in slots.items()}
    return replace(WELL, report={"latency_slots": {"by_lane": by_lane}})


def test_no_lane_may_wait_for_one_that_is_flooded():
    found = verdicts.fair(lanes_took(prices=2.0, chains=40.0), 5.0, flooded=["chains"])
    assert (found.passed, found.seen) == (True, "prices 2")
    assert not verdicts.fair(lanes_took(prices=2.0, chains=40.0), 5.0).passed
    assert not verdicts.fair(lanes_took(prices=5.1, chains=40.0), 5.0, flooded=["chains"]).passed
    assert not verdicts.fair(lanes_took(prices=1.0), 5.0, busy=["liquidations"]).passed
    assert not verdicts.fair(replace(WELL, report={}), 5.0).passed


def test_nobody_is_woken_but_for_what_the_load_rightly_sets_off():
    assert verdicts.woken([], frozenset()).passed
    assert verdicts.woken(["work_overdue"], {"work_overdue"}).passed
    assert verdicts.woken(["commits_slow"], frozenset()).passed, "the machine is busy"
    found = verdicts.woken(["payer_low", "work_overdue", "payer_low"], {"work_overdue"})
    assert (found.passed, found.seen) == (False, "payer_low")


def test_a_bound_is_kept_or_missed_and_nothing_keeps_none():
    assert verdicts.at_most("delay", 2.0, 2.0, "slots").passed
    assert not verdicts.at_most("delay", 2.1, 2.0, "slots").passed
    assert not verdicts.at_most("delay", None, 2.0, "slots").passed
    assert verdicts.at_least("share", 99.0, 99.0, "%").passed
    assert not verdicts.at_least("share", 98.9, 99.0, "%", "why").passed
    assert verdicts.at_least("share", None, 99.0, "%").seen == "nothing of the kind"


def test_figures_are_counted_from_the_chain():
    assert measures.user_latencies(WELL) == [2.0]
    assert measures.user_latencies(WELL, 1) == []
    assert measures.user_latencies(WELL, during=Phase(name="", starts_s=1.0, ends_s=2.0)) == []
    assert measures.user_times_ms(WELL) == [(0.0, pytest.approx(1_100))]
    assert measures.fastest_second(WELL) == 1.0
    assert measures.signed_to_landed(WELL, "prices") == [1.0, 2.0]
    assert measures.cu_share(WELL) == pytest.approx(100 / 1.1)
    assert measures.user_success(WELL) == 50.0
    assert measures.keeper_success(WELL) == pytest.approx(100 / 3)
    assert measures.platform_tps(WELL) == pytest.approx(2 / (3 * 0.5))
    assert measures.tps_between(WELL, 0.0, 4.0) == 0.25
    assert measures.bad_debt(WELL) == 7
    assert measures.keeper_latency(WELL, "prices", 99.9) == 4.5
    assert measures.keeper_latency(WELL, "chains", 99.9) is None
    assert measures.landed_curve(WELL).points[:3] == ((0.0, 2.0), (0.5, 0.0), (1.0, 2.0))
    assert [curve.points[1] for curve in measures.usual_curves(WELL)[:2]] == [(0.5, 0.0)] * 2
    assert measures.usual_curves(WELL)[2].points == ((0.0, pytest.approx(1_100)),)
    total = measures.sum_curve(WELL, "left", {10: 3, 12: -1})
    assert [value for _, value in total.points] == [3, 3, 2, 2, 2, 2, 2, 2]
    assert measures.rank([], 50.0) is None
    assert measures.rank([3.0, 1.0, 2.0], 50.0) == 2.0


RESULT = StressResult(
    name="load",
    title="a load",
    scale=1.0,
    load="<much> of it",
    phases=WELL.phases,
    verdicts=(Verdict(expected="it holds", seen="it does not", passed=False),),
    measures=measures.usual(WELL),
    curves=(measures.landed_curve(WELL), Curve(name="none", unit="", points=())),
    took_s=3.0,
)


def test_a_run_that_misses_a_verdict_has_not_passed_and_says_which():
    assert not RESULT.passed
    assert not replace(RESULT, verdicts=(), reason="no port").passed
    assert replace(RESULT, verdicts=()).passed
    lines = list(result_lines(RESULT))
    assert lines[0].startswith("FAILED  load at scale 1")
    assert "    NO  it holds: it does not" in lines
    assert closing_line([RESULT]) == "0 of 1 scenarios passed; failed: load"
    (told,) = results_json([RESULT])["scenarios"]
    assert (told["name"], told["passed"]) == ("load", False)


def test_the_page_shows_everything_and_is_broken_by_nothing(tmp_path):
    text = page([RESULT], "")
    assert "&lt;much&gt; of it" in text
    assert "it does not" in text
    assert "<svg" in text
    assert "none: nothing of the kind" in text
    assert write_report([RESULT], tmp_path / "new").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("value", "round_one"), [(0, 1), (0.3, 0.5), (1, 1), (3, 5), (9, 10), (42, 50), (101, 200)]
)
def test_an_axis_ends_at_a_round_number(value, round_one):
    assert ceiling(value) == pytest.approx(round_one)


def test_a_curve_of_one_moment_can_be_drawn():
    assert "<svg" in plot(Curve(name="one", unit="1/s", points=((0.0, 0.0),)), ())


def test_figures_are_written_for_people():
    assert [written(each) for each in (None, 0, 12.3456, 1_234_567.8)] == [
        "none",
        "0",
        "12.35",
        "1,234,568",
    ]
