"""keeper/post.py, on a virtual clock over a scripted cluster."""

from contextlib import asynccontextmanager

import pytest
import trio
from scripted import lane_of, market_address, market_row, open_world
from structlog.testing import capture_logs

from keeper.fees import FeePolicy
from keeper.lane_config import LaneConfig
from keeper.post import post_prices
from keeper.posting import PostingRules
from keeper.prices.price import PERMISSIONS, PriceClass
from programs.accounts import MarketStatus
from programs.errors import BY_NAME
from programs.instructions import Tag
from tests.fakes import FINALIZE_SLOTS, SLOT_S, accounts_of

ERR = {"InstructionError": [3, {"Custom": BY_NAME["MARKET_NOT_OPEN"].code}]}
MARKET = 2
"""Where update_prices names its market."""


@asynccontextmanager
async def posting(**changes):
    """The prices lane runs; it is drained when the block ends."""
    async with open_world() as world:
        config = LaneConfig(**changes)
        world.nursery.start_soon(
            post_prices,
            lane_of(world.kit, "prices", config),
            PostingRules,  # asked anew in every slot
            world.board,
            world.chain,
            world.following,
            world.stop,
        )
        yield world
        world.stop.set()


async def test_a_price_that_moved_is_posted_and_remembered_with_its_source(autojump_clock):
    async with posting() as world:
        world.scan(markets=[market_row(0, slot=world.cluster.slot)])
        world.price(price_e6=510_000)
        await world.slots(6)

        ((posted,),) = world.posts()
        assert (0, 510_000, 0) == posted[:3]
        assert 1 == world.tally.prices_posted
        (known,) = world.tally.posted_tokens.values()
        assert (510_000, "valid", "clob", None) == (
            known.price_e6,
            known.price_class,
            known.source,
            known.recorded_body,
        )
        assert [("post", "landed", 1_000)] == [
            (kind, state, int(effect.split(":")[0]))
            for kind, state, effect in world.rows(
                "SELECT kind, state, effect FROM attempt_job JOIN attempt ON attempt_id = id"
            )
        ]


async def test_no_scan_no_post(autojump_clock):
    async with posting() as world:
        world.price(price_e6=510_000)
        await world.slots(6)
        assert [] == world.posts()


async def test_one_post_is_in_flight_per_market_whatever_the_board_says(autojump_clock):
    async with posting() as world:
        world.cluster.drops = 5  # the first is long under way
        world.scan(markets=[market_row(0, slot=world.cluster.slot)])
        for step in range(10):
            world.price(price_e6=510_000 + 5_000 * step)
            world.scan(markets=[market_row(0, slot=world.cluster.slot)])
            await world.slots(1)
        assert 1 == len(world.cluster.received)


async def test_a_scan_as_old_as_our_own_post_never_posts_again(autojump_clock):
    async with posting() as world:
        start = world.cluster.slot
        world.scan(markets=[market_row(0, slot=start)])
        world.price(price_e6=510_000)
        await world.slots(6)
        ((landed_slot, _),) = world.cluster.included.values()
        # Scans taken before the post landed, or in its slot, still show the old price.
        for slot in (start, landed_slot - 1, landed_slot):
            world.scan(markets=[market_row(0, slot=start)], slot=slot)
            await world.slots(3)
            assert 1 == len(world.cluster.received)
        # A newer sight that still shows it, for a notification was lost: also when no state holds the effect any more,
        # nothing is said twice.
        world.scan(markets=[market_row(0, slot=start)], slot=landed_slot + 1)
        await world.slots(FINALIZE_SLOTS + 5)
        assert 1 == len(world.cluster.received)
        assert world.tally.refusals["prices.seen_before_our_post"] > 0
        world.price(price_e6=510_000)
        world.scan(markets=[market_row(0, slot=start)], slot=landed_slot + 2 + FINALIZE_SLOTS)
        await world.slots(3)
        assert 2 == len(world.cluster.received)


async def test_a_clamped_move_is_continued_until_it_has_arrived(autojump_clock):
    async with posting() as world:
        world.price(price_e6=600_000)
        chain_e6, landed = 500_000, 0
        while chain_e6 < 600_000:
            slot = world.cluster.slot
            world.scan(markets=[market_row(0, slot=slot - 1, price_e6=chain_e6)])
            await world.slots(5)
            world.price(price_e6=600_000)
            # The program moves a price by at most two points a slot.
            moves = world.tally.prices_posted - landed
            chain_e6, landed = min(600_000, chain_e6 + 20_000 * moves), landed + moves
            assert landed <= 8
        world.scan(markets=[market_row(0, slot=world.cluster.slot, price_e6=600_000)])
        await world.slots(10)
        assert landed == world.tally.prices_posted == len(world.cluster.received)
        assert 5 == landed


