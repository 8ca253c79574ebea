"""What real spot trades lock for writing, and how many of them a cluster's block takes: `python -m bench.tps`."""

import pytest
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionErrorFieldless

from bench.tps.blocks import TooFewError, cost_cu, room_for, written_by_all
from bench.tps.floor import Floor
from programs.localnet.scheduler import BlockLimits
from programs.localnet.weights import read_budget


@pytest.fixture(scope="module")
def floor():
    return Floor(markets=3, users=4)


@pytest.fixture(scope="module")
def bought(floor):
    """Each user trades in each market."""
    return floor.opens(12, floor.markets)


@pytest.fixture(scope="module")
def landed(floor, bought):
    before = {key: floor.world.data(key) for key in floor.shared_accounts}
    opened = floor.landed(floor.signed(bought))
    closed = floor.landed(floor.signed(floor.closes(bought)))
    assert before == {key: floor.world.data(key) for key in floor.shared_accounts}
    return opened, closed


def test_neither_a_spot_trade_nor_its_sale_locks_an_account_that_all_markets_share(floor, landed):
    for each in (*landed[0], *landed[1]):
        assert not each.written & floor.shared_accounts


def test_two_spot_trades_of_different_users_in_different_markets_write_nothing_in_common(
    bought, landed
):
    for stream in landed:
        for order, one in zip(bought, stream, strict=True):
            for other_order, other in zip(bought, stream, strict=True):
                if order.user is not other_order.user and order.market != other_order.market:
                    assert not one.written & other.written


def test_a_spot_trade_writes_its_market_and_what_is_its_users_own(floor, bought, landed):
    program = floor.world.program
    for order, one in zip(bought, landed[0], strict=True):
        written = {key: floor.world.svm.get_account(key) for key in one.written}
        assert {order.user.address, order.user.tokens, order.market, order.position} < set(written)
        assert len(written) == 5
        owned = {key for key, account in written.items() if account and account.owner == program}
        assert owned == {order.market}  # the position is closed by now


def test_a_trade_that_numbers_itself_writes_one_account_that_all_share(floor):
    numbered = floor.landed(floor.signed(floor.opens(4, floor.markets, counts_trade=True)))
    assert len(written_by_all(numbered)) == 1
    assert written_by_all(numbered) < floor.shared_accounts


def test_a_block_is_charged_for_what_ran_and_for_what_it_took_to_load_and_lock_it(landed):
    for each in landed[0]:
        message = each.transaction.message
        data = sum(len(one.data) for one in message.instructions)
        pages = read_budget(message).loaded_bytes_max // 32_768
        assert cost_cu(each) == each.cu + 720 + 300 * len(each.written) + data // 4 + 8 * pages


def test_one_market_fills_its_own_account_and_many_fill_the_block(floor):
    stream = floor.landed(floor.signed(floor.opens(30, floor.markets)))
    one = [each for each in stream if floor.markets[0] in each.written]
    cost = max(cost_cu(each) for each in stream)
    limits = BlockLimits(block_cu=12 * cost, account_cu=5 * cost)
    hot, all_ = room_for(one, limits), room_for(stream, limits)
    assert (hot.transactions, hot.bound_by) == (5, "account")
    assert (all_.transactions, all_.bound_by) == (12, "block")
    assert all_.per_s == 30
    with pytest.raises(TooFewError, match="all 5 transactions fit one block"):
        room_for(one[:5], limits)


def test_the_chain_that_is_measured_refuses_what_a_cluster_refuses(floor):
    svm = floor.world.svm
    first, second = floor.signed(floor.opens(2, floor.markets))
    floor.land([first])
    again = svm.send_transaction(VersionedTransaction.from_bytes(first))
    assert again.err() == TransactionErrorFieldless.AlreadyProcessed
    forged = bytearray(second)
    forged[1] ^= 1
    found = svm.send_transaction(VersionedTransaction.from_bytes(bytes(forged)))
    assert found.err() == TransactionErrorFieldless.SignatureFailure
    svm.expire_blockhash()
    late = svm.send_transaction(VersionedTransaction.from_bytes(second))
    assert late.err() == TransactionErrorFieldless.BlockhashNotFound
