"""keeper/prices/outcomes.py."""

import hashlib
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.listing import listing_of
from keeper.prices.outcomes import (
    OUTCOMES_MAX,
    SUM_TOLERANCE_E6,
    Triple,
    Unproven,
    group_id_of,
    hash_of,
    in_order,
    prove,
    question_id,
    sums_to_one,
    triple_of,
)
from programs.betting_platform import build

GROUP = bytes(range(1, 32)) + bytes(1)


def listed(number, **changes):
    """An outcome as Gamma lists it; its question has this number in the group."""
    body = {
        "conditionId": "0x" + bytes([7, number] * 16).hex(),
        "question": f"Will candidate {number} win?",
        "questionID": question_id(GROUP, number),
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": f'["{10**70 + 2 * number}", "{10**70 + 2 * number + 1}"]',
        "negRisk": True,
        "negRiskMarketID": "0x" + GROUP.hex(),
        "groupItemThreshold": str(number),
    }
    return listing_of(body | changes)


def founded(listings):
    """The hash of a market whose outcomes are these, in this order."""
    return hash_of([triple_of(listing) for listing in listings])


def yes_of(listings):
    return tuple(listing.yes_token_id for listing in listings)


def test_the_hash_is_sha256_of_condition_yes_and_no_of_each_outcome_in_order():
    triples = [
        Triple(condition_id=bytes([at] * 32), yes=str(at), no=str(2**256 - 1)) for at in (5, 6)
    ]
    by_hand = b"".join(
        bytes([at] * 32) + bytes(31) + bytes([at]) + bytes([255] * 32) for at in (5, 6)
    )
    assert hashlib.sha256(by_hand).digest() == hash_of(triples)
    assert hash_of(triples) != hash_of(triples[::-1])


def test_the_limits_are_the_programs():
    folder = Path(build.__file__).parent
    said = f"#define PRICE_SUM_TOLERANCE_E6 {SUM_TOLERANCE_E6}\n"
    assert said in (folder / "market.c").read_text()
    assert f"#define OUTCOMES_MAX {OUTCOMES_MAX}U\n" in (folder / "risk.h").read_text()


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_outcomes_are_found_in_whatever_order_they_are_listed(order):
    listings = [listed(number) for number in (0, 1, 3, 200)]
    found = prove([listings[at] for at in order], outcomes=4, proof=founded(listings))
    assert yes_of(listings) == found


def test_gammas_own_places_and_the_listings_order_are_tried_too():
    places = [listed(number, groupItemThreshold=str(9 - number)) for number in range(3)]
    assert yes_of(places[::-1]) == prove(places, outcomes=3, proof=founded(places[::-1]))

    shuffled = [listed(number) for number in (2, 0, 1)]
    assert yes_of(shuffled) == prove(shuffled, outcomes=3, proof=founded(shuffled))


def test_the_questions_numbers_come_before_gammas_places():
    listings = [listed(1, groupItemThreshold="0"), listed(0, groupItemThreshold="1")]
    assert listings[::-1] == in_order(listings)


def test_without_numbers_in_the_ids_the_places_decide_the_order():
    for wrong in (None, "0x12", question_id(bytes([9] * 32), 1), question_id(GROUP, 1)[:-2] + "zz"):
        listings = [
            listed(0, groupItemThreshold="1"),
            listed(1, groupItemThreshold="0", questionID=wrong),
        ]
        assert listings[::-1] == in_order(listings)


def test_an_outcome_listed_twice_counts_once():
    listings = [listed(number) for number in range(3)]
    proof = founded(listings)
    assert yes_of(listings) == prove([*listings, listings[1]], outcomes=3, proof=proof)


@pytest.mark.parametrize("later", [1, 2])
def test_outcomes_named_later_do_not_unprove_those_of_the_market(later):
    listings = [listed(number) for number in range(16 + later)]
    chosen = listings[later:]
    assert yes_of(chosen) == prove(listings, outcomes=16, proof=founded(chosen))


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ([], Unproven.UNLISTED),
        ([0, 1], Unproven.TOO_FEW),
        ([0, 1, 3], Unproven.HASH),
        ([0, 1, 3, 4, 5], Unproven.HASH),
        ([0, 1, 2, 3, 4, 5], Unproven.TOO_MANY),
    ],
)
def test_candidates_that_do_not_prove_a_market_are_refused_with_the_reason(numbers, reason):
    proof = founded([listed(number) for number in range(3)])
    assert reason == prove([listed(number) for number in numbers], outcomes=3, proof=proof)


@pytest.mark.parametrize(
    "changes",
    [
        {"clobTokenIds": '["1", "3"]'},
        {"clobTokenIds": f'["1", "{2**256}"]'},
        {"clobTokenIds": '["1"]', "outcomes": '["Yes"]'},
        {"conditionId": "0x" + "00" * 32},
    ],
)
def test_a_false_or_unreadable_token_or_condition_proves_nothing(changes):
    listings = [listed(number) for number in range(3)]
    candidates = [*listings[:2], listed(2, **changes)]
    assert Unproven.HASH == prove(candidates, outcomes=3, proof=founded(listings))


def test_placeholders_are_no_outcomes():
    assert "0x" + GROUP.hex() == group_id_of(listed(1))
    assert group_id_of(listed(1, active=False)) is None
    assert group_id_of(listed(1, negRiskOther=True)) is None
    assert group_id_of(listed(1, negRiskMarketID="")) is None
    assert "0x" + GROUP.hex() == group_id_of(listed(1, negRiskMarketID="0x" + GROUP.hex().upper()))


@given(st.lists(st.integers(1_000, 999_000), min_size=1, max_size=16))
def test_prices_sum_to_one_exactly_when_the_program_says_so(prices_e6):
    accepted = len(prices_e6) == 1 or 950_000 <= sum(prices_e6) <= 1_050_000
    assert accepted == sums_to_one(prices_e6)


@pytest.mark.parametrize(
    ("sum_e6", "fits"), [(949_999, False), (950_000, True), (1_050_000, True), (1_050_001, False)]
)
def test_the_sum_may_be_off_by_five_points_and_no_more(sum_e6, fits):
    assert fits == sums_to_one([300_000, 300_000, sum_e6 - 600_000])
    assert sums_to_one([sum_e6])