async def test_a_clamped_move_of_the_same_reading_is_another_effect_and_no_duplicate(
    autojump_clock,
):
    async with posting() as world:
        world.price(price_e6=600_000)
        for _ in range(3):
            slot = world.cluster.slot
            world.scan(markets=[market_row(0, slot=990, price_e6=520_000, price_update_slot=slot)])
            await world.slots(5)
        slots = {posted[3] for (posted,) in world.posts()}
        assert 3 == len(world.posts())
        assert 1 == len(slots)
        assert 0 == (await world.attempts.summary()).duplicates


async def test_an_old_reading_is_not_posted_over_and_over_because_the_chain_is_old(autojump_clock):
    async with posting() as world:
        world.price(price_e6=500_000, price_class=PriceClass.DEGRADED, age_s=60 * SLOT_S)
        for _ in range(5):
            slot = world.cluster.slot
            row = market_row(0, slot=slot - 60, price_class=1)
            world.scan(markets=[(row[0], row[1])])
            await world.slots(4)
            world.price(price_e6=500_000, price_class=PriceClass.DEGRADED, age_s=70 * SLOT_S)
        assert [] == world.posts()


async def test_a_new_class_is_posted_though_the_price_stands_still(autojump_clock):
    async with posting() as world:
        world.scan(markets=[market_row(0, slot=world.cluster.slot)])
        world.price(price_class=PriceClass.DEGRADED)
        await world.slots(4)
        ((posted,),) = world.posts()
        assert 1 == posted[2]


@pytest.mark.parametrize("price_class", [each for each in PriceClass if not PERMISSIONS[each].post])
async def test_a_class_that_may_not_be_posted_never_is(autojump_clock, price_class):
    async with posting() as world:
        for _ in range(20):
            world.scan(markets=[market_row(0, slot=world.cluster.slot - 140)])
            world.price(price_e6=900_000, price_class=price_class)
            await world.slots(1)
        assert [] == world.posts()
        # Counted when it came about, not in every slot since.
        assert {f"prices.{price_class}:fallback": 1} == world.tally.refusals


async def test_a_refusal_is_counted_again_when_its_reason_changes(autojump_clock):
    async with posting() as world:
        world.scan(markets=[market_row(0, slot=world.cluster.slot)])
        await world.slots(3)
        world.price(price_class=PriceClass.STALE)
        await world.slots(3)
        world.price()
        await world.slots(3)
        world.price(price_class=PriceClass.STALE)
        await world.slots(3)
        row = market_row(0, slot=world.cluster.slot, status=MarketStatus.RESOLVED)
        world.scan(markets=[row])
        await world.slots(3)
        assert {
            "prices.no_price": 1,
            "prices.stale:fallback": 2,
            "prices.market_resolved": 1,
        } == world.tally.refusals


async def test_all_outcomes_of_a_market_are_posted_in_one_instruction(autojump_clock):
    async with posting() as world:
        world.prove(0, 3)
        world.scan(markets=[market_row(0, slot=990, prices_e6=[300_000, 300_000, 400_000])])
        for outcome, price_e6 in enumerate((310_000, 290_000, 400_000)):
            world.price(0, price_e6, outcome=outcome, age_s=outcome * SLOT_S)
        await world.slots(6)

        ((posted,),) = world.posts()
        number, prices_e6, price_class, publish_slot = posted
        assert (0, (310_000, 290_000, 400_000), 0) == (number, prices_e6, price_class)
        # As old as the oldest of them.
        assert world.cluster.first_slot - 2 == publish_slot
        assert (1, 3) == (world.tally.prices_posted, len(world.tally.posted_tokens))


