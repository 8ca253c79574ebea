import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs.cu_model import DOUBTED, SAMPLES_LEAST, WINDOW, CuModel, CuPolicy, quantile
from programs.transaction import COMPUTE_BUDGET_CU
from programs.units import TRANSACTION_CU_MAX


def bound(count):
    return COMPUTE_BUDGET_CU + 9_000 + 900 * count


def used(count, chance, spread=0.03):
    """A base that the bound puts far too high, a slope that it puts a little too high."""
    return int((3_100 + 780 * count) * chance.uniform(1 - spread, 1 + spread))


def learned(samples=WINDOW, seed=1, spread=0.03, counts=(1, 54)):
    model, chance = CuModel(), random.Random(seed)
    for _ in range(samples):
        count = chance.randint(*counts)
        model.note_landed("liquidate", bound(count), used(count, chance, spread))
    return model


def test_until_enough_has_landed_the_static_bound_is_asked_for():
    model = learned(SAMPLES_LEAST - 1)
    assert not model.is_sure("liquidate", bound(5))
    assert model.request("liquidate", bound(5)) == bound(5)
    model.note_landed("liquidate", bound(5), used(5, random.Random(0)))
    assert model.is_sure("liquidate", bound(5))
    assert model.request("liquidate", bound(5)) < bound(5)


def test_what_is_asked_for_covers_what_is_used_and_its_headroom_stays_under_fifteen_percent():
    model, chance = learned(), random.Random(99)
    headrooms, exceeded = [], 0
    for _ in range(2_000):
        count = chance.randint(1, 54)
        took = used(count, chance)
        asked = model.request("liquidate", bound(count))
        exceeded += took > asked
        headrooms.append(asked / took - 1)
    assert exceeded == 0
    assert sorted(headrooms)[int(len(headrooms) * 0.99)] <= 0.15


def test_kinds_are_learned_apart():
    model = learned()
    assert not model.is_sure("post", bound(5))
    assert model.request("post", bound(5)) == bound(5)


def test_a_spread_too_wide_for_the_headroom_asks_for_a_simulation():
    assert learned(spread=0.03).is_sure("liquidate", bound(20))
    assert not learned(spread=0.2).is_sure("liquidate", bound(20))


def test_bounds_far_beyond_those_seen_ask_for_a_simulation():
    model = learned(counts=(10, 20))
    assert model.is_sure("liquidate", bound(10))
    assert model.is_sure("liquidate", bound(20))
    assert not model.is_sure("liquidate", bound(54))
    assert not model.is_sure("liquidate", bound(1))
    assert model.request("liquidate", bound(54)) == bound(54)


def test_what_a_simulation_used_is_asked_for_with_its_margin_whatever_was_learned():
    for model in (CuModel(), learned()):
        assert model.request("liquidate", bound(5), simulated=20_001) == 22_002
        assert model.request("liquidate", bound(5), simulated=1_390_000) == TRANSACTION_CU_MAX


def test_a_kind_of_which_one_ran_out_of_compute_units_is_simulated_until_enough_has_landed_again():
    model, chance = learned(), random.Random(7)
    known = model.as_values()
    model.note_exhausted("liquidate")
    model.note_exhausted("never seen")
    assert model.as_values() == known, "one in a hundred proves nothing"
    for _ in range(DOUBTED):
        assert not model.is_sure("liquidate", bound(5))
        model.note_landed("liquidate", bound(5), used(5, chance))
    assert model.is_sure("liquidate", bound(5))


def test_a_cost_that_has_risen_is_simulated_until_nothing_else_is_remembered():
    model, chance = learned(counts=(20, 20)), random.Random(8)
    for number in range(WINDOW):
        if not number % DOUBTED:
            assert not number or not model.is_sure("liquidate", bound(20))
            model.note_exhausted("liquidate")
        model.note_landed("liquidate", bound(20), 2 * used(20, chance))
    model.note_landed("liquidate", bound(20), 2 * used(20, chance))
    assert model.request("liquidate", bound(20)) > 2 * used(20, chance, 0)


