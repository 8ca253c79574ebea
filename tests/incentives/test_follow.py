"""incentives/follow.py: a told chain in, a ledger and manifests out, however often it is killed on the way."""

import json
import random
from contextlib import closing, suppress
from dataclasses import replace

import pytest
import trio
from solders.hash import Hash
from structlog.testing import capture_logs

from incentives.config import IncentivesConfig, Settings
from incentives.follow import DISAGREEMENTS_MAX, Wishes, follow_with
from incentives.ledger.errors import LedgerForeign
from incentives.ledger.opened import read_ledger
from incentives.manifest_folder import ManifestConflictError
from incentives.parameters import ParametersError, Rules
from incentives.reading.errors import GapError, HistoryChangedError
from incentives.standing import standing
from programs.event_layout import EventKind
from programs.rpc import RpcError, RpcTimeout
from programs.rpc_settings import RpcSettings
from tests.incentives.invented_history import PARAMETERS, WALLETS, invent
from tests.incentives.told_chain import OTHER, PROGRAM, ToldPlatform, logs_of
from tests.incentives.told_events import Telling, payload


def settings_in(folder, **incentives):
    defaults = {"epoch_slots": 20, "dwell_slots": 7, "poll_slots": 1, "drain_s": 5}
    return Settings(
        rpc_urls=(),
        program=PROGRAM,
        slot_ms=1,
        rpc_settings=RpcSettings(),
        folder=folder,
        manifests=folder / "payouts",
        incentives=IncentivesConfig(**defaults | incentives),
    )


def wishes(**given):
    return Wishes(now_text=lambda: "2026-11-22T00:00:00+00:00", **given)


async def follow_once(chain, at):
    return await follow_with(chain, at, wishes(is_once=True))


def stands(path):
    with closing(read_ledger(path)) as db:
        return standing(db)


def rows(path, query):
    with closing(read_ledger(path)) as db:
        return db.conn.execute(query).fetchall()


def a_season(trades=3):
    """A chain with genesis at slot 1_000, and trades that count in its first epoch."""
    told = Telling()
    events = [told.genesis()]
    for number in range(trades):
        told.at(1_002 + number)
        events.append(told.opened(f"wallet {number}", f"position {number}"))
    chain = ToldPlatform()
    chain.season_start_slot = 1_000
    chain.tell(events)
    return chain, told


async def test_a_fresh_ledger_catches_up_closes_epochs_and_tells_the_keeper(tmp_path):
    chain, _ = a_season()
    chain.finalized = 1_025
    path = await follow_once(chain, settings_in(tmp_path))
    assert path == tmp_path / f"incentives-{str(chain.genesis_hash)[:12]}.db"
    found = stands(path)
    assert (found["through_slot"], found["epochs_closed"], found["trades_boosted"]) == (1_025, 1, 3)
    (file,) = (tmp_path / "payouts").glob("*.json")
    manifest = json.loads(file.read_text())
    assert len(manifest["leaves"]) == 3
    assert manifest["ledger_epoch"] == 0
    assert manifest["program"] == str(PROGRAM)
    (reading,) = rows(path, "SELECT slot, treasury, read_at FROM chain_reading WHERE id = 1")
    assert reading == (1_025, chain.treasury, "2026-11-22T00:00:00+00:00")
    assert rows(path, "SELECT max(slot) <= (SELECT through_slot FROM progress) FROM chain_reading")


async def test_what_was_read_is_not_read_again(tmp_path):
    chain, told = a_season()
    await follow_once(chain, settings_in(tmp_path))
    chain.asked.clear()
    chain.tell([told.at(1_030).closed("wallet 0", "position 0")])
    path = await follow_once(chain, settings_in(tmp_path))
    # The newest event of the ledger is looked at once more, and nothing before it.
    assert [asked[1] for asked in chain.asked if asked[0] == "get_block"] == [1_004, 1_030]
    assert stands(path)["events"] == 5


def invented(seed):
    """A history of some sixty acts in four epochs, the same for a seed."""
    rng = random.Random(seed)
    acts = [
        (
            rng.choice("oooooobcccssllaaaaarrRepppxxxxxf"),
            rng.randrange(4),
            rng.randrange(WALLETS),
            rng.randrange(3),
            rng.choice([rng.randrange(10**8, 10**10), 1, 99_999_999, 10**16, 2**64 - 1]),
            rng.randrange(1, 1_000),
        )
        for _ in range(60)
    ]
    return invent(acts)


