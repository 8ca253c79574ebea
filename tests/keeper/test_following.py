"""keeper/following.py, on a virtual clock, over a Gamma that answers as told."""

from contextlib import asynccontextmanager

import pytest
import trio
from scripted import group_id, market_address, market_row, outcome_of, outcomes_of, token_of

from keeper.following import follow_markets
from keeper.newest import Newest
from keeper.prices.errors import TimedOutError
from keeper.prices.listing import listing_of
from keeper.prices.outcomes import Unproven, question_id
from keeper.snapshot import Snapshot, take_markets
from keeper.tally import Tally
from programs.accounts import MarketStatus


def body_of(number, outcome, at):
    triple = outcome_of(number, outcome)
    return {
        "conditionId": "0x" + triple.condition_id.hex(),
        "questionID": question_id(group_id(number), at),
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": f'["{triple.yes}", "{triple.no}"]',
        "negRisk": True,
        "negRiskMarketID": "0x" + group_id(number).hex(),
    }


class Gamma:
    """Lists groups, and notes what it is asked."""

    def __init__(self):
        self.open, self.closed = {}, {}
        self.asked = []
        self.silent = 0
        """So many calls go unanswered, each after four seconds."""
        self.silent_groups = set()

    def put(self, number, outcomes, *, numbers=None, closed=()):
        for outcome, at in enumerate(numbers or range(outcomes)):
            listed = self.closed if outcome in closed else self.open
            body = body_of(number, outcome, at)
            listed[body["questionID"]] = listing_of(body)

    async def __call__(self, *, question_ids, is_closed):
        self.asked.append((tuple(question_ids), is_closed))
        hangs = any(
            one[:-2] == "0x" + group_id(each).hex()[:-2]
            for one in question_ids
            for each in self.silent_groups
        )
        if self.silent or hangs:
            self.silent = max(0, self.silent - 1)
            await trio.sleep(4)
            raise TimedOutError("gamma gave no whole answer within 4000 ms")
        await trio.sleep(0.1)
        listed = self.closed if is_closed else self.open
        return [listed[one] for one in question_ids if one in listed]


class Followed:
    def __init__(self):
        self.gamma, self.tally = Gamma(), Tally()
        self.chain, self.following, self.followed = Newest(), Newest(), Newest()

    def scan(self, *rows):
        self.chain.publish(
            Snapshot(
                slot=1,
                global_=None,
                vault=None,
                positions=[],
                addresses=[],
                markets=take_markets(list(rows))[0],
            )
        )

    def tokens_of(self, number):
        return self.following.get().tokens_of(market_address(number))


@asynccontextmanager
async def following():
    followed = Followed()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            follow_markets,
            followed.tally,
            followed.chain,
            followed.gamma,
            followed.following,
            followed.followed,
        )
        yield followed
        nursery.cancel_scope.cancel()


def binary(number, **changes):
    return market_row(number, slot=1, **changes)


