"""incentives/telemetry.py: what a ledger says in figures is what its reports say."""

import pytest
import trio

from incentives.ledger.opened import open_ledger, read_ledger
from incentives.reading.reader import Delivery
from incentives.standing import standing
from incentives.telemetry import LedgerWatch, ledger_figures
from state import metrics
from state.in_loop import InLoopStore
from state.sample import Sample, from_line, to_line
from tests.incentives.written_ledger import IDENTITY, played


@pytest.fixture
async def ledger(tmp_path):
    season = played()
    path = tmp_path / "ledger.db"
    async with open_ledger(path, IDENTITY, season.parameters) as opened:
        await opened.commit(season.batch(1_210))
        yield opened, path


async def test_figures_are_what_the_reports_say(ledger):
    opened, path = ledger
    found = Sample(
        service="incentives", sequence=1, figures=await opened.store.read(ledger_figures)
    )
    db = read_ledger(path)
    told = standing(db)
    assert found.get(metrics.LEDGER_LINES) == told["lines"]
    assert found.get(metrics.EPOCHS_CLOSED) == told["epochs_closed"]
    assert found.get(metrics.EMITTED_MMT) == int(told["emitted"]) / 10**9
    assert found.get(metrics.OWED_MMT) == int(told["owed"]) / 10**9
    assert found.get(metrics.PAID_MMT) == int(told["paid"]) / 10**9 > 0
    assert sum(value for _, value in found.of(metrics.ANOMALIES)) == told["anomalies"] > 0
    (oldest,) = db.conn.execute(
        "SELECT (SELECT through_slot FROM progress) - min(epoch.end_slot) FROM payout "
        "JOIN epoch ON epoch.epoch = payout.epoch WHERE payout.state = 'pending'"
    ).fetchone()
    assert found.get(metrics.PAYOUT_OLDEST) == oldest > 0
    states = dict(db.conn.execute("SELECT state, count(*) FROM payout GROUP BY state").fetchall())
    assert {labels[0]: value for labels, value in found.of(metrics.PAYOUTS)} == {
        "pending": 0,
        "posted": 0,
        "voided": 0,
    } | states
    db.close()


async def test_how_far_reading_got_is_told_at_once_and_the_rest_at_the_next_look(ledger, tmp_path):
    opened, _ = ledger
    watch = LedgerWatch(folder=tmp_path, slot_s=0.4)
    assert watch.gather(1, is_last=False).get(metrics.LEDGER_SLOT) is None
    watch.begin(opened.store, 1_210)
    assert watch.ready.is_set()
    watch.note(Delivery(events=(), through_slot=1_300, series={}, finalized_slot=1_450, pages=1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.look)
        with trio.fail_after(20):
            while watch.gather(2, is_last=False).get(metrics.LEDGER_LINES) is None:  # noqa: ASYNC110 - a look has no event
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    sample = watch.gather(3, is_last=True)
    assert from_line(to_line(sample)) == sample
    assert sample.get(metrics.LEDGER_SLOT) == 1_300
    assert sample.get(metrics.LEDGER_LAG) == 150
    assert sum(sample.histograms["sqlite_commit_seconds", ("incentives",)].counts) >= 1
    told = {name for name, _ in (*sample.figures, *sample.histograms)}
    assert {name for name in told if name.startswith(("ledger", "mmt", "payout", "epochs"))} == {
        metric.name
        for metric in metrics.METRICS
        if metric.name.startswith(("ledger", "mmt", "payout", "epochs"))
    }


async def test_a_ledger_that_is_told_nothing_falls_behind_with_the_clock(autojump_clock, tmp_path):
    watch = LedgerWatch(folder=tmp_path, slot_s=0.4)
    watch.begin(InLoopStore(), 1_000)
    assert 0 == watch.gather(1, is_last=False).get(metrics.LEDGER_LAG)
    await trio.sleep(400)
    assert 1_000 == watch.gather(2, is_last=False).get(metrics.LEDGER_LAG)
    watch.note(Delivery(events=(), through_slot=2_000, series={}, finalized_slot=2_003, pages=1))
    assert 3 == watch.gather(3, is_last=False).get(metrics.LEDGER_LAG)