@pytest.mark.parametrize("seed", range(3))
async def test_any_cut_into_runs_and_any_failure_within_gives_bit_identical_ledgers(tmp_path, seed):
    events, rng = invented(seed), random.Random(seed)
    first, last = events[0].place.slot, events[-1].place.slot + 30

    def platform():
        chain = ToldPlatform()
        chain.season_start_slot = first
        chain.tell(events)
        chain.finalized = last
        return chain

    at = {"rules": PARAMETERS.versions}
    one, other = settings_in(tmp_path / "one", **at), settings_in(tmp_path / "other", **at)
    expected = await follow_once(platform(), one)
    chain = platform()
    for cut in [*sorted(rng.sample(range(first, last), 3)), last]:
        chain.finalized = cut
        chain.faults["get_block"] = [RpcTimeout("late")] * rng.randrange(3)
        for _ in range(10):
            with suppress(RpcTimeout):
                found = await follow_once(chain, other)
                break
    assert stands(found) == stands(expected)
    assert rows(found, "SELECT body FROM snapshot") == rows(expected, "SELECT body FROM snapshot")
    assert [file.read_text() for file in sorted((tmp_path / "one" / "payouts").glob("*"))] == [
        file.read_text() for file in sorted((tmp_path / "other" / "payouts").glob("*"))
    ]
    assert stands(found)["epochs_closed"] > 1


async def test_a_gap_is_read_again_and_then_stops_reading_with_all_before_it_kept(tmp_path):
    chain, _ = a_season()
    await follow_once(chain, settings_in(tmp_path))
    chain.land(1_010, logs_of([payload(EventKind.FEES_WITHDRAWN, 0, 9, 1_010, {})]))
    chain.finalized = 1_015
    chain.asked.clear()
    with capture_logs() as logs, pytest.raises(GapError, match="running number 9, expected 4"):
        await follow_once(chain, settings_in(tmp_path))
    tries = [line["tries"] for line in logs if line["event"] == "reading.repeated"]
    assert tries == list(range(1, DISAGREEMENTS_MAX))
    (path,) = tmp_path.glob("*.db")
    assert stands(path)["through_slot"] == 1_004
    # Once the chain shows what was missing, reading goes on.
    chain.blocks[1_009] = []
    for number in range(4, 9):
        chain.land(1_009, logs_of([payload(EventKind.FEES_WITHDRAWN, 0, number, 1_009, {})]))
    await follow_once(chain, settings_in(tmp_path))
    assert stands(path)["through_slot"] == 1_015


@pytest.mark.parametrize("change", ["gone", "elsewhere", "payload"])
async def test_a_finalized_event_that_changed_on_chain_is_refused(tmp_path, change):
    chain, told = a_season()
    await follow_once(chain, settings_in(tmp_path))
    (last,) = chain.blocks[1_004]
    chain.blocks[1_004] = []
    if change == "elsewhere":
        chain.land(1_004, logs_of([], OTHER), wire=bytes(OTHER))
        chain.blocks[1_004].append(last)
    elif change == "payload":
        told.sequences[0] -= 1
        other = told.at(1_004).opened("wallet 2", "position 2", notional=9_000_000_000)
        chain.blocks[1_004].append(
            replace(last, facts=replace(last.facts, logs=tuple(logs_of([other.payload]))))
        )
    with pytest.raises(HistoryChangedError, match="is not on chain as it was recorded"):
        await follow_once(chain, settings_in(tmp_path))


async def test_a_history_that_no_node_keeps_any_more_is_taken_as_recorded(tmp_path):
    chain, _ = a_season()
    await follow_once(chain, settings_in(tmp_path))
    chain.faults["get_block"] = [RpcError(-32001, "Block 1004 cleaned up")]
    chain.finalized = 1_200
    path = await follow_once(chain, settings_in(tmp_path))
    assert stands(path)["through_slot"] == 1_200


