import pytest
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from programs.instructions import liquidate_header
from programs.table_worth import deserves_place, want_tables

KEYS = [Pubkey(bytes([5, n >> 8, n & 255]) + bytes(29)) for n in range(600)]
PROGRAM, KEEPER, TOKENS, MARKER = KEYS[:4]
ONE = 10_000


def want(markets, at_risk=None, multiple=ONE):
    headers = {market: liquidate_header(PROGRAM, KEEPER, TOKENS, market) for market in markets}
    return want_tables(MARKER, headers, at_risk or {}, multiple, 10**9)


@pytest.mark.parametrize(
    ("uses_bps", "fee_multiple_bps", "worth"),
    [
        (ONE, ONE, False),
        (2 * ONE, ONE, True),
        (ONE, 15_000, True),
        (5_000, 2 * ONE, False),
        (5_000, 3 * ONE, True),
        (0, 100 * ONE, False),
    ],
)
def test_a_place_is_worth_it_when_it_saves_more_fees_than_it_costs(
    uses_bps, fee_multiple_bps, worth
):
    # One of 28 addresses in a transaction now, against 31 of 1_232 bytes then: 1.42 uses.
    assert deserves_place(uses_bps, fee_multiple_bps) is worth


def test_what_every_market_shares_is_told_from_what_is_its_own():
    found = want(KEYS[10:13])
    assert len(found.shared) == 5
    assert TOKENS in found.shared
    assert [group[0] for group in found.groups] == KEYS[10:13]
    assert all(len(group) == 2 for group in found.groups)
    assert KEEPER not in (*found.shared, *(one for group in found.groups for one in group))


def test_one_market_alone_takes_all_of_its_accounts_with_it():
    found = want(KEYS[10:11])
    assert found.shared == ()
    assert len(found.groups[0]) == 7


def test_positions_that_are_likely_to_go_on_a_dear_day_get_a_place_and_others_do_not():
    risk = {KEYS[10]: [(KEYS[100], 9_000), (KEYS[101], 5_000), (KEYS[102], 100)]}
    (group,) = want(KEYS[10:11], risk, multiple=3 * ONE).groups
    assert group[-2:] == (KEYS[100], KEYS[101])
    assert want(KEYS[10:11], risk).groups[0][-1] not in KEYS[100:103]


def test_a_group_never_outgrows_a_table():
    risk = {KEYS[10]: [(key, ONE) for key in KEYS[100:500]]}
    found = want(KEYS[10:12], risk, multiple=10 * ONE)
    assert 1 + len(found.shared) + len(found.groups[0]) == 256


def test_no_markets_want_nothing():
    found = want([])
    assert (found.shared, found.groups) == ((), ())


def test_a_signer_is_wanted_by_no_table():
    header = [AccountMeta(KEYS[20], is_signer=True, is_writable=False)]
    assert want_tables(MARKER, {KEYS[10]: header}, {}, ONE, 1).groups == ((),)
