"""Opening: exact shares, exact fees, and every refusal at its edge."""

import pytest
from harness import USD, RuntimeRefusalError, refused

from programs import curve, leverage, normal
from programs.accounts import Side
from programs.curve import Curve
from programs.event_layout import EventKind


def state(platform, market):
    pool = platform.market(market).pools[0]
    return Curve(liquidity=pool.liquidity, q=pool.q)


def with_vault(platform, usd):
    platform.stake(platform.user(100_000_000), usd * USD)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("cash", [1_000, 77_777_777, 50_000 * USD])
def test_a_spot_buy_gets_the_curves_shares_and_pays_the_fee_on_top(platform, market, side, cash):
    user = platform.user()
    expected = curve.buy_cash(state(platform, market), side, cash).shares
    position_id, receipt = platform.open(user, market, cash, side=side)
    position = platform.position(user, market, position_id)
    fee = leverage.fee_amount(cash, leverage.fee_rate_ubp(0))
    assert position.shares == expected
    assert (position.margin, position.notional, position.debt) == (cash, cash, 0)
    assert (position.side, position.pool, position.margin_bps) == (side, 0, 0)
    assert position.opened_slot == platform.slot
    assert position.owner == user.address
    assert platform.tokens(user.tokens) == 1_000_000 * USD - cash - fee
    (event,) = receipt.events
    assert event.kind is EventKind.POSITION_OPENED
    assert event.amount("fee") == fee
    assert event.amount("shares") == expected
    assert event.address("owner") == user.address
    assert event.address("position") == platform.position_address(user, market, position_id)
    after = state(platform, market)
    assert event.amount("pool_price_e6") == normal.price_e6(curve.u(after))
    assert event.amount("oracle_e6") == 500_000


@pytest.mark.parametrize(
    ("coverage_e6", "fee_ubp"),
    # Vectors of SPEC.md section 4, bp: the rate is rounded up, by less than 1e-4 bp.
    [
        (0, 28_000_000),
        (100_000, 21_520_500),
        (250_000, 14_809_200),
        (500_000, 8_578_300),
        (1_000_000, 4_244_700),
        (1_500_000, 3_277_700),
        (2_000_000, 3_062_000),
    ],
)
def test_the_fee_follows_coverage(platform, market, coverage_e6, fee_ubp):
    # $1M lent in a market of two outcomes weighs $0.5M; cash is then coverage times that.
    address = platform.vault_address
    account = platform.svm.get_account(address)
    data = bytearray(account.data)
    cash, loans = coverage_e6 * USD // 2, 1_000_000 * USD
    data[16:24] = cash.to_bytes(8, "little")
    data[24:32] = loans.to_bytes(8, "little")
    data[32:48] = (loans * 500_000).to_bytes(16, "little")
    platform.set_data(address, bytes(data))
    platform.is_audited = False
    _, receipt = platform.open(platform.user(), market, 1_000 * USD)
    (event,) = receipt.events
    assert event.amount("coverage_e6") == coverage_e6
    assert abs(event.amount("fee_rate_ubp") - fee_ubp) <= 100
    assert event.amount("fee_rate_ubp") == leverage.fee_rate_ubp(coverage_e6)
    assert event.amount("fee") == -(-1_000 * USD * event.amount("fee_rate_ubp") // 10**10)


@pytest.mark.parametrize("side", Side)
def test_leverage_borrows_the_rest_from_the_vault(platform, staked, side):
    user = platform.user()
    expected = curve.buy_cash(state(platform, staked), side, 5_000 * USD).shares
    position_id, receipt = platform.open(user, staked, 1_000 * USD, leverage=5, side=side)
    position, vault = platform.position(user, staked, position_id), platform.vault()
    assert (position.shares, position.debt, position.margin) == (expected, 4_000 * USD, 1_000 * USD)
    assert (vault.cash, vault.loans) == (996_000 * USD, 4_000 * USD)
    assert vault.weighted_debt_e6 == 4_000 * USD * 500_000
    assert platform.market(staked).pools[0].leveraged[side] == expected
    assert position.margin_bps == 500
    assert receipt.events[0].amount("leverage") == 5


def test_maintenance_margin_is_ten_percent_once_coverage_is_at_most_one(platform, market):
    # A vault with $40k lent elsewhere at tail loss 1 and $40k left.
    platform.is_audited = False
    with_vault(platform, 80_000)
    data = bytearray(platform.data(platform.vault_address))
    data[16:24] = (40_000 * USD).to_bytes(8, "little")
    data[24:32] = (40_000 * USD).to_bytes(8, "little")
    data[32:48] = (40_000 * USD * 1_000_000).to_bytes(16, "little")
    platform.set_data(platform.vault_address, bytes(data))
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD, leverage=2)
    assert platform.position(user, market, position_id).margin_bps == 1_000


