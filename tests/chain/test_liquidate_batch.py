"""Batches: everyone on a side sells at one price, once; and how many fit one transaction."""

import random
import struct
from itertools import pairwise

import numpy as np
import pytest
from harness import USD, keypair, refused
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from programs import curve, events
from programs.accounts import Side
from programs.curve import Curve
from programs.layout import CHAIN_DTYPE, POSITION_DTYPE, AccountKind
from programs.units import TRANSACTION_BYTES_MAX, TRANSACTION_LOCKS_MAX, U64_MAX

LOOKUP_TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
LOG_BYTES_MAX = 10_000
"""Where the runtime cuts a transaction's logs."""


def open_many(platform, user, market, count, *, sides=(Side.YES,)):
    """Addresses of positions of $20 at ten times."""
    return [
        platform.position_address(
            user,
            market,
            platform.open(user, market, 20 * USD, leverage=10, side=sides[n % len(sides)])[0],
        )
        for n in range(count)
    ]


@pytest.fixture
def thirty(platform, staked):
    """Thirty positions of one user, sunk so deep that the pool's floor cuts the sale short."""
    platform.is_audited = False
    user = platform.user(100_000_000)
    positions = open_many(platform, user, staked, 30)
    now = platform.market(staked).pools[0]
    cost = curve.buy_shares(Curve(liquidity=now.liquidity, q=now.q), Side.NO, 950_000 * USD)
    platform.open(user, staked, cost, side=Side.NO)
    platform.move_oracle(staked, 190_000)
    platform.is_audited = True
    return user, positions


def test_all_who_sell_together_get_the_price_of_one_sale(platform, staked):
    user = platform.user()
    positions = open_many(platform, user, staked, 7)
    platform.move_oracle(staked, 440_000)
    pool = platform.market(staked).pools[0]
    receipt = platform.liquidate(user, staked, positions)
    sold, proceeds = (receipt.events[0].amounts(name) for name in ("shares_sold", "proceeds"))
    now = Curve(liquidity=pool.liquidity, q=pool.q)
    total = curve.sell_shares(now, Side.YES, sum(sold))
    assert sum(proceeds) == total
    assert all(
        0 <= total * s / sum(sold) - p < 2 for s, p in zip(sold, proceeds[:-1], strict=False)
    )
    assert 0 <= proceeds[-1] - total * sold[-1] // sum(sold) <= 2 * len(sold)


def test_the_order_of_a_batch_changes_nobodys_result_by_more_than_rounding(platform, staked):
    user = platform.user()
    positions = open_many(platform, user, staked, 6, sides=(Side.YES, Side.NO))
    platform.move_oracle(staked, 440_000)
    results = []
    instruction = platform.liquidate_instruction(user, staked, positions)
    for seed in range(3):
        batch = random.Random(seed).sample(positions, len(positions))
        message = MessageV0.try_compile(
            user.address,
            [platform.liquidate_instruction(user, staked, batch)],
            [],
            platform.svm.latest_blockhash(),
        )
        found = platform.svm.simulate_transaction(VersionedTransaction(message, [user.key]))
        assert not isinstance(found, FailedTransactionMetadata)
        (event,) = events.decode_logs(found.meta().logs(), instruction.program_id)
        results.append({r["position"]: r["proceeds"] for r in event.records})
    for position in results[0]:
        amounts = [result[position] for result in results]
        assert max(amounts) - min(amounts) <= 2 * len(positions)


def test_a_position_listed_twice_is_sold_once(platform, staked):
    user = platform.user()
    (position,) = open_many(platform, user, staked, 1)
    platform.move_oracle(staked, 440_000)
    receipt = platform.liquidate(user, staked, [position] * 3)
    assert receipt.events[0].amount("positions") == 1
    with refused("NOTHING_LIQUIDATED"):
        platform.liquidate(user, staked, [position])


def test_at_the_floor_the_first_of_a_batch_sell_and_the_inventory_takes_the_rest(platform, staked):
    user = platform.user(10_000_000)
    positions = [
        platform.position_address(
            user, staked, platform.open(user, staked, 200 * USD, leverage=10)[0]
        )
        for _ in range(6)
    ]
    pool = platform.market(staked).pools[0]
    now = Curve(liquidity=pool.liquidity, q=pool.q)
    down = curve.shares_to_price(now, Side.YES, 405_000)
    platform.open(
        platform.user(100_000_000), staked, curve.buy_shares(now, Side.NO, down), side=Side.NO
    )
    platform.move_oracle(staked, 400_000)
    pool = platform.market(staked).pools[0]
    room = curve.shares_to_price(Curve(liquidity=pool.liquidity, q=pool.q), Side.YES, 400_000)
    event = platform.liquidate(user, staked, positions).events[0]
    assert sum(event.amounts("shares_sold")) == room
    assert event.amounts("shares_sold")[0] > 0
    assert event.amounts("shares_sold")[-1] == 0
    assert event.amounts("shares_to_inventory")[0] == 0
    assert event.amounts("shares_to_inventory")[-1] > 0


