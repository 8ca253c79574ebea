"""Ledgers of a chain on which somebody cuts logs: the same from every node and however often the follower is killed."""

import random
import struct
from contextlib import closing, suppress

import pytest

from incentives.cli.recompute import compute_again
from incentives.ledger.opened import read_ledger
from incentives.ledger.verify import verify
from incentives.reading.errors import GapError
from programs.event_layout import EventKind
from programs.instructions.tags import Tag
from programs.rpc import RpcTimeout
from tests.incentives.cut_chain import LIMIT, Step, land, noise
from tests.incentives.test_cut_logs import accounts
from tests.incentives.test_follow import follow_once, rows, settings_in, stands
from tests.incentives.told_chain import ToldPlatform, logs_of
from tests.incentives.told_events import Telling, address

MARKET = address("market")


def platform(limit):
    """Trades of three wallets; one closes unread, a stranger opens, resolves and liquidates with cut logs."""
    told = Telling()
    chain = ToldPlatform()
    chain.season_start_slot = 1_000
    events = [told.genesis(), told.event(EventKind.MARKET_CREATED, 0, market=MARKET)]
    events += [
        told.at(1_002 + n).opened(f"wallet {n}", f"position {n}", market=0) for n in range(3)
    ]
    chain.tell(events)
    close = struct.pack("<BB2xIQ", Tag.CLOSE_POSITION, 0, 0, 1_000)
    named = accounts((0, address("wallet 1")), (2, MARKET), (5, address("position 1")))
    land(chain, 1_005, [noise(12_000), Step(close, named)], limit=limit)
    opening = struct.pack("<BBBBIQI", Tag.OPEN_POSITION, 0, 0, 255, 1, 10**9, 3) + bytes(4)
    named = accounts((0, address("stranger")), (2, MARKET), (5, address("hidden")))
    land(chain, 1_006, [noise(12_000), Step(opening, named)], limit=limit)
    told.sequences[0] += 2
    told.trades += 1
    later = told.at(1_007).opened("wallet 3", "position 3", market=0)
    chain.land(1_007, logs_of([later.payload]))
    liquidating = (*accounts((2, MARKET), length=8), address("position 3"))
    step = Step(bytes([Tag.LIQUIDATE]), liquidating)
    land(chain, 1_008, [noise(12_000), step], limit=limit)
    chain.finalized = 1_060
    return chain


def whole(path):
    """Nothing is wrong with a ledger, and its events make its lines."""
    with closing(read_ledger(path)) as db:
        assert [str(finding) for finding in verify(db)] == []
        assert compute_again(db).is_same
    return stands(path)


@pytest.mark.parametrize("limit", [LIMIT, 20_000, None])
async def test_every_node_and_any_cut_into_runs_gives_the_same_whole_ledger(tmp_path, limit):
    expected = whole(await follow_once(platform(LIMIT), settings_in(tmp_path / "one")))
    chain, rng = platform(limit), random.Random(limit)
    for cut in [*sorted(rng.sample(range(1_001, 1_030), 4)), 1_060]:
        chain.finalized = cut
        chain.faults["get_block"] = [RpcTimeout("late")] * rng.randrange(3)
        for _ in range(10):
            with suppress(RpcTimeout):
                path = await follow_once(chain, settings_in(tmp_path / "other"))
                break
    assert whole(path) == expected
    numbered = rows(path, "SELECT count(*), sum(is_voided) FROM boosted_trade")
    assert numbered == [(5, 2)]
    amounts = rows(path, "SELECT count(*), sum(amount) FROM transfer WHERE code = 'trade_boosted'")
    assert amounts == [(3, 3 * 20 * 10**9)], "those of three wallets, and neither closed nor hidden"
    assert rows(path, "SELECT count(*) FROM event WHERE kind = 128") == [(3,)]
    assert rows(path, "SELECT count(*) FROM anomaly WHERE kind = 'unread_instruction'") == [(3,)]


async def test_a_gap_that_no_cut_explains_still_stops_reading_after_a_restart(tmp_path):
    chain = platform(LIMIT)
    chain.finalized = 1_007
    at = settings_in(tmp_path)
    path = await follow_once(chain, at)
    assert rows(path, "SELECT is_unsettled FROM series WHERE series = 0") == [(0,)]
    del chain.blocks[1_008]
    told = Telling(sequences={0: 40})
    chain.land(1_009, logs_of([told.at(1_009).closed("wallet 0", "position 0", market=0).payload]))
    chain.finalized = 1_020
    with pytest.raises(GapError):
        await follow_once(chain, at)
