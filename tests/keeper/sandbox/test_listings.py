"""keeper/sandbox/listings.py, over a venue whose listings are as told."""

import json
from contextlib import asynccontextmanager

import pytest
import trio
from structlog.testing import capture_logs

from keeper.errors import SandboxError
from keeper.prices.feed_config import FeedConfig
from keeper.sandbox.listings import find_markets
from keeper.sandbox.venue.serve import serve_venue
from keeper.sandbox.venue.venue import VenueConfig


def body_of(question, *, group=1, price="0.25", **changes):
    """A Gamma market of a group as it is recorded."""
    group_id = "0x" + bytes([group] * 31).hex() + "00"
    number = 100 * group + question
    return {
        "id": str(number),
        "question": f"Will {number} happen?",
        "slug": str(number),
        "conditionId": "0x" + number.to_bytes(32, "big").hex(),
        "outcomes": '["Yes", "No"]',
        "outcomePrices": json.dumps([price, "0.5"]),
        "clobTokenIds": json.dumps([str(2 * number), str(2 * number + 1)]),
        "bestBid": round(float(price) - 0.001, 4),
        "bestAsk": round(float(price) + 0.001, 4),
        "lastTradePrice": float(price),
        "negRisk": True,
        "negRiskMarketID": group_id,
        "questionID": f"{group_id[:-2]}{question:02x}",
    } | changes


@asynccontextmanager
async def listing(folder, *bodies):
    for number, body in enumerate(bodies):
        (folder / f"{number:02}.json").write_text(json.dumps(body))
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(serve_venue, VenueConfig(port=0, replay=folder))
            yield FeedConfig(clob_url=url, gamma_url=url)
            nursery.cancel_scope.cancel()


async def test_a_group_is_one_market_and_an_outcome_listed_alone_stands_for_itself(tmp_path):
    whole = [body_of(question, price="0.333") for question in (2, 0, 1)]
    async with listing(tmp_path, *whole, body_of(0, group=2)) as feed:
        single, group = await find_markets(feed, tmp_path)
    assert (2, (250_000,)) == (single.outcomes, single.prices_e6)
    assert (3, (333_000,) * 3) == (group.outcomes, group.prices_e6)
    assert bytes([1] * 31) + bytes(1) == group.condition_id


@pytest.mark.parametrize(
    "bodies",
    [
        [body_of(question, price="0.3") for question in range(3)],
        [body_of(question, price="0.0588") for question in range(17)],
    ],
    ids=["their prices are not one together", "seventeen outcomes"],
)
async def test_a_group_that_the_program_would_not_take_is_set_aside_and_told(tmp_path, bodies):
    async with listing(tmp_path, *bodies) as feed:
        with capture_logs() as logs, pytest.raises(SandboxError, match="expected a Gamma market"):
            await find_markets(feed, tmp_path)
    (told,) = [entry for entry in logs if entry["event"] == "group.set_aside"]
    assert len(bodies) == told["outcomes"]
