import pytest
from solders.signature import Signature

from programs.outcomes import (
    Expired,
    Failed,
    Landed,
    end_row,
    is_same_end,
    read_outcome,
    with_facts,
)
from programs.rpc import SignatureStatus, TransactionFacts

SIGNATURE = Signature.default()


def status(slot=7, err=None, commitment="confirmed"):
    return SignatureStatus(slot=slot, err=err, commitment=commitment)


def facts(slot=7):
    return TransactionFacts(slot=slot, err=None, fee_lamports=6_000, cu_used=42, logs=("a",))


def test_facts_of_the_same_slot_are_added():
    found = with_facts(read_outcome(SIGNATURE, status(), 5_000), facts())
    assert isinstance(found, Landed)
    assert (found.cu_used, found.fee_lamports, found.logs) == (42, 6_000, ("a",))


def test_facts_of_another_fork_or_of_what_never_landed_are_left_out():
    landed = read_outcome(SIGNATURE, status(), 5_000)
    assert (landed.cu_used, landed.fee_lamports, landed.logs) == (None, 5_000, ())
    assert with_facts(landed, facts(slot=8)) is None
    assert with_facts(EXPIRED, facts()) is None
    assert with_facts(None, facts()) is None


def test_an_error_makes_it_a_failure_at_any_commitment():
    for commitment in ("confirmed", "finalized"):
        found = read_outcome(SIGNATURE, status(err="AccountInUse", commitment=commitment), 5_000)
        assert isinstance(found, Failed)
        assert found.is_finalized == (commitment == "finalized")


LANDED = read_outcome(SIGNATURE, status(), 5_000)
FAILED = read_outcome(SIGNATURE, status(err={"b": 1}), 5_000)
EXPIRED = Expired(signature=SIGNATURE, reason="why")


@pytest.mark.parametrize(
    ("outcome", "said", "same"),
    [
        (LANDED, status(), True),
        (LANDED, status(slot=8), False),
        (LANDED, status(err="x"), False),
        (FAILED, status(err={"b": 1}), True),
        (FAILED, status(slot=8, err={"b": 1}), False),
        (FAILED, status(err={"b": 2}), False),
        (EXPIRED, status(), False),
        (None, status(), False),
    ],
)
def test_an_end_is_the_same_only_in_slot_and_error(outcome, said, same):
    assert is_same_end(outcome, said) is same


@pytest.mark.parametrize(
    ("outcome", "row"),
    [
        (LANDED, ("landed", 7, None, 5_000, False)),
        (FAILED, ("failed", 7, '{"b":1}', 5_000, False)),
        (EXPIRED, ("expired", None, "why", 0, True)),
    ],
)
def test_an_outcome_is_recorded_as_it_is(outcome, row):
    found = end_row(outcome)
    assert (found.state, found.slot, found.err, found.fee_lamports, found.is_finalized) == row
    assert outcome.is_finalized == found.is_finalized
