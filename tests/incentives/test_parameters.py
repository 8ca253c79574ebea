"""incentives/parameters.py."""

import json

import pytest

from incentives.parameters import Parameters, ParametersError, Rules


def test_the_defaults_are_the_specifications():
    rules = Parameters().rules(1)
    assert (9_000, 150) == (Parameters().epoch_slots, Parameters().dwell_slots)
    assert (10_000, 1_000, 100) == (
        rules.trade_reward_ppm,
        rules.mining_rate_ppm,
        rules.boosted_trades,
    )


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (
            {"mining_rate_ppm": 100_001},
            "mining_rate_ppm: found 100001, expected an integer from 0 to 100000",
        ),
        ({"trade_reward_ppm": 1.5}, "trade_reward_ppm: found 1.5"),
        ({"notional_min": 10**9, "notional_max": 10**8}, "notional_max: found 100000000, expected"),
        ({"boosted_trades": 101}, "boosted_trades: found 101, expected an integer from 0 to 100"),
        ({"maker_multiplier": 0}, "maker_multiplier: found 0"),
        ({"from_epoch": True}, "from_epoch: found True"),
    ],
)
def test_a_rule_out_of_range_is_refused_in_one_sentence(mistake, sentence):
    with pytest.raises(ParametersError, match=sentence):
        Rules(**mistake)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"epoch_slots": 700}, "epoch_slots: found 700, expected a divisor of 9000"),
        ({"dwell_slots": 0}, "dwell_slots: found 0"),
        ({"versions": ()}, "the first version must have from_epoch = 0"),
        ({"versions": (Rules(from_epoch=1),)}, "the first version must have from_epoch = 0"),
        (
            {"versions": (Rules(), Rules(from_epoch=5), Rules(from_epoch=5))},
            "version 3 is from epoch 5, expected a later one than 5, where version 2 starts",
        ),
    ],
)
def test_parameters_out_of_order_are_refused_in_one_sentence(mistake, sentence):
    with pytest.raises(ParametersError, match=sentence):
        Parameters(**mistake)


def test_a_version_holds_from_its_epoch_until_the_next_one_does():
    parameters = Parameters(versions=(Rules(), Rules(from_epoch=3), Rules(from_epoch=9)))
    assert [1, 1, 2, 2, 3, 3] == [parameters.version_at(epoch) for epoch in (0, 2, 3, 8, 9, 999)]


def test_json_is_canonical_and_read_back():
    parameters = Parameters(
        epoch_slots=100, versions=(Rules(), Rules(from_epoch=2, notional_max=10**11))
    )
    assert parameters == Parameters.from_json(parameters.to_json())
    version = json.loads(parameters.version_json(2))
    assert (1, 100, 2, 10**11) == (
        version["formula_version"],
        version["epoch_slots"],
        version["rules"]["from_epoch"],
        version["rules"]["notional_max"],
    )
    assert " " not in parameters.to_json()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"versions":1}', '{"versions":[{"rate":1}]}', '{"size":1}']
)
def test_json_of_something_else_is_refused(text):
    with pytest.raises(ParametersError):
        Parameters.from_json(text)


def test_what_is_recorded_may_be_added_to_from_a_later_epoch_only():
    recorded = Parameters(versions=(Rules(), Rules(from_epoch=7)))
    recorded.require_extends(recorded, begun_epoch=30)
    added = Parameters(versions=(*recorded.versions, Rules(from_epoch=31)))
    added.require_extends(recorded, begun_epoch=30)
    with pytest.raises(
        ParametersError,
        match="version 3 is from epoch 31, but epoch 31 has begun: let it start at 32",
    ):
        added.require_extends(recorded, begun_epoch=31)
    with pytest.raises(
        ParametersError, match=r"version 3 .from epoch 31. is recorded and no longer what it was"
    ):
        recorded.require_extends(added, begun_epoch=31)
    changed = Parameters(versions=(Rules(mining_rate_ppm=5), Rules(from_epoch=7)))
    with pytest.raises(ParametersError, match=r"version 1 .from epoch 0. is recorded"):
        changed.require_extends(recorded, begun_epoch=-1)
    with pytest.raises(
        ParametersError, match="dwell_slots: found 150, but this ledger was begun with 10"
    ):
        recorded.require_extends(Parameters(dwell_slots=10), begun_epoch=-1)
