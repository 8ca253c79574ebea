"""The network passes as real to clients that other people wrote, each in a process of its own."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import trio

from programs.localnet.bank import BankConfig
from programs.localnet.server import LocalnetConfig, serve

CLIENTS = Path(__file__).parents[2] / "clients"
NODE = shutil.which("node")
PACKAGES = CLIENTS / "node_modules" / "@solana"
HANG_S = 60


def _missing():
    """Why the JavaScript clients cannot run here, or None."""
    if NODE is None:
        return "node is not installed"
    if not PACKAGES.exists():
        return "the packages of tests/clients are not installed; `make test` does it where npm is"
    return None


needs_node = pytest.mark.skipif(_missing() is not None, reason=_missing() or "")


@pytest.fixture
async def world(nursery):
    bank = BankConfig(slot_ms=20, confirmed_slots=1, finality_slots=4)
    return await nursery.start(serve, LocalnetConfig(port=0, bank=bank))


async def _talk(world, *command):
    line = [*map(str, command), world.url, world.ws_url]
    with trio.fail_after(HANG_S):
        ended = await trio.run_process(line, check=False, capture_stdout=True, capture_stderr=True)
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


@needs_node
async def test_solana_web3js_takes_the_network_for_a_cluster(world):
    seen = await _talk(world, NODE, CLIENTS / "web3js.mjs")
    assert (seen["logs"], seen["version"]) == (6, "4.1.2")
    assert "custom program error: 0x1" in seen["refusal"]


@needs_node
async def test_solana_kit_takes_the_network_for_a_cluster(world):
    seen = await _talk(world, NODE, CLIENTS / "kit.mjs")
    assert (seen["logs"], seen["version"]) == (6, "4.1.2")
    assert seen["cause"] == "Custom program error: #1 (instruction #1)"


async def test_solana_py_and_its_websocket_client_take_the_network_for_a_cluster(world):
    seen = await _talk(world, sys.executable, CLIENTS / "solana_py.py")
    assert (seen["logs"], seen["version"]) == (6, "4.1.2")


def test_the_lock_of_the_javascript_packages_names_no_registry():
    lock = json.loads((CLIENTS / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert not [name for name, each in packages.items() if "resolved" in each]
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
