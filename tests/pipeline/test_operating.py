"""Starting, stopping, reloading, rehearsing: what docs/operating.md says, on real processes.

The platform is quiet and lies behind a gate; every keeper is a process of its own.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from threading import Thread

import numpy as np
import pytest
from commands import KEEPER, config_for, refusal, replaced, run
from processes import PATIENCE_S, ROOT, Running, finish, started
from quiet_world import PROGRAM, quiet_world

from programs.addresses import global_address
from programs.layout import GLOBAL_DTYPE

IN_A_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes stdin the controlling terminal of a new session, as a terminal emulator does; these tests may run under nohup."""


@pytest.fixture(scope="module")
def world():
    with quiet_world(seed=6) as found:
        yield found


def edit(config, **values):
    """Set keys that keeper.toml has."""
    text = config.read_text()
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count, f"keeper.toml has no {key}"
    config.write_text(text)


def rows(folder, sql):
    """What the one database below a folder says."""
    (database,) = folder.rglob("keeper-*.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def is_event(name, **fields):
    return lambda line: line["event"] == name and fields.items() <= line.items()


def test_a_keeper_rereads_refuses_a_twin_and_has_a_shadow(tmp_path, world):
    config = config_for(tmp_path, world)
    (tmp_path / "other").mkdir()
    twin = config_for(tmp_path / "other", world)
    shadow = tmp_path / "shadow.jsonl"
    with started("run", "--json", "--config", str(config)) as keeper:
        keeper.wait_for(is_event("attempt.landed"))

        # Another state folder, the same payer.
        said = refusal("run", "--json", "--config", str(twin))
        assert f"process {keeper.process.pid} keeps with the payer {world.keeper.pubkey()}" in said

        # The same file, the same key, nothing in its way.
        edit(twin, change_e6=5)
        options = ("--config", str(twin), "--for", "4s", "--shadow", str(shadow))
        with started("run", "--json", *options) as beside:
            found = finish(beside)
        assert 0 == found["transactions"]["landed"] == found["transactions"]["open"]
        ((left,),) = rows(tmp_path / "other/var", "SELECT count(*) FROM attempt")
        assert 0 == left

        # SIGHUP.
        edit(config, change_e6=4_321, rpc_urls='["http://127.0.0.1:9"]')
        keeper.process.send_signal(signal.SIGHUP)
        reread = keeper.wait_for(is_event("settings.reread"))
        assert ["posting.change_e6"] == reread["changed"]
        assert ["cluster.rpc_urls"] == keeper.wait_for(is_event("settings.need_restart"))["keys"]
        edit(config, change_e6="false")
        keeper.process.send_signal(signal.SIGHUP)
        assert "posting.change_e6" in keeper.wait_for(is_event("settings.refused"))["reason"]

        keeper.process.send_signal(signal.SIGTERM)
        assert 0 == finish(keeper)["transactions"]["open"]

    compared = run("shadow", str(shadow), "--json")
    assert 0 == compared.returncode, compared.stderr
    lanes = json.loads(compared.stdout)["lanes"]
    assert found["would_send"]["prices"]["transactions"] == lanes["prices"]["transactions"] > 0
    assert "prices" in run("shadow", str(shadow)).stdout


def test_a_dry_run_sends_nothing_and_says_what_it_would_have_sent(tmp_path, world):
    config = config_for(tmp_path, world)
    ended = run("run", "--once", "--dry-run", "--json", "--config", str(config))

    assert 0 == ended.returncode, ended.stderr
    found = json.loads(ended.stdout)
    assert found["would_send"]["prices"]["simulated_well"] > 0
    assert 0 == found["transactions"]["landed"]
    assert not list((tmp_path / "var").rglob("*.db"))


def test_a_round_does_what_is_due_and_ends(tmp_path, world):
    ended = run("run", "--once", "--json", "--config", str(config_for(tmp_path, world)))

    assert 0 == ended.returncode, ended.stderr
    found = json.loads(ended.stdout)
    assert found["prices"]["posted"] > 0
    assert 0 == found["transactions"]["open"]


def test_sigterm_drains_within_its_deadline_on_a_network_that_drops_everything(tmp_path, world):
    config = config_for(tmp_path, world, port=world.gate.port)
    config.write_text(config.read_text() + "\n[landing]\ndrain_s = 1\n")
    world.gate.cuts = b"sendTransaction"
    try:
        with started("run", "--json", "--config", str(config)) as keeper:
            keeper.wait_for(is_event("batch.signed"))
            keeper.process.send_signal(signal.SIGTERM)
            keeper.wait_for(is_event("drain.started"))
            before_s = time.monotonic()
            found = finish(keeper)
            # The deadline, and what a busy machine takes to end a process.
            assert time.monotonic() - before_s < 1 + 10
        assert found["transactions"]["open"] > 0
        ((left,),) = rows(tmp_path / "var", "SELECT count(*) FROM attempt WHERE state = 'open'")
        assert found["transactions"]["open"] == left
    finally:
        world.gate.cuts = None

    with started("run", "--json", "--once", "--config", str(config)) as keeper:
        found = finish(keeper)
    (settled,) = keeper.named("attempts.settled")
    ends = sum(settled.get(end, 0) for end in ("landed", "failed", "expired", "unproved"))
    assert left == found["settled_attempts"] == ends
    assert 0 == found["transactions"]["duplicates"]


def test_a_keeper_whose_terminal_goes_away_drains(tmp_path, world):
    config = config_for(tmp_path, world)
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, *KEEPER, "run", "--json", "--config", str(config)],
        cwd=ROOT,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(theirs)
    keeper = Running(process)
    reader = Thread(target=keeper.read)
    reader.start()
    try:
        keeper.wait_for(is_event("feed.started"))
        process.send_signal(signal.SIGHUP)
        keeper.wait_for(is_event("settings.reread"))
        os.close(ours)
        assert "SIGHUP" == keeper.wait_for(is_event("drain.started"))["signal"]
        assert 0 == finish(keeper)["transactions"]["open"]
    finally:
        process.kill()
        process.wait()
        reader.join()
        for pipe in (process.stdout, process.stderr):
            pipe.close()


def with_genesis(world, **fields):
    """Give the platform other genesis values for the length of the block."""
    address = global_address(PROGRAM)[0]
    row = np.frombuffer(world.account(address).data, GLOBAL_DTYPE).copy()
    for name, value in fields.items():
        row[name] = value
    return replaced(world, address, data=row.tobytes())


def test_a_halt_is_said_and_a_changed_genesis_ends_the_run_in_order(tmp_path, world):
    with started("run", "--json", "--config", str(config_for(tmp_path, world))) as keeper:
        keeper.wait_for(is_event("feed.started"))
        with with_genesis(world, halted=1):
            keeper.wait_for(is_event("platform.halted"))
        keeper.wait_for(is_event("platform.resumed"))
        with with_genesis(world, oracle_authority=np.void(bytes([9] * 32))):
            changed = keeper.wait_for(is_event("platform.changed"))
            assert 1 == keeper.process.wait(PATIENCE_S)
        found = json.loads(keeper.process.stdout.read())

    assert changed["reason"] == found["stopped_because"]
    assert "oracle_authority was" in changed["reason"]
    assert [f"keeper: {changed['reason']}\n"] == keeper.other
    assert 0 == found["transactions"]["open"]
