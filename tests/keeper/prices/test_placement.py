from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.placement import Placement

tokens = st.lists(st.integers(0, 30).map(str), unique=True, max_size=25)


def test_sockets_are_filled_in_order_and_only_the_changed_ones_are_named():
    placement = Placement(2)
    assert placement.follow(["1", "2", "3"]) == {0: ("1", "2"), 1: ("3",)}
    assert placement.follow(["1", "2", "3"]) == {}
    assert placement.follow(["1", "2", "3", "4"]) == {1: ("3", "4")}
    assert placement.follow(["2", "3", "4", "5"]) == {0: ("2", "5")}
    assert placement.follow(["3"]) == {0: (), 1: ("3",)}
    assert placement.follow(["3", "6"]) == {0: ("6",)}


@given(st.integers(1, 4), st.lists(tokens, max_size=8))
def test_every_token_has_one_place_and_keeps_it(most, rounds):
    placement, held = Placement(most), {}
    for wanted in rounds:
        before = {token: number for number, carried in held.items() for token in carried}
        held.update(placement.follow(wanted))
        carried = [token for tokens in held.values() for token in tokens]
        assert sorted(carried) == sorted(wanted)
        assert all(len(tokens) <= most for tokens in held.values())
        after = {token: number for number, tokens in held.items() for token in tokens}
        assert all(after[token] == before[token] for token in before if token in after)
