import pytest
import trio
import trio.testing

from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId

ONE = TokenId("1")


def priced(price_e6, token_id=ONE):
    return Price(
        token_id=token_id,
        price_e6=price_e6,
        band_e6=0,
        price_class=PriceClass.VALID,
        source=Source.CLOB,
        received_at_s=0,
        content_time_ms=None,
        reason=Reason.OK,
    )


async def test_a_reader_sees_the_newest_price_and_never_the_ones_between(autojump_clock):
    board, seen = PriceBoard(), []

    async def read():
        sequence = 0
        while sequence < 5:
            sequence = await board.wait_newer(sequence)
            seen.append((sequence, board.get(ONE).price_e6))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        for price_e6 in (1_000, 2_000, 3_000):
            board.publish(priced(price_e6))
        await trio.testing.wait_all_tasks_blocked()
        for price_e6 in (4_000, 5_000):
            board.publish(priced(price_e6))
    assert seen == [(3, 3_000), (5, 5_000)]


async def test_waiting_for_what_is_already_there_returns_at_once_but_checkpoints(autojump_clock):
    board = PriceBoard()
    board.publish(priced(1_000))
    with trio.testing.assert_checkpoints():
        assert await board.wait_newer(0) == 1
    with trio.move_on_after(5) as waited:
        await board.wait_newer(1)
    assert waited.cancelled_caught


def test_a_snapshot_does_not_move_with_the_board():
    board = PriceBoard()
    board.publish(priced(1_000))
    before = board.snapshot()
    board.publish(priced(2_000))
    assert before[ONE].price_e6 == 1_000
    with pytest.raises(TypeError):
        before[ONE] = priced(3_000)


def test_an_unpriced_token_has_a_reason_until_it_has_a_price():
    board = PriceBoard()
    assert (board.get(ONE), board.why_unpriced(ONE)) == (None, None)
    board.note_unpriced(ONE, Reason.NO_SOURCE)
    assert (board.why_unpriced(ONE), board.statistics().unpriced) == (Reason.NO_SOURCE, 1)
    board.publish(priced(1_000))
    assert (board.why_unpriced(ONE), board.statistics().unpriced) == (None, 0)


def test_statistics_count_what_happened_and_do_not_change_afterwards():
    board = PriceBoard()
    board.publish(priced(1_000))
    board.count_observation(Source.CLOB)
    board.count_refusal("clob.malformed_book")
    board.count_failure(Source.CLOB, "timeout")
    board.count_failure(Source.CLOB, "timeout")
    assert [board.count_miss(Source.CLOB) for _ in range(2)] == [1, 2]
    statistics = board.statistics()
    board.count_success(Source.CLOB)
    board.count_refusal("clob.malformed_book")
    assert statistics.published == 1
    assert statistics.tokens_by_class == {PriceClass.VALID: 1}
    assert statistics.tokens_by_source == {Source.CLOB: 1}
    assert statistics.observations == {Source.CLOB: 1}
    assert statistics.refusals == {"clob.malformed_book": 1}
    assert statistics.errors == {"clob.timeout": 2}
    assert statistics.failures_in_a_row == {Source.CLOB: 2}
    assert board.failures_in_a_row(Source.CLOB) == 0