async def test_rules_are_added_from_epochs_that_have_not_begun_and_never_changed(tmp_path):
    chain, _ = a_season()
    chain.finalized = 1_065  # in epoch 3
    await follow_once(chain, settings_in(tmp_path))
    rules = Rules(), Rules(from_epoch=3, trade_multiplier=5)
    with pytest.raises(ParametersError, match="epoch 3 has begun: let it start at 4 or later"):
        await follow_once(chain, settings_in(tmp_path, rules=rules))
    # What has begun on chain counts, though this ledger has not got so far.
    chain.finalized = 1_105
    rules = Rules(), Rules(from_epoch=4, trade_multiplier=5)
    with pytest.raises(ParametersError, match="epoch 5 has begun"):
        await follow_once(chain, settings_in(tmp_path, rules=rules))
    with pytest.raises(ParametersError, match="no longer what it was"):
        await follow_once(chain, settings_in(tmp_path, rules=(Rules(trade_multiplier=5),)))
    with pytest.raises(ParametersError, match="no longer what it was"):
        await follow_once(chain, settings_in(tmp_path, dwell_slots=8))
    rules = Rules(), Rules(from_epoch=6, trade_multiplier=5)
    path = await follow_once(chain, settings_in(tmp_path, rules=rules))
    chain.finalized = 1_145
    await follow_once(chain, settings_in(tmp_path, rules=rules))
    assert stands(path)["rules_version"] == 2


async def test_a_ledger_of_another_cluster_is_not_written_to(tmp_path):
    chain, _ = a_season()
    at = settings_in(tmp_path, ledger=tmp_path / "mine.db")
    await follow_once(chain, at)
    chain.genesis_hash = Hash(bytes([6]) * 32)
    with pytest.raises(LedgerForeign, match="name another ledger"):
        await follow_once(chain, at)


async def test_manifests_that_are_missing_are_written_again_and_others_are_not_believed(tmp_path):
    chain, _ = a_season()
    chain.finalized = 1_025
    await follow_once(chain, settings_in(tmp_path))
    (file,) = (tmp_path / "payouts").glob("*.json")
    text = file.read_text()
    file.unlink()
    await follow_once(chain, settings_in(tmp_path))
    assert file.read_text() == text
    file.write_text(text.replace("wallet", "robber") + " ")
    with pytest.raises(ManifestConflictError, match="differs from what the ledger says"):
        await follow_once(chain, settings_in(tmp_path))


async def test_the_service_waits_for_the_cluster_and_ends_with_all_that_happened_read(tmp_path):
    chain, _ = a_season()
    asked = wishes()
    chain.faults["get_slot"] = [RpcTimeout("late")] * 3
    with capture_logs() as logs, trio.fail_after(20):
        with pytest.raises(RpcTimeout):  # its start is `follow`'s to repeat
            await follow_with(chain, settings_in(tmp_path), asked)
        chain.faults.clear()
        async with trio.open_nursery() as nursery:
            path = await nursery.start(follow_with, chain, settings_in(tmp_path), asked)
            await reached(path, 1_004)
            chain.faults["get_slot"] = [RpcTimeout("late")] * 2
            await used_up(chain.faults["get_slot"])
            chain.confirmed = 1_025
            asked.finish.set()
    assert [line["event"] for line in logs].count("reading.waits") == 2
    assert stands(path)["through_slot"] >= 1_025
    assert rows(path, "SELECT through_slot FROM snapshot") == [(stands(path)["through_slot"],)]


async def reached(path, slot):
    while not rows(path, f"SELECT 1 FROM progress WHERE through_slot >= {slot}"):  # noqa: ASYNC110 - another connection writes
        await trio.sleep(0.01)


async def used_up(faults):
    while faults:  # noqa: ASYNC110 - nobody tells when it is empty
        await trio.sleep(0.01)


async def test_a_chain_that_is_gone_is_not_waited_for_at_the_end(tmp_path):
    chain, _ = a_season()
    asked = wishes()
    with capture_logs() as logs, trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            path = await nursery.start(follow_with, chain, settings_in(tmp_path), asked)
            await reached(path, 1_004)
            chain.faults["get_slot"] = [RpcTimeout("gone")] * 100
            chain.faults["get_multiple_accounts"] = [RpcTimeout("gone")] * 100
            asked.finish.set()
    assert "follower.unfinished" in [line["event"] for line in logs]