async def test_markets_of_few_and_of_many_outcomes_share_transactions(autojump_clock):
    sizes = [3, 1, 16, 1, 4, 16, 1, 5, 16, 16, 16]
    async with posting() as world:
        rows = []
        for number, size in enumerate(sizes):
            world.prove(number, size)
            prices_e6 = [1_000_000 // size if size > 1 else 500_000] * size
            rows.append(market_row(number, slot=world.cluster.slot, prices_e6=prices_e6))
            for outcome in range(size):
                shown = None if size == 1 else outcome
                world.price(number, prices_e6[outcome], PriceClass.DEGRADED, outcome=shown)
        world.scan(markets=rows)
        await world.slots(6)

        posts = [posted for batch in world.posts() for posted in batch]
        assert {*range(len(sizes))} == {number for number, *_ in posts}
        assert 1 < len(world.posts()) < len(sizes)
        assert len(sizes) == world.tally.prices_posted
        for number, prices_e6, *_ in posts:
            assert sizes[number] == (len(prices_e6) if isinstance(prices_e6, tuple) else 1)


async def test_a_market_is_withheld_until_its_last_outcome_is_trusted_and_tells_since_when(
    autojump_clock,
):
    async with posting() as world:
        world.prove(0, 3)
        row = market_row(0, slot=world.cluster.slot - 20, prices_e6=[300_000, 300_000, 400_000])
        world.scan(markets=[row])
        start_s = trio.current_time()
        world.price(0, 320_000, outcome=0)
        await world.slots(3)
        world.price(0, 290_000, outcome=1)
        world.price(0, 390_000, PriceClass.STALE, outcome=2)
        await world.slots(3)
        assert [] == world.posts()
        withheld = world.tally.withheld[0]
        assert ("stale:fallback", 2) == (withheld.reason, withheld.outcome)
        assert start_s <= withheld.since_s <= start_s + SLOT_S
        assert 1_000 <= withheld.since_slot <= 1_001

        with capture_logs() as logs:
            world.price(0, 390_000, outcome=2)
            await world.slots(3)
        assert 1 == len(world.posts())
        assert {} == world.tally.withheld
        (released,) = [entry for entry in logs if entry["event"] == "price.released"]
        assert 5 * SLOT_S <= released["withheld_s"] <= 8 * SLOT_S
        assert {"prices.no_price": 1, "prices.stale:fallback": 1} == world.tally.refusals


async def test_a_market_whose_outcomes_are_not_known_is_withheld_with_the_reason(autojump_clock):
    async with posting() as world:
        world.scan(markets=[market_row(0, slot=1_000, prices_e6=[300_000, 300_000, 400_000])])
        await world.slots(3)
        assert {"prices.outcomes_pending": 1} == world.tally.refusals

        world.prove(0, 3)
        for outcome in range(3):
            world.price(0, 333_333, outcome=outcome)
        world.scan(markets=[market_row(0, slot=1_000, prices_e6=[300_000, 300_000, 400_000])])
        await world.slots(3)
        assert 1 == len(world.posts())


async def test_a_market_that_is_gone_is_forgotten_and_hundreds_are_looked_at_in_one_slot(
    autojump_clock,
):
    async with posting(concurrency=1) as world:
        slot = world.cluster.slot
        rows = [market_row(number, slot=slot) for number in range(250)]
        for number in range(250):
            world.price(number, 510_000)
        world.cluster.drops = 100  # nothing lands
        world.scan(markets=rows)
        await world.slots(1.5)
        first = {number for number, *_ in world.posts()[0]}
        world.scan(markets=[rows[at] for at in first])
        await world.slots(10)
        assert first == {number for batch in world.posts() for number, *_ in batch}


async def test_a_quiet_market_is_posted_again_when_its_heartbeat_comes(autojump_clock):
    async with posting() as world:
        start = world.cluster.slot
        world.scan(markets=[market_row(0, slot=start)])
        for _ in range(30):
            world.price()  # heard again, and again the same
            await world.slots(1)
        ((posted,),) = world.posts()
        assert start + 24 <= posted[3] <= start + 26


async def test_an_old_reading_is_posted_as_soon_as_a_newer_one_says_the_same(autojump_clock):
    async with posting() as world:
        world.price(price_e6=500_000, price_class=PriceClass.DEGRADED, age_s=60 * SLOT_S)
        row = market_row(0, slot=world.cluster.slot - 60, price_class=1)
        world.scan(markets=[row])
        await world.slots(10)
        assert [] == world.posts()
        world.price(price_e6=500_000, price_class=PriceClass.DEGRADED)
        await world.slots(3)
        assert 1 == len(world.posts())


async def test_what_is_ripe_rides_along_and_never_pays_for_a_transaction_of_its_own(
    autojump_clock,
):
    async with posting() as world:
        slot = world.cluster.slot
        world.scan(markets=[market_row(number, slot=slot) for number in range(60)])
        for number in range(1, 60):
            world.price(number, 501_500)
        await world.slots(4)
        assert [] == world.posts()

        world.price(0, 510_000)
        await world.slots(6)
        (together,) = world.posts()
        assert 0 == together[0][0]
        assert len(together) > 10
        assert len(together) - 1 == sum(price_e6 == 501_500 for _, price_e6, _, _ in together)
        assert len(together) == world.tally.prices_posted
        # Only what was due has a time it was due at.
        assert 1 == len(world.tally.latencies_ms())


async def test_no_more_than_may_be_in_flight_is_sent_and_the_most_urgent_goes_first(
    autojump_clock,
):
    async with posting(concurrency=2) as world:
        slot = world.cluster.slot
        world.scan(markets=[market_row(number, slot=slot) for number in range(100)])
        for number in range(100):
            world.price(number, 505_000 + 1_000 * number)
        await world.slots(1.5)
        sent = world.posts()
        assert 2 == len(sent)
        numbers = {number for batch in sent for number, *_ in batch}
        assert {*range(100 - len(numbers), 100)} == numbers
        # What waited is decided anew: it goes out with the price of then.
        for number in range(100):
            world.price(number, 700_000)
        await world.slots(20)
        later = [price_e6 for batch in world.posts()[2:] for _, price_e6, _, _ in batch]
        assert {700_000} == set(later)
        assert 100 == world.tally.prices_posted


async def test_one_guilty_market_is_found_and_pauses_while_the_innocent_are_posted(
    autojump_clock,
):
    async with posting() as world:
        guilty = market_address(5)
        # A transaction with the guilty one anywhere inside fails whole.
        world.cluster.outcome_of = lambda transaction: (
            ERR if guilty in transaction.message.account_keys else None
        )
        slot = world.cluster.slot
        world.scan(markets=[market_row(number, slot=slot) for number in range(12)])
        for number in range(12):
            world.price(number, 520_000)
        await world.slots(60)

        posted = {
            bytes(address)[1]
            for signature, (_, err) in world.cluster.included.items()
            if err is None
            for address in world.cluster.received[signature].message.account_keys
            if bytes(address)[0] == 100
        }
        assert {*range(12)} - {5} == posted
        assert 11 == world.tally.prices_posted
        # 12, 6, 3, 1 and again alone after pauses of 2, 4 and 8 seconds: no fee every slot.
        failed = world.tally.failed["prices"]
        assert 4 <= failed <= 7
        assert world.tally.refusals["prices.failed_on_chain"] >= 12 + 6 + 3 + 1


async def test_a_price_that_came_back_before_it_was_posted_is_due_from_its_next_move_on(
    autojump_clock,
):
    # Nothing may be spent: what is due stays due without a post.
    broke = LaneConfig(fees=FeePolicy())
    async with open_world() as world:
        world.nursery.start_soon(
            post_prices,
            lane_of(world.kit, "prices", broke),
            PostingRules,  # asked anew in every slot
            world.board,
            world.chain,
            world.following,
            world.stop,
        )
        world.scan(markets=[market_row(0, slot=world.cluster.slot)])
        for price_e6 in (510_000, 500_000):
            world.price(price_e6=price_e6)
            await world.slots(5)
        assert {"prices.not_worth_sending"} == set(world.tally.refusals)
        assert [] == world.posts()
        world.stop.set()


async def test_latency_counts_from_the_newest_time_it_became_due(autojump_clock):
    async with posting() as world:
        world.rpc.faults["send_transaction"] = [20 * SLOT_S]  # the first post hangs
        slot = world.cluster.slot
        world.scan(markets=[market_row(0, slot=slot), market_row(1, slot=slot)])
        world.price(1, 510_000)
        await world.slots(30)
        (latency_ms,) = world.tally.latencies_ms()
        assert 20 * SLOT_S * 1_000 <= latency_ms <= 26 * SLOT_S * 1_000


async def test_a_stop_sends_nothing_new_and_waits_for_what_is_in_flight(autojump_clock):
    async with open_world() as world:
        world.nursery.start_soon(
            post_prices,
            lane_of(world.kit, "prices"),
            PostingRules,  # asked anew in every slot
            world.board,
            world.chain,
            world.following,
            world.stop,
        )
        world.cluster.drops = 2
        world.scan(markets=[market_row(number, slot=world.cluster.slot) for number in range(2)])
        world.price(0, 510_000)
        await world.slots(1.5)
        world.stop.set()
        world.price(1, 510_000)
    assert 1 == world.tally.prices_posted
    assert {Tag.UPDATE_PRICES} == {
        bytes(each.message.instructions[-1].data)[0] for each in world.cluster.received.values()
    }
    assert [market_address(0)] == [
        accounts_of(each)[MARKET] for each in world.cluster.received.values()
    ]