def test_a_batch_sells_on_both_sides_of_several_pools(platform):
    platform.stake(platform.user(10_000_000), 1_000_000 * USD)
    market = platform.create_market("many", 300_000, 350_000, 350_000)
    platform.post(market, 300_000, 350_000, 350_000)
    maker, user = platform.user(10_000_000), platform.user()
    for pool in range(3):
        platform.add_liquidity(maker, market, 1_000_000 * USD, pool=pool)
    positions = [
        platform.position_address(
            user,
            market,
            platform.open(user, market, 100 * USD, leverage=10, side=side, pool=pool)[0],
        )
        for pool in range(2)
        for side in Side
    ]
    for number, prices in enumerate(
        ((240_000, 410_000, 350_000), (340_000, 310_000, 350_000), (370_000, 290_000, 340_000))
    ):
        platform.is_audited = False
        platform.warp(5)
        platform.post(market, *prices)
        platform.is_audited = True
        if number != 1:
            platform.liquidate(user, market, positions)
    assert platform.market(market).debt == 0


def lookup_table(platform, addresses):
    """An address table as the runtime reads it, filled long ago."""
    key = keypair("lookup table").pubkey()
    head = struct.pack("<IQQBB32sH", 1, U64_MAX, 0, 0, 0, bytes(32), 0)
    data = head + b"".join(bytes(address) for address in addresses)
    platform.svm.set_account(key, Account(10**9, data, LOOKUP_TABLE_PROGRAM))
    return AddressLookupTableAccount(key, addresses)


def batch_transaction(platform, user, market, positions, tables=()):
    message = MessageV0.try_compile(
        user.address,
        [
            set_compute_unit_limit(1_400_000),
            platform.liquidate_instruction(user, market, positions),
        ],
        list(tables),
        platform.svm.latest_blockhash(),
    )
    return VersionedTransaction(message, [user.key])


def test_fifty_positions_fit_one_transaction_with_a_lookup_table_and_its_logs_are_whole(
    platform, staked
):
    platform.is_audited = False
    user = platform.user(10_000_000)
    positions = open_many(platform, user, staked, 53)
    platform.move_oracle(staked, 440_000)
    table = lookup_table(platform, positions)
    batch = batch_transaction(platform, user, staked, positions, [table])
    assert len(bytes(batch)) <= TRANSACTION_BYTES_MAX
    assert len(positions) + len(batch.message.account_keys) <= TRANSACTION_LOCKS_MAX
    landed = platform.svm.send_transaction(batch)
    assert not isinstance(landed, FailedTransactionMetadata), landed
    assert sum(map(len, landed.logs())) <= LOG_BYTES_MAX
    (event,) = events.decode_logs(landed.logs(), platform.program)
    assert event.amount("positions") == 53
    assert landed.compute_units_consumed() < 60_000
    assert platform.market(staked).debt == 0


def test_twenty_positions_fit_one_transaction_without_a_lookup_table(platform, thirty, staked):
    user, positions = thirty
    batch = batch_transaction(platform, user, staked, positions[:20])
    assert len(bytes(batch)) <= TRANSACTION_BYTES_MAX
    landed = platform.svm.send_transaction(batch)
    assert not isinstance(landed, FailedTransactionMetadata), landed


def test_bad_debt_of_a_batch_is_one_event(platform, thirty, staked):
    user, positions = thirty
    sold, booked = platform.liquidate(user, staked, positions).events
    assert sold.amount("positions") == booked.amount("positions") == 30
    assert booked.amount("amount") == sum(sold.amounts("bad_debt")) > 0
    assert platform.market(staked).debt == 0


def test_a_liquidation_stays_in_its_budget(platform, staked):
    """12_000 CU, and 2_000 for each further position."""
    platform.is_audited = False
    user = platform.user(10_000_000)
    positions = open_many(platform, user, staked, 8)
    platform.move_oracle(staked, 440_000)
    costs = [
        platform.simulate(platform.liquidate_instruction(user, staked, positions[:n]), user)
        for n in range(1, 9)
    ]
    assert costs[0] < 12_000
    assert max(b - a for a, b in pairwise(costs)) < 2_000


def put_chain(platform, user, market, position_id):
    """A chain that holds what a position account holds: state that a chain's steps would leave."""
    source = platform.position_address(user, market, position_id)
    held = np.frombuffer(platform.data(source), POSITION_DTYPE)
    chain = np.zeros(1, CHAIN_DTYPE)
    chain["kind"], chain["version"] = AccountKind.CHAIN, 1
    chain["market"], chain["owner"] = held["market"], held["owner"]
    for index in range(3):
        chain["positions"][0, index] = held[0]
    chain["positions"]["debt"][0, 1:] = chain["positions"]["shares"][0, 1:] = 0
    address = keypair("chain").pubkey()
    old = platform.svm.get_account(source)
    platform.svm.set_account(address, Account(old.lamports * 4, chain.tobytes(), old.owner))
    platform.svm.set_account(source, Account(0, b"", Pubkey.default()))
    platform.is_audited = False
    return address


def holding(platform, chain, index):
    return np.frombuffer(platform.data(chain), CHAIN_DTYPE)["positions"][0, index]


def test_what_a_chain_opened_is_liquidated_like_a_position(platform, staked):
    user, keeper = platform.user(), platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    chain = put_chain(platform, user, staked, position_id)
    platform.move_oracle(staked, 466_000)
    receipt = platform.liquidate(keeper, staked, [chain])
    assert receipt.events[0].records[0]["position"] == chain
    after = holding(platform, chain, 0)
    assert (after["shares"], after["debt"]) == (0, 0)
    assert after["residual"] > 0
    assert platform.market(staked).debt == 0