@pytest.mark.parametrize(
    ("vault_usd", "allowed"), [(999, 1), (1_999, 1), (2_000, 2), (5_500, 5), (9_999, 9)]
)
def test_leverage_climbs_the_ladder_of_vault_equity(platform, market, vault_usd, allowed):
    with_vault(platform, vault_usd)
    user = platform.user()
    with refused("LEVERAGE_TOO_HIGH"):
        platform.open(user, market, USD, leverage=allowed + 1)
    platform.open(user, market, USD, leverage=allowed)


@pytest.mark.parametrize(("outcomes", "allowed"), [(2, 70), (3, 25), (5, 15), (9, 12)])
def test_leverage_above_the_tier_is_refused(platform, outcomes, allowed):
    with_vault(platform, 1_000_000)
    prices = (500_000,) if outcomes == 2 else (1_000_000 // outcomes,) * outcomes
    market = platform.create_market("m", *prices)
    platform.post(market, *prices)
    platform.add_liquidity(platform.user(100_000_000), market, 10_000_000 * USD)
    with refused("LEVERAGE_TOO_HIGH"):
        platform.open(platform.user(), market, 10 * USD, leverage=allowed + 1)


def test_leverage_without_a_vault_is_refused(platform, market):
    with refused("COVERAGE_LOW"):
        platform.open(platform.user(), market, 100 * USD, leverage=2)


def test_a_trade_that_would_bring_coverage_below_one_half_is_refused(platform, market):
    platform.is_audited = False
    with_vault(platform, 100_000)
    data = bytearray(platform.data(platform.vault_address))
    loans = 199_990
    data[24:32] = (loans * USD).to_bytes(8, "little")
    data[32:48] = (loans * USD * 1_000_000).to_bytes(16, "little")
    platform.set_data(platform.vault_address, bytes(data))
    with refused("COVERAGE_LOW"):
        platform.open(platform.user(), market, 1_000 * USD, leverage=2)


def test_a_markets_debt_stays_within_a_tenth_of_the_vault(platform, market):
    with_vault(platform, 20_000)
    user = platform.user()
    platform.open(user, market, 1_500 * USD, leverage=2)
    with refused("MARKET_DEBT_CAP"):
        platform.open(user, market, 500 * USD + 1, leverage=2)
    platform.open(user, market, 500 * USD, leverage=2)
    assert platform.market(market).debt == platform.vault().equity // 10


def test_leveraged_shares_stay_within_an_eighth_of_the_liquidity(platform, market):
    with_vault(platform, 10_000_000)
    users = [platform.user(), platform.user()]
    thin = platform.create_market("thin")
    platform.post(thin, 500_000)
    platform.add_liquidity(platform.users[0], thin, 8_000 * USD)
    platform.open(users[0], thin, 240 * USD, leverage=2)
    with refused("SIDE_CAP"):
        platform.open(users[1], thin, 60 * USD, leverage=2)
    platform.open(users[1], thin, 60 * USD, leverage=2, side=Side.NO)


def test_equity_below_four_fifths_of_the_margin_is_refused(platform, staked):
    with refused("SLIPPAGE_TOO_LARGE"):
        platform.open(platform.user(), staked, 12_000 * USD, leverage=5)


def test_equity_too_near_the_requirement_is_refused(platform, staked):
    # At 0.5 and 21 times, the gap reserve is 0.02 * 42 m = 0.84 m, and 1.25 of it more than m.
    with refused("MARGIN_TOO_THIN"):
        platform.open(platform.user(), staked, USD, leverage=21)
    platform.open(platform.user(), staked, USD, leverage=19)


def test_leverage_needs_a_valid_price(platform, staked):
    platform.post(staked, 500_000, price_class=1)
    with refused("PRICE_CLASS"):
        platform.open(platform.user(), staked, 100 * USD, leverage=2)
    platform.open(platform.user(), staked, 100 * USD)


def test_leverage_needs_a_price_of_at_most_150_slots_and_spot_of_750(platform, staked):
    user = platform.user()
    platform.warp(150)
    platform.open(user, staked, 100 * USD, leverage=2)
    platform.warp(1)
    with refused("PRICE_STALE"):
        platform.open(user, staked, 100 * USD, leverage=2)
    platform.warp(599)
    platform.open(user, staked, 100 * USD)
    platform.warp(1)
    with refused("PRICE_STALE"):
        platform.open(user, staked, 100 * USD)


def test_a_worse_price_than_the_worst_is_refused(platform, market):
    user = platform.user()
    shares = curve.buy_cash(state(platform, market), Side.YES, 10_000 * USD).shares
    worst = -(-10_000 * USD * 1_000_000 // shares)
    with refused("SLIPPAGE"):
        platform.open(user, market, 10_000 * USD, worst_price_e6=worst - 1)
    platform.open(user, market, 10_000 * USD, worst_price_e6=worst)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"margin": 0}, "ZERO_AMOUNT"),
        ({"pool": 1}, "BAD_POOL"),
        ({"pool": 255}, "BAD_POOL"),
        ({"side": 2}, "BAD_INSTRUCTION_DATA"),
        ({"leverage": 0}, "BAD_INSTRUCTION_DATA"),
        ({"leverage": 501}, "BAD_INSTRUCTION_DATA"),
        ({"margin": 2**63, "leverage": 500}, "ARITHMETIC"),
        ({"margin": 2**63}, "PRICE_RANGE"),
        ({"margin": 4_000_000 * USD}, "PRICE_RANGE"),
    ],
)
def test_values_out_of_range_are_refused(platform, market, arguments, name):
    with refused(name):
        platform.open(platform.user(), market, **({"margin": 100 * USD} | arguments))


