import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs.contention import Candidate, Claim, Waits, take_turns

KEYS = [Pubkey(bytes([n]) + bytes(31)) for n in range(1, 9)]
A, B, C, VAULT = KEYS[:4]


def claim(*written, read=(), cu=100):
    return Claim(written=frozenset(written), read=frozenset(read), cu=cu)


def test_a_claim_gathers_what_is_written_and_what_is_read():
    metas = [AccountMeta(A, is_signer=False, is_writable=True)]
    more = [AccountMeta(key, is_signer=False, is_writable=False) for key in (A, B)]
    found = Claim.of([Instruction(C, b"", metas), Instruction(C, b"", more)], VAULT, 5)
    assert found == Claim(written=frozenset((A, VAULT)), read=frozenset((B,)), cu=5)


def are_rivals(one, other, commuting=()):
    """What fighting over an account means, said as plainly as can be."""
    fought = one.written & (other.written | other.read) | one.read & other.written
    return bool(fought.difference(commuting))


@pytest.mark.parametrize(
    ("first", "second", "commuting", "goes"),
    [
        (claim(A), claim(A, B), (), 1),
        (claim(A), claim(B, read=[A]), (), 1),
        (claim(B, read=[A]), claim(A), (), 1),
        (claim(B, read=[A]), claim(C, read=[A]), (), 2),
        (claim(A, VAULT), claim(B, VAULT), {VAULT}, 2),
    ],
)
def test_writers_fight_over_an_account_readers_do_not(first, second, commuting, goes):
    candidates = [Candidate(at, each) for at, each in enumerate((first, second))]
    assert goes == len(take_turns(candidates, [], commuting).go)


def test_of_two_that_fight_the_more_urgent_goes_and_the_other_is_told_why():
    turn = take_turns([Candidate("first", claim(A)), Candidate("second", claim(A, B))], [])
    assert turn.go == ("first",)
    assert turn.wait == (Waits("second", A),)


def test_what_is_in_flight_is_waited_for():
    turn = take_turns([Candidate("late", claim(A)), Candidate("free", claim(B))], [claim(A)])
    assert turn.go == ("free",)


def test_one_that_waits_is_not_overtaken_on_any_of_its_accounts():
    candidates = [Candidate("urgent", claim(A, B)), Candidate("later", claim(B))]
    turn = take_turns(candidates, [claim(A)])
    assert turn.go == ()
    assert turn.wait == (Waits("urgent", A), Waits("later", B))


def test_accounts_that_all_write_are_metered_by_what_a_block_allows():
    candidates = [Candidate(n, claim(KEYS[n], VAULT, cu=40)) for n in range(3)]
    turn = take_turns(candidates, [], {VAULT}, cu_max=80)
    assert turn.go == (0, 1)
    assert turn.wait == (Waits(2, VAULT),)


def test_a_small_one_does_not_slip_past_a_large_one_that_waits_for_room():
    candidates = [
        Candidate("large", claim(A, VAULT, cu=90)),
        Candidate("small", claim(B, VAULT, cu=1)),
    ]
    turn = take_turns(candidates, [claim(C, VAULT, cu=20)], {VAULT}, cu_max=100)
    assert turn.go == ()


def test_one_alone_may_go_however_much_it_asks_for():
    assert take_turns([Candidate("all", claim(A, VAULT, cu=500))], [], {VAULT}, cu_max=100).go


claims = st.builds(
    Claim,
    written=st.frozensets(st.sampled_from(KEYS), min_size=1, max_size=4),
    read=st.frozensets(st.sampled_from(KEYS), max_size=3),
    cu=st.integers(1, 60),
)


@given(st.lists(claims, max_size=12), st.lists(claims, max_size=3))
def test_nobody_is_lost_nobody_fights_and_nobody_waits_without_need(wanting, in_flight):
    candidates = [Candidate(n, one) for n, one in enumerate(wanting)]
    turn = take_turns(candidates, in_flight, {VAULT}, cu_max=100)
    assert sorted([*turn.go, *(one.work for one in turn.wait)]) == list(range(len(wanting)))
    gone = [wanting[n] for n in turn.go]
    for number, one in enumerate(gone):
        for other in (*gone[:number], *in_flight):
            assert not are_rivals(one, other, {VAULT})
    for waiting in turn.wait:
        mine = wanting[waiting.work]
        ahead = [*in_flight, *wanting[: waiting.work]]
        assert any(are_rivals(mine, other, {VAULT}) for other in ahead) or (
            VAULT in mine.written and any(VAULT in other.written for other in ahead)
        )


def test_those_planned_one_upon_the_other_go_together_as_far_as_a_block_allows():
    candidates = [Candidate(n, claim(A, KEYS[n + 1], cu=40)) for n in range(3)]
    assert take_turns(candidates, [], planned={A}).go == (0, 1, 2)
    assert take_turns(candidates, [], planned={A}, cu_max=80).go == (0, 1)
    assert take_turns(candidates, []).go == (0,)


def test_a_plan_waits_for_what_an_earlier_one_is_still_about():
    assert take_turns([Candidate("new", claim(A, B))], [claim(A, C)], planned={A}).go == ()


def test_nobody_goes_without_one_of_the_plan_that_he_was_planned_upon():
    first, second = Candidate("first", claim(A, B)), Candidate("second", claim(A, C))
    turn = take_turns([first, second], [claim(B)], planned={A})
    assert turn.wait == (Waits("first", B), Waits("second", A))


@given(
    st.lists(claims, max_size=12),
    st.lists(claims, max_size=3),
    st.frozensets(st.sampled_from([B, C]), max_size=2),
)
def test_of_a_planned_account_the_first_of_those_that_want_it_go(wanting, in_flight, planned):
    candidates = [Candidate(n, one) for n, one in enumerate(wanting)]
    turn = take_turns(candidates, in_flight, {VAULT}, cu_max=100, planned=planned)
    gone = [wanting[n] for n in turn.go]
    for number, one in enumerate(gone):
        assert not any(are_rivals(one, other, {VAULT}) for other in in_flight)
        assert not any(are_rivals(one, other, {VAULT} | planned) for other in gone[:number])
    for account in planned:
        writers = [n for n, one in enumerate(wanting) if account in one.written]
        went = [n for n in writers if n in turn.go]
        assert went == writers[: len(went)]
        assert len(went) < 2 or sum(wanting[n].cu for n in went) <= 100