def multiple(number, outcomes, **changes):
    return market_row(number, slot=1, prices_e6=[1_000_000 // outcomes] * outcomes, **changes)


def yes_of(number, outcomes):
    return tuple(triple.yes for triple in outcomes_of(number, outcomes))


async def test_a_two_outcome_market_is_followed_at_once_by_the_token_it_stores(autojump_clock):
    async with following() as world:
        world.scan(binary(0), binary(4))
        await trio.testing.wait_all_tasks_blocked()

        assert (token_of(0),) == world.tokens_of(0)
        assert tuple(sorted([token_of(0), token_of(4)])) == world.followed.get()
        assert {token_of(0): "market 0", token_of(4): "market 4"} == world.following.get().names
        assert [] == world.gamma.asked


async def test_the_outcomes_of_a_market_are_asked_for_and_proved(autojump_clock):
    async with following() as world:
        world.gamma.put(7, 3, numbers=(0, 2, 5))
        world.scan(binary(0), multiple(7, 3))
        await trio.testing.wait_all_tasks_blocked()
        assert Unproven.PENDING == world.tokens_of(7)
        assert (token_of(0),) == world.followed.get()

        await trio.sleep(1)
        assert yes_of(7, 3) == world.tokens_of(7)
        assert tuple(sorted([token_of(0), *yes_of(7, 3)])) == world.followed.get()
        assert "market 7 outcome 2" == world.following.get().names[yes_of(7, 3)[2]]
        assert 1 == len(world.gamma.asked)


async def test_several_markets_share_a_call_of_at_most_forty_questions(autojump_clock):
    async with following() as world:
        for number in range(10):
            world.gamma.put(number, 3)
        world.scan(*(multiple(number, 3) for number in range(10)))
        await trio.sleep(5)

        assert all(yes_of(number, 3) == world.tokens_of(number) for number in range(10))
        assert [35, 35] == [len(asked) for asked, _ in world.gamma.asked]


async def test_what_was_proved_is_never_asked_again_whatever_the_markets_prices_do(autojump_clock):
    async with following() as world:
        world.gamma.put(7, 3)
        for price_e6 in range(300_000, 310_000, 1_000):
            world.scan(market_row(7, slot=price_e6, prices_e6=[price_e6] * 3))
            await trio.sleep(1)
        assert 1 == len(world.gamma.asked)
        assert 2 == world.followed.sequence  # nothing, and then all three

        world.scan(market_row(7, slot=1, prices_e6=[300_000] * 3), binary(1))
        await trio.sleep(100)
        assert 1 == len(world.gamma.asked)
        assert (token_of(1),) == world.tokens_of(1)


async def test_a_silent_gamma_is_asked_again_ever_more_rarely_and_holds_up_nobody_else(
    autojump_clock,
):
    async with following() as world:
        world.gamma.put(7, 3)
        world.gamma.silent = 4
        world.scan(binary(0), multiple(7, 3))
        await trio.sleep(5)
        assert (token_of(0),) == world.tokens_of(0)
        assert Unproven.UNANSWERED == world.tokens_of(7)
        assert {"following.outcomes_unanswered": 1} == world.tally.refusals

        world.scan(binary(0), binary(1), multiple(7, 3))
        await trio.testing.wait_all_tasks_blocked()
        assert (token_of(1),) == world.tokens_of(1)
        # Four calls of 4 s, and 2, 4, 8 and 16 s between them.
        await trio.sleep(4 * 4 + 30 - 5 + 1)
        assert yes_of(7, 3) == world.tokens_of(7)
        assert 5 == len(world.gamma.asked)


async def test_a_group_that_gamma_never_answers_about_holds_up_no_other(autojump_clock):
    async with following() as world:
        world.gamma.put(8, 16)
        world.gamma.put(9, 3)
        world.gamma.silent_groups = {7}
        world.scan(multiple(7, 16), multiple(8, 16))
        await trio.sleep(1)
        world.scan(multiple(7, 16), multiple(8, 16), multiple(9, 3))
        await trio.sleep(60)
        assert yes_of(9, 3) == world.tokens_of(9)
        # 7 and 8 shared the first call, and no other.
        assert yes_of(8, 16) == world.tokens_of(8)
        assert Unproven.UNANSWERED == world.tokens_of(7)


@pytest.mark.parametrize(
    ("listed", "reason"),
    [((), Unproven.UNLISTED), ((0, 1), Unproven.TOO_FEW), ((0, 1, 3), Unproven.HASH)],
)
async def test_candidates_that_prove_nothing_are_refused_with_the_reason_and_asked_for_again(
    autojump_clock, listed, reason
):
    async with following() as world:
        for outcome in listed:
            body = body_of(7, outcome, outcome)
            world.gamma.open[body["questionID"]] = listing_of(body)
        world.scan(multiple(7, 3))
        await trio.sleep(3)
        assert reason == world.tokens_of(7)
        assert {f"following.{reason}": 1} == world.tally.refusals

        world.gamma.put(7, 3)
        await trio.sleep(5)
        assert yes_of(7, 3) == world.tokens_of(7)


async def test_a_market_keeps_an_outcome_that_the_venue_closed_and_one_far_along_its_group(
    autojump_clock,
):
    async with following() as world:
        world.gamma.put(7, 4, numbers=(0, 1, 60, 255), closed={1})
        world.scan(multiple(7, 4))
        await trio.sleep(5)
        assert yes_of(7, 4) == world.tokens_of(7)
        assert {False, True} == {is_closed for _, is_closed in world.gamma.asked}


async def test_a_market_that_resolves_is_followed_and_searched_for_no_longer(autojump_clock):
    async with following() as world:
        world.gamma.put(7, 3)
        world.scan(binary(0), multiple(7, 3), multiple(8, 3))
        await trio.sleep(2)
        asked = len(world.gamma.asked)
        over = MarketStatus.RESOLVED
        world.scan(binary(0, status=over), multiple(7, 3, status=over), multiple(8, 3, status=over))
        await trio.sleep(10_000)
        assert () == world.followed.get()
        assert len(world.gamma.asked) <= asked + 14  # a search under way comes to its end


async def test_no_market_at_all_is_news_too(autojump_clock):
    async with following() as world:
        world.scan()
        await trio.testing.wait_all_tasks_blocked()
        assert () == world.followed.get()
