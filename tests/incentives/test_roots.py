"""incentives/roots.py: allocations as trees, each at a place of its own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from incentives.lines import Allocation, EpochClose
from incentives.roots import (
    CHAIN_EPOCH_SLOTS,
    PARTS_MAX,
    RootPlace,
    UnpayableError,
    epoch_and_part,
    place_of,
    roots_of,
)
from programs.betting_platform.build import SOURCE

DIVISORS = [n for n in range(1, 9_001) if 9_000 % n == 0]


def wallet(number):
    return str(Pubkey(number.to_bytes(4, "big") + bytes(28)))


def close(amounts, *, epoch=7):
    allocations = tuple(
        Allocation(wallet=wallet(i), claim_numerator=amount, amount=amount)
        for i, amount in enumerate(amounts)
    )
    return EpochClose(
        epoch=epoch,
        start_slot=0,
        end_slot=100,
        rolled_over=0,
        emitted=sum(amounts),
        claim_denominator=1,
        is_scaled=False,
        allocations=allocations,
    )


def test_an_epoch_of_the_programs_length_keeps_its_number():
    assert RootPlace(12, 0) == place_of(12, 0, 9_000)
    assert RootPlace(12, 3) == place_of(12, 3, 9_000)


def test_short_epochs_share_a_chain_epoch_and_have_indexes_of_their_own():
    assert RootPlace(0, 0) == place_of(0, 0, 100)
    assert RootPlace(0, 89 * 65_536 + 1) == place_of(89, 1, 100)
    assert RootPlace(1, 0) == place_of(90, 0, 100)


@settings(deadline=None)  # of a busy machine
@given(st.integers(0, 2**40), st.integers(0, PARTS_MAX - 1), st.sampled_from(DIVISORS))
def test_a_place_tells_its_epoch_and_part_and_fits_the_programs_integers(epoch, part, epoch_slots):
    place = place_of(epoch, part, epoch_slots)
    assert (epoch, part) == epoch_and_part(place, epoch_slots)
    assert place.index < 2**32


def test_no_root_of_ours_stands_at_an_index_beyond_the_epochs_of_a_chain_epoch():
    assert epoch_and_part(RootPlace(3, 65_536), 9_000) is None
    assert epoch_and_part(RootPlace(3, 65_536), 4_500) == (7, 0)


@pytest.mark.parametrize("epoch_slots", [0, -100, 7, 9_001, 18_000])
def test_an_epoch_that_does_not_divide_the_programs_is_refused(epoch_slots):
    with pytest.raises(UnpayableError, match="expected a divisor of 9000"):
        place_of(0, 0, epoch_slots)


@pytest.mark.parametrize(("epoch", "part"), [(-1, 0), (0, -1), (0, 65_536)])
def test_numbers_out_of_range_are_refused(epoch, part):
    with pytest.raises(UnpayableError, match=f"found epoch {epoch}, part {part}"):
        place_of(epoch, part, 9_000)


def test_the_length_of_a_chain_epoch_is_the_programs():
    header = (SOURCE / "ledger.h").read_text()
    assert f"#define EPOCH_SLOTS {CHAIN_EPOCH_SLOTS}\n" in header


def test_wallets_that_are_owed_nothing_have_no_leaf_and_an_epoch_may_have_no_root():
    (tree,) = roots_of(close([5, 0, 7]), 9_000)
    assert [(wallet(0), 5), (wallet(2), 7)] == [(str(r.wallet), r.amount) for r in tree.rewards]
    assert (7, 0, 12) == (tree.epoch, tree.index, tree.total)
    assert () == roots_of(close([]), 9_000)
    assert () == roots_of(close([0, 0]), 9_000)


def test_more_wallets_than_a_root_holds_go_on_in_the_next():
    first, second = roots_of(close([1] * 65_536 + [2]), 4_500)
    assert [(3, 65_536), (3, 65_537)] == [(tree.epoch, tree.index) for tree in (first, second)]
    assert (65_536, 65_536) == (len(first.rewards), first.total)
    assert [(wallet(65_536), 2)] == [(str(r.wallet), r.amount) for r in second.rewards]


def test_allocations_out_of_order_or_twice_for_a_wallet_are_refused():
    ordered = close([1, 2])
    for allocations in (ordered.allocations[::-1], ordered.allocations[:1] * 2):
        shuffled = EpochClose(
            **{name: getattr(ordered, name) for name in EpochClose.__slots__}
            | {"allocations": allocations}
        )
        with pytest.raises(UnpayableError, match="in order of wallet bytes"):
            roots_of(shuffled, 9_000)


def test_amounts_beyond_the_programs_integers_are_refused():
    with pytest.raises(UnpayableError, match=r"epoch 7, part 0: .*expected a u64"):
        roots_of(close([2**64 - 1, 1]), 9_000)
