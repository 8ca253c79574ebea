"""keeper/once.py: when a round is over, and what of it is undone."""

import pytest
import trio

from keeper.interrupt import Orders
from keeper.newest import Newest
from keeper.once import end_after_one_round, undone
from keeper.prices.board import PriceBoard
from keeper.prices.price import TokenId
from keeper.tally import Tally

SLOT_S = 0.4
DONE = {
    "positions": {"scans": 1},
    "prices": {"published": 1},
    "transactions": {"failed": 0, "expired": 0, "open": 0, "failed_because": {}},
}


class Round:
    """A round that has begun."""

    def __init__(self, nursery):
        self.orders, self.tally, self.board = Orders(), Tally(), PriceBoard()
        self.chain, self.followed = Newest(), Newest()
        parts = (self.orders, self.chain, self.followed, self.board, self.tally, SLOT_S)
        nursery.start_soon(end_after_one_round, *parts)

    async def length_s(self):
        before_s = trio.current_time()
        await self.orders.stop.wait()
        return trio.current_time() - before_s


async def test_a_round_ends_a_few_quiet_slots_after_everything_was_seen(autojump_clock):
    async with trio.open_nursery() as nursery:
        round_ = Round(nursery)
        round_.chain.publish(object())
        round_.followed.publish(())
        assert await round_.length_s() < 10 * SLOT_S


async def test_a_round_waits_for_what_is_in_flight_but_not_for_ever(autojump_clock):
    async with trio.open_nursery() as nursery:
        round_ = Round(nursery)
        round_.chain.publish(object())
        round_.followed.publish(())
        round_.tally.jobs_in_flight["prices"] = 1
        assert 100 * SLOT_S < await round_.length_s() < 200 * SLOT_S


async def test_a_round_without_a_scan_or_without_prices_ends_all_the_same(autojump_clock):
    async with trio.open_nursery() as nursery:
        round_ = Round(nursery)
        assert 30 < await round_.length_s() < 40
        round_ = Round(nursery)
        round_.chain.publish(object())
        round_.followed.publish((TokenId("1"),))
        assert 30 < await round_.length_s() < 40


@pytest.mark.parametrize(
    ("part", "changed", "words"),
    [
        ("positions", {"scans": 0}, "the chain could not be scanned"),
        ("prices", {"published": 0}, "no price could be read from the venue"),
        (
            "transactions",
            {"failed": 2, "failed_because": {"HALTED: no": 1, "AccountInUse: locked": 1}},
            "2 transactions failed on chain (HALTED: no; AccountInUse: locked)",
        ),
        ("transactions", {"expired": 1}, "1 transaction never landed"),
        ("transactions", {"open": 3}, "3 transactions still open: the next start settles them"),
    ],
)
def test_what_could_not_be_done_is_said(part, changed, words):
    assert [] == undone(DONE)
    assert [words] == undone(DONE | {part: DONE[part] | changed})
