"""The whole keeper as a process: what the issue asks to be shown."""

import signal
import sqlite3
import time
from contextlib import closing

import pytest
from processes import RECORDED, finish, free_ports, started, write_config

TOKEN = "55302250828823180276187438149698246226978412434312478767847394628702439947936"


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path, *free_ports(2))


def test_a_run_posts_scans_liquidates_and_reports(config):
    with started("run", "--config", str(config), "--for", "14s", "--json") as keeper:
        found = finish(keeper)

    assert found["prices"]["posted"] > 0
    # Twelve markets with two outcomes, and one with four.
    assert len(found["prices"]["posted_by_token"]) == 16
    assert found["positions"]["scanned"] > 0
    assert found["liquidations"]["landed"] >= 10
    assert found["chains"]["landed_steps"] >= 5
    assert found["chains"]["landed_chains"] >= 1
    assert found["transactions"]["duplicates"] == 0
    assert found["transactions"]["open"] == 0
    assert 0 < found["transactions"]["cu_used"] <= found["transactions"]["cu_requested"]
    assert found["transactions"]["jobs_per_tx"] > 3  # 4 and more where the machine is not shared
    assert 0 < found["latency_ms"]["due_to_landed_p50"] <= found["latency_ms"]["due_to_landed_p99"]
    assert found["program"]["upgrade_authority"] is None
    transactions = found["transactions"]
    (database,) = (config.parent / "var").rglob("keeper-*.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        ends = dict(db.execute("SELECT state, count(*) FROM attempt GROUP BY state"))
        fees, used = db.execute("SELECT sum(fee_lamports), sum(cu_used) FROM attempt").fetchone()
    for state in ("landed", "failed", "expired", "open"):
        assert ends.get(state, 0) == transactions[state]
        assert transactions[state] == sum(lane[state] for lane in transactions["by_lane"].values())
    assert (fees, used) == (transactions["fees_lamports"], transactions["cu_used"])


def test_a_run_closes_epochs_posts_their_roots_and_pays_them(tmp_path):
    config = write_config(tmp_path, *free_ports(2), epoch_slots="20", dwell_slots="10")
    with started("run", "--config", str(config), "--for", "12s", "--json") as keeper:
        found = finish(keeper)

    incentives = found["incentives"]
    assert incentives["epochs_closed"] >= 3
    assert (
        1
        <= incentives["epochs_paid"]
        <= incentives["epochs_posted"]
        <= found["payouts"]["roots_posted"]
    )
    assert incentives["paid"] == str(found["payouts"]["mmt_base_units"])
    assert int(incentives["emitted"]) >= int(incentives["owed"]) >= int(incentives["paid"]) > 0
    (database,) = (config.parent / "var").rglob("incentives-*.db")
    assert incentives["ledger"] == str(database)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        (head,) = db.execute("SELECT lower(hex(head)) FROM progress").fetchone()
        slot, treasury, through_slot = db.execute(
            "SELECT slot, treasury, through_slot FROM last_chain_reading, progress"
        ).fetchone()
    assert head == incentives["head"]
    assert slot <= through_slot
    assert treasury == 10_000_000 * 10**9 - int(incentives["paid"])


def test_a_replaying_venue_posts_the_recorded_price_and_names_its_body(config):
    if not RECORDED.exists():
        pytest.skip("no recorded Polymarket bodies beside the project")
    arguments = ("run", "--config", str(config), "--for", "5s", "--json", "--replay", str(RECORDED))
    with started(*arguments) as keeper:
        found = finish(keeper)

    posted = found["prices"]["posted_by_token"][TOKEN]
    assert "0.0655" == posted["price"]
    assert "clob_book_binary.json" == posted["recorded_body"]
    assert "valid" == posted["price_class"]


def test_an_interrupt_drains_and_exits_0(config):
    with started("run", "--config", str(config), "--json") as keeper:
        keeper.wait_for(lambda line: line["event"] == "attempt.landed")
        keeper.process.send_signal(signal.SIGINT)
        found = finish(keeper)

    assert keeper.named("drain.started")
    assert found["transactions"]["open"] == 0
    assert found["transactions"]["landed"] > 0


def test_killed_keepers_settle_what_they_left_and_nothing_lands_twice(tmp_path, config):
    ports = [line.split("=")[1] for line in config.read_text().splitlines() if "_port" in line]
    sandbox = (
        "sandbox",
        "--json",
        "--rpc-port",
        ports[0].strip(),
        "--venue-port",
        ports[1].strip(),
    )
    run = ("run", "--config", str(config), "--no-sandbox", "--json")
    settled = 0
    with started(*sandbox, "--keypair", str(tmp_path / "var/keys/keeper.json")) as world:
        world.wait_for(lambda line: line["event"] == "sandbox.ready")
        for _ in range(4):
            with started(*run) as victim:
                victim.wait_for(
                    lambda line: line["event"] == "batch.signed" and line["lane"] == "liquidations"
                )
                victim.process.kill()
            settled += len(victim.named("attempts.settled"))
        with started(*run, "--for", "4s") as last:
            found = finish(last)
        settled += len(last.named("attempts.settled"))
        time.sleep(0.1)

    assert 0 == found["transactions"]["duplicates"]
    assert 0 == found["transactions"]["open"]
    assert settled >= 1, "no kill ever left an attempt open: the test shows nothing"
    (database,) = (tmp_path / "var" / "state").glob("keeper-*.db")
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        states = dict(db.execute("SELECT state, count(*) FROM attempt GROUP BY state"))
        twice = db.execute(
            "SELECT job_id, effect FROM attempt_job JOIN attempt ON attempt.id = attempt_id "
            "WHERE state = 'landed' GROUP BY job_id, effect HAVING count(*) > 1"
        ).fetchall()
    db.close()
    assert "open" not in states
    assert [] == twice
