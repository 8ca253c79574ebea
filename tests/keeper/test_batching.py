"""keeper/batching.py: which liquidations go now, together with which."""

from dataclasses import replace

import pytest
from scripted import HEADER_ACCOUNTS, PAYER, PROGRAM, market_address, position_address
from solders.pubkey import Pubkey

from keeper.batching import Desk, blamed, cu_bound, cu_margin_bps, dispatch, repack
from keeper.bisection import Bisection
from keeper.costs import LIQUIDATE_CU_PER_POSITION, liquidate_base_cu
from keeper.deeds import Deeds
from keeper.jobs import Job, Urgency
from programs.addresses import vault_address
from programs.transaction import COMPUTE_BUDGET_CU

DESK = Desk(program=PROGRAM, payer=PAYER.pubkey(), quote_mint=Pubkey(bytes([8] * 32)))
ROOM = 64
MANY = 40
"""More positions of one market than a transaction has bytes for."""
NOTHING_DONE = Deeds(
    liquidated=frozenset(), positions=0, bounty=0, bad_debt=0, unsold=0, unread=None
)


def job(number, *, market=0, shortfall=1, **fields):
    return Job(
        kind="liquidate",
        market=market_address(market),
        target=position_address(number),
        effect="",
        urgency=Urgency(bounty=0, shortfall=shortfall),
        seen_slot=1,
        due_at_s=0.0,
        **fields,
    )


def jobs(*numbers, **fields):
    return [job(number, **fields) for number in numbers]


def by_market(*each):
    found = {}
    for one in each:
        found.setdefault(one.market, []).append(one)
    return found


def sent(given, bisection=None, in_flight=(), room=ROOM):
    """What goes, as the positions' numbers by transaction."""
    turn = dispatch(DESK, by_market(*given), bisection or Bisection(), in_flight, None, room)
    assert not turn.refused
    return [sorted(bytes(one.target)[1] for one in parcel.batch.jobs) for parcel in turn.go]


def suspecting(*suspects):
    bisection = Bisection()
    bisection.failed([one.job_id for one in suspects], 0.0)
    return bisection


def test_what_several_markets_have_due_shares_a_transaction():
    (parcel,) = dispatch(
        DESK, by_market(job(1), job(2, market=1), job(3)), Bisection(), (), None, ROOM
    ).go
    assert {market_address(0), market_address(1)} == parcel.markets
    named = [one.accounts[HEADER_ACCOUNTS:] for one in parcel.batch.instructions]
    assert [{position_address(1), position_address(3)}, {position_address(2)}] == [
        {meta.pubkey for meta in metas} for metas in named
    ]


def test_a_market_has_one_transaction_at_a_time_and_its_rest_waits():
    (first,) = sent(jobs(*range(MANY)))
    assert 1 < len(first) < MANY


def test_what_is_in_flight_holds_back_its_own_market_alone():
    (flying,) = dispatch(DESK, by_market(job(1)), Bisection(), (), None, ROOM).go
    assert [] == sent([job(2)], in_flight=[flying.claim])
    # Both write the vault, the payer and its tokens: what is only added to disturbs nobody.
    assert [[2]] == sent([job(2, market=1)], in_flight=[flying.claim])


def test_what_is_at_stake_decides_who_goes_while_places_are_few():
    full = [jobs(*range(30 * n, 30 * n + 30), market=n, shortfall=1 + n) for n in range(3)]
    every = [one for each in full for one in each]
    assert 3 <= len(sent(every))
    (most,) = sent(every, room=1)
    assert set(range(60, 90)) > set(most) > set()
    assert [] == sent(every, room=0)


def test_a_suspect_travels_with_suspects_of_its_own_market_only():
    bad, odd, good, other = job(1), job(2), job(3), job(4, market=1)
    parcels = sent([bad, odd, good, other], suspecting(bad, odd, job(90), job(91)))
    assert [[1, 2], [4]] == sorted(parcels)
    assert [[1], [4]] == sorted(sent([bad, odd, other], suspecting(bad, odd)))


def test_no_more_chains_go_at_once_than_the_logs_have_room_for_their_pledges():
    chains = jobs(*range(10), is_chain=True)
    assert [list(range(8))] == sent(chains)
    (together,) = sent([*chains, job(11)])
    assert {11} == set(together) - set(range(8))


def test_a_target_that_is_an_account_of_its_own_header_is_refused_and_no_other():
    vault = replace(job(1), target=vault_address(PROGRAM)[0])
    turn = dispatch(DESK, by_market(vault, job(2)), Bisection(), (), None, ROOM)
    assert [vault] == [refused.job for refused in turn.refused]
    assert [(job(2),)] == [parcel.batch.jobs for parcel in turn.go]


def test_what_is_left_of_a_parcel_is_packed_anew_unless_it_needs_two():
    left = [job(1), job(2, market=1), job(3)]
    parcel = repack(DESK, left, None)
    assert parcel is not None
    assert sorted(left, key=hash) == sorted(parcel.batch.jobs, key=hash)
    assert repack(DESK, jobs(*range(MANY)), None) is None


@pytest.mark.parametrize(
    "given",
    [
        jobs(1),
        jobs(1, 2, 3),
        [job(1), job(2, sale=1)],
        [job(1), job(2, market=1), job(3, market=1, sale=1)],
    ],
)
def test_the_bound_asked_for_is_the_one_that_was_packed_with(given):
    parcel = repack(DESK, given, None)
    assert parcel is not None
    assert cu_bound(given) == parcel.batch.cu


def test_the_bound_counts_markets_sales_and_positions_apart():
    one = cu_bound(jobs(1))
    assert COMPUTE_BUDGET_CU + liquidate_base_cu(1) + LIQUIDATE_CU_PER_POSITION == one
    assert LIQUIDATE_CU_PER_POSITION == cu_bound(jobs(1, 2)) - one
    selling = liquidate_base_cu(1) - liquidate_base_cu(0)
    assert selling == cu_bound([job(1), job(2, sale=1)]) - cu_bound(jobs(1, 2))
    # Sales are numbered within a market: the same number of two markets is two.
    assert liquidate_base_cu(1) == cu_bound([job(1), job(2, market=1)]) - cu_bound(jobs(1, 2))


def test_only_a_sale_that_may_yet_begin_is_given_a_wide_margin():
    settled = cu_margin_bps(NOTHING_DONE)
    assert settled < cu_margin_bps(replace(NOTHING_DONE, unsold=1)) < 1_500
    # Logs that cannot be read to their end may hide one.
    assert cu_margin_bps(replace(NOTHING_DONE, unread="cut")) > settled


def test_an_error_is_blamed_on_the_jobs_of_the_instruction_that_it_names():
    given = [job(1), job(2, market=1), job(3)]
    parcel = repack(DESK, given, None)
    assert parcel is not None
    budget = 3

    def named(place, reason="InvalidAccountData"):
        found = blamed(parcel.batch, {"InstructionError": [place, reason]})
        return sorted(bytes(one.target)[1] for one in found)

    assert [[1, 3], [2]] == [named(budget), named(budget + 1)]
    for nobodys in (named(0), named(budget + 2), named(budget, "ComputationalBudgetExceeded")):
        assert [1, 2, 3] == nobodys
    assert 3 == len(blamed(parcel.batch, "BlockhashNotFound"))