def test_bounds_that_are_all_alike_say_nothing_of_any_other():
    model = learned(counts=(20, 20))
    assert model.is_sure("liquidate", bound(20))
    assert not model.is_sure("liquidate", bound(21))
    assert not model.is_sure("liquidate", bound(19))


def test_one_size_of_transaction_is_learned_too():
    model, chance = CuModel(), random.Random(5)
    for _ in range(200):
        model.note_landed("post", bound(3), used(3, chance))
    asked = model.request("post", bound(3))
    assert used(3, chance, 0) <= asked <= 1.07 * used(3, chance, 0)


def test_a_cost_that_falls_as_the_bound_rises_still_gives_a_line_that_covers_it():
    model = CuModel()
    for n in range(200):
        model.note_landed("odd", bound(n % 5), 9_000 - 50 * (n % 5))
    assert all(
        model.request("odd", bound(n)) >= 9_000 - 50 * n
        for n in range(5)
        if model.is_sure("odd", bound(n))
    )


def test_an_old_regime_is_forgotten():
    model, chance = learned(), random.Random(3)
    for _ in range(WINDOW):
        model.note_landed("liquidate", bound(20), used(20, chance) * 2)
    assert model.request("liquidate", bound(20)) > 2 * used(20, chance, 0)


def test_what_no_node_could_say_is_not_learned():
    model = CuModel()
    model.note_landed("liquidate", bound(1), None)
    assert model.as_values() == {}


def test_what_was_learned_survives_as_plain_integers():
    model = learned()
    values = model.as_values()
    again = CuModel.of_values(
        {kind: [list(pair) for pair in pairs] for kind, pairs in values.items()}
    )
    assert again.as_values() == values
    assert again.request("liquidate", bound(7)) == model.request("liquidate", bound(7))


def test_stored_values_that_make_no_sense_are_left_out():
    model = CuModel.of_values({"a": [(0, 5), (5, 0), (5, TRANSACTION_CU_MAX + 1), (5, 4)]})
    assert model.as_values() == {"a": [(5, 4)]}


@given(
    st.lists(
        st.tuples(st.integers(1, TRANSACTION_CU_MAX), st.integers(1, TRANSACTION_CU_MAX)),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, TRANSACTION_CU_MAX),
)
def test_a_request_is_always_one_that_a_transaction_may_make(pairs, one_bound):
    model = CuModel.of_values({"any": pairs * SAMPLES_LEAST})
    assert 0 < model.request("any", one_bound) <= TRANSACTION_CU_MAX


@given(st.lists(st.integers(), min_size=1), st.integers(1, 10_000))
def test_a_quantile_is_the_least_value_that_so_many_do_not_exceed(values, bps):
    ordered = sorted(values)
    found = quantile(ordered, bps)
    assert sum(value <= found for value in ordered) * 10_000 >= bps * len(ordered)
    assert sum(value < found for value in ordered) * 10_000 < bps * len(ordered)


def test_the_margins_are_the_policys():
    model = CuModel(policy=CuPolicy(simulated_margin_bps=0))
    assert model.request("any", 5, simulated=7) == 7


@pytest.mark.parametrize("samples", [SAMPLES_LEAST, WINDOW])
def test_a_new_fit_is_drawn_as_samples_come_in(samples):
    model = learned(samples, counts=(1, 20))
    assert not model.is_sure("liquidate", bound(54))
    chance = random.Random(4)
    for _ in range(16):
        model.note_landed("liquidate", bound(54), used(54, chance))
    assert model.is_sure("liquidate", bound(54))


def test_what_is_known_of_one_simulation_goes_before_the_policy_of_all():
    model = CuModel()
    assert 1_040 == model.request("any", 5, simulated=1_000, simulated_margin_bps=400)
    assert 1_000 == model.request("any", 5, simulated=1_000, simulated_margin_bps=0)
    assert 1_100 == model.request("any", 5, simulated=1_000)