def test_a_pool_without_liquidity_is_refused(platform):
    with refused("NO_LIQUIDITY"):
        platform.open(platform.user(), platform.create_market("m"), 100 * USD)


def test_a_halted_platform_refuses_new_exposure_and_lets_everybody_out(platform, staked):
    user = platform.user()
    spot, _ = platform.open(user, staked, 100 * USD)
    lent, _ = platform.open(user, staked, 100 * USD, leverage=5)
    data = bytearray(platform.data(platform.global_address))
    data[3] = 1
    platform.set_data(platform.global_address, bytes(data))
    for attempt in (
        lambda: platform.open(user, staked, 100 * USD),
        lambda: platform.add_liquidity(user, staked, 10**9),
        lambda: platform.stake(user, 10**9),
    ):
        with refused("HALTED"):
            attempt()
    platform.post(staked, 500_000)
    platform.close(user, staked, spot)
    platform.close(user, staked, lent, has_debt=True)


def test_a_resolved_market_refuses_everything_but_reading(platform, staked):
    user = platform.user()
    spot, _ = platform.open(user, staked, 100 * USD)
    data = bytearray(platform.data(staked))
    data[6] = 1
    platform.set_data(staked, bytes(data))
    for attempt in (
        lambda: platform.open(user, staked, 100 * USD),
        lambda: platform.add_liquidity(user, staked, 10**9),
        lambda: platform.close(user, staked, spot),
        lambda: platform.post(staked, 500_000),
        lambda: platform.liquidate(user, staked, [platform.position_address(user, staked, spot)]),
    ):
        with refused("MARKET_NOT_OPEN"):
            attempt()


def test_the_first_hundred_trades_are_numbered_and_later_ones_write_no_shared_account(
    platform, market
):
    platform.is_audited = False
    user = platform.user(10_000_000)
    with refused("GLOBAL_NOT_WRITABLE"):
        platform.open(user, market, 100 * USD, counts_trade=False)
    small, _ = platform.open(user, market, 100 * USD - 1, counts_trade=False)
    assert platform.position(user, market, small).trade_number == 0
    for number in range(1, 101):
        position_id, receipt = platform.open(user, market, 100 * USD)
        assert platform.position(user, market, position_id).trade_number == number
        assert receipt.events[0].amount("trade_number") == number
    before = [platform.data(a) for a in (platform.global_address, platform.vault_address)]
    later, receipt = platform.open(user, market, 100 * USD, counts_trade=False)
    assert platform.position(user, market, later).trade_number == 0
    assert platform.global_().trade_count == 100
    assert [platform.data(a) for a in (platform.global_address, platform.vault_address)] == before
    platform.is_audited = True
    platform.audit()


def test_more_than_the_owner_has_is_the_token_programs_refusal(platform, market):
    with pytest.raises(RuntimeRefusalError, match="insufficient funds"):
        platform.open(platform.user(1), market, 2 * USD)


def test_lamports_sent_to_the_address_beforehand_do_not_stop_a_position(platform, market):
    user = platform.user()
    for lamports in (1, 10**7):
        target = platform.position_address(user, market, user.next_position_id)
        platform.svm.airdrop(target, lamports)
        platform.open(user, market, 100 * USD)


def test_a_used_position_id_is_refused(platform, market):
    user = platform.user()
    platform.open(user, market, 100 * USD)
    user.next_position_id = 0
    with refused("ALREADY_INITIALIZED"):
        platform.open(user, market, 100 * USD)
