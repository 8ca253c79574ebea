"""The monitor beside a real keeper: it sees it work, hang, end and die, and outlives it to say so."""

import json
import os
import signal
import time

import httpx
import pytest
from commands import config_for, run
from processes import PATIENCE_S, finish, started
from quiet_world import quiet_world

LINGER_S = 3


@pytest.fixture(scope="module")
def world():
    with quiet_world(seed=7) as found:
        yield found


@pytest.fixture
def config(tmp_path, world):
    path = config_for(tmp_path, world)
    text = path.read_text()
    watched = f"[monitor]\nenabled = true\nport = 0\nlinger_s = {LINGER_S}\n"
    assert "[monitor]\nenabled = false\n" in text
    text = text.replace("rpc_timeout_ms = 300", "rpc_timeout_ms = 3_000")  # no test of that
    path.write_text(text.replace("[monitor]\nenabled = false\n", watched))
    return path


def is_event(name):
    return lambda line: line["event"] == name


def wait_until(is_so, what):
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s, f"never: {what}"
        time.sleep(0.05)


class Port:
    def __init__(self, keeper):
        self.url = keeper.wait_for(is_event("monitor.opened"))["url"]

    def ask(self, path):
        return httpx.get(f"{self.url}{path}", timeout=10)

    def is_status(self, path, status):
        return lambda: self.ask(path).status_code == status

    def is_closed(self):
        try:
            self.ask("/live")
        except httpx.TransportError:
            return True
        return False


def test_a_keeper_is_ready_then_hangs_then_lives_then_is_killed_and_the_monitor_says_each(config):
    with started("run", "--json", "--config", str(config)) as keeper:
        port = Port(keeper)
        wait_until(port.is_status("/ready", 200), "ready")
        pid = keeper.process.pid
        began_s = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(port.is_status("/live", 503), "a keeper that hangs is not alive")
            assert "its event loop hangs" in port.ask("/live").text
            assert time.monotonic() - began_s > 4, "one late sample is no hang"
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(port.is_status("/live", 200), "alive again")

        keeper.process.kill()
        failed = 'service_has_failed{service="keeper"} 1.0'
        wait_until(lambda: failed in port.ask("/metrics").text, "the failure is told")
        assert "vault_coverage_ratio" not in port.ask("/metrics").text
        wait_until(port.is_closed, "the monitor ends once it has lingered")


def test_the_monitor_of_a_killed_keeper_makes_room_for_the_next_one_s(config):
    text = config.read_text()
    config.write_text(text.replace(f"linger_s = {LINGER_S}", "linger_s = 600"))
    options = ("run", "--json", "--config", str(config))
    with started(*options) as killed:
        old = Port(killed)
        wait_until(old.is_status("/live", 200), "alive")
        killed.process.kill()
    with started(*options) as keeper:
        new = Port(keeper)
        wait_until(new.is_status("/live", 200), "the next one is watched")
        assert old.is_closed()
        keeper.process.send_signal(signal.SIGTERM)
        finish(keeper)


def test_a_monitor_ends_with_a_keeper_that_ends_in_order_and_status_hears_the_keeper_itself(config):
    status = ("status", "--config", str(config), "--json", "--folder")
    with started("run", "--json", "--config", str(config)) as keeper:
        port = Port(keeper)
        wait_until(port.is_status("/ready", 200), "ready")
        folder = keeper.wait_for(is_event("keeper.started"))["state"].rpartition("/")[0]
        told = run(*status, folder)
        assert 0 == told.returncode, told.stderr
        found = json.loads(told.stdout)
        assert (True, None) == (found["is_ready"], found["alerts"])
        assert folder in found["told_by"]

        keeper.process.send_signal(signal.SIGTERM)
        finish(keeper)
        assert port.is_closed()
        assert [] == keeper.named("monitor.unfinished") + keeper.named("monitor.lost")
    told = run(*status, folder)
    assert 1 == told.returncode
    assert not json.loads(told.stdout)["is_live"]


def test_a_second_monitor_of_one_keeper_is_refused(config, tmp_path):
    folder = tmp_path / "state"
    command = ("monitor", "--config", str(config), "--folder", str(folder))
    with started(*command) as first:
        first.wait_for(is_event("monitor.opened"))
        second = run(*command)
        assert 2 == second.returncode
        assert f"another monitor watches {folder}" in second.stderr
        first.process.send_signal(signal.SIGTERM)
        assert 0 == first.process.wait(PATIENCE_S)
