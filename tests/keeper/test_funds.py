"""keeper/funds.py."""

from solders.pubkey import Pubkey

from keeper.funds import RENT_EXEMPT_LAMPORTS, Funds


def funds(spendable, **fields):
    made = Funds(Pubkey(bytes(32)), **fields)
    made.note_balance(RENT_EXEMPT_LAMPORTS + spendable)
    return made


def test_an_unknown_balance_is_not_held_against_a_lane():
    assert Funds(Pubkey(bytes(32))).can_pay(10**18)


def test_what_is_in_flight_is_not_spent_twice_and_what_must_stay_stays():
    payer = funds(10_000)
    payment = payer.commit(6_000)
    assert (payer.can_pay(4_000), payer.can_pay(4_001)) == (True, False)
    payer.settle(payment, 0)
    assert (payer.can_pay(10_000), payer.can_pay(10_001)) == (True, False)


def test_what_was_paid_since_the_last_reading_is_gone_until_the_next_one():
    payer = funds(10_000)
    payer.settle(payer.commit(6_000), 5_000)
    assert 5_000 == payer.available_lamports
    payer.note_balance(RENT_EXEMPT_LAMPORTS + 5_000)
    assert 5_000 == payer.available_lamports


def test_a_low_balance_is_told_once_and_well_again_only_well_above_the_mark():
    payer = Funds(Pubkey(bytes(32)), low_lamports=100)
    told = [payer.note_balance(lamports) for lamports in (100, 99, 98, 100, 149, 150, 120, 99)]
    assert [None, "low", None, None, None, "well", None, "low"] == told
