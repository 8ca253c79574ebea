"""bench/crash: the audit sees what it is there for, and takes a clean record for clean."""

from dataclasses import replace

import pytest

from bench.crash.audit import LOST_AFTER_SLOTS, audit
from bench.crash.deaths import Point, deaths_of
from bench.crash.evidence import DueJob, Evidence, OnChain, Recorded, RecordedJob
from bench.crash.spoiled import blind_spots, spoiled_count


def recorded(signature="A", target="P", *, state="landed", slot=10, err=None, effect="100:60"):
    job = RecordedJob(job_id=f"liquidate:{target}", kind="liquidate", target=target, effect=effect)
    return Recorded(
        signature=signature,
        state=state,
        slot=slot,
        err=err,
        is_finalized=True,
        last_valid_block_height=60,
        jobs=(job,),
    )


def on_chain(signature="A", *targets, slot=10, err=None):
    effects = frozenset(f"liquidate:{target}" for target in targets or ("P",))
    return OnChain(signature=signature, slot=slot, err=err, effects=effects)


def evidence(*, chain=(), attempts=(), due=()):
    return Evidence(
        chain=tuple(chain), attempts=tuple(attempts), finalized_height=1_000, due=tuple(due)
    )


CLEAN = evidence(
    chain=[on_chain(), on_chain("B", slot=12, err='"Boom"')],
    attempts=[
        recorded(),
        recorded("B", state="failed", slot=12, err='"Boom"'),
        recorded("C", state="expired", slot=None, err="no node refused it"),
    ],
)


def test_a_record_that_is_the_chains_passes_and_is_counted():
    found = audit(CLEAN)
    assert found.passed
    assert (3, 1, 1, 1, 0) == (
        found.attempts,
        found.landed,
        found.failed,
        found.expired,
        found.open,
    )
    assert (1, 0, 0) == (found.jobs_done, found.duplicates, found.jobs_lost)


def test_every_spoiled_copy_is_refused():
    assert 11 == spoiled_count(CLEAN)
    assert [] == blind_spots(CLEAN)


def test_the_same_position_liquidated_again_in_another_state_is_no_duplicate():
    second = recorded("D", slot=20, effect="50:24")
    found = audit(
        replace(
            CLEAN,
            chain=(*CLEAN.chain, on_chain("D", slot=20)),
            attempts=(*CLEAN.attempts, second),
        )
    )
    assert found.passed


def test_a_position_that_the_program_passed_over_was_not_liquidated_twice():
    second = recorded("D", slot=20)
    found = audit(
        replace(
            CLEAN,
            chain=(*CLEAN.chain, on_chain("D", "somebody else", slot=20)),
            attempts=(*CLEAN.attempts, second),
        )
    )
    assert found.passed


def test_work_that_became_due_a_moment_ago_is_not_lost():
    due = DueJob(job="post:M", waited_slots=LOST_AFTER_SLOTS)
    assert audit(replace(CLEAN, due=(due,))).passed


def test_nothing_landed_is_nothing_to_spoil():
    with pytest.raises(ValueError, match="nothing to spoil"):
        blind_spots(evidence())


def test_deaths_follow_from_the_seed_and_come_at_every_point():
    deaths = deaths_of(7, 60)
    assert deaths == deaths_of(7, 60) != deaths_of(8, 60)
    names = [death.name for death in deaths]
    assert (20, 20) == (names.count("by the clock"), names.count("at work"))
    assert set(Point) < set(names)
