"""The sandbox as a process of its own: how it starts, and every way it ends."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from keeper.cli.sandbox import sandbox_command
from keeper.errors import SandboxError
from keeper.sandbox.child import command_line, run_sandbox_child
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.endpoints import SandboxEndpoints
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings

TINY = SandboxConfig(rpc_port=0, venue_port=0, markets=1, slot_ms=50, active_markets_max=0)


def is_running(pid):
    """Whether it is there, and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def children():
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="],
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        int(line.split()[0]) for line in listed.stdout.splitlines() if "keeper.cli.sandbox" in line
    ]


async def test_a_child_is_ready_answers_and_ends_with_its_parents_scope(tmp_path):
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            endpoints = await nursery.start(run_sandbox_child, TINY, tmp_path / "keeper.json")
            (pid,) = children()
            assert os.getsid(pid) == pid
            async with open_rpc([endpoints.rpc_url], RpcSettings()) as rpc:
                assert str(await rpc.get_genesis_hash()) == endpoints.genesis_hash
            nursery.cancel_scope.cancel()
    assert not is_running(pid)


async def test_a_child_that_dies_ends_its_parents_scope_with_a_sentence(tmp_path):
    with trio.fail_after(30), pytest.RaisesGroup(SandboxError, flatten_subgroups=True) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_sandbox_child, TINY, tmp_path / "keeper.json")
            os.kill(children()[0], signal.SIGKILL)
    assert "ended while the keeper ran (status -9)" in str(caught.value.exceptions[0])


async def test_a_child_that_cannot_start_says_why(tmp_path):
    (taken,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = taken.socket.getsockname()[1]
    config = SandboxConfig(rpc_port=port, venue_port=0, markets=1)

    with trio.fail_after(30), pytest.RaisesGroup(SandboxError, flatten_subgroups=True) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_sandbox_child, config, tmp_path / "keeper.json")

    assert f"port {port}" in str(caught.value.exceptions[0])
    assert "sandbox.rpc_port" in str(caught.value.exceptions[0])
    await taken.aclose()


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGINT"])
def test_the_command_ends_cleanly(tmp_path, how):
    command = command_line(TINY, tmp_path / "keeper.json")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        line = process.stdout.readline()
        if how == "stdin":
            process.stdin.close()
        else:
            process.send_signal(signal.Signals[how])
        rest = process.stdout.read()
        assert process.wait(10) == 0

    assert json.loads(line)["event"] == "sandbox.ready"
    assert not rest


def test_a_ready_line_reads_back():
    line = (
        '{"event": "sandbox.ready", "rpc_url": "http://a", "rpc_urls": ["http://a", "http://c"], "ws_url": "ws://a", "ws_urls": ["ws://a", "ws://c"], "clob_url": "http://b", '
        '"gamma_url": "http://b", "stream_url": "ws://b", "markets": 3, "genesis_hash": "g", '
        '"program_id": "11111111111111111111111111111111", '
        '"quote_mint": "11111111111111111111111111111112", "keeper_keypair": "/k/keeper.json"}'
    )

    assert json.loads(SandboxEndpoints.from_line(line).to_line()) == json.loads(line)
    for broken in ("{}", "Error: no", line.replace("ws_url", "w"), "[]"):
        with pytest.raises(ValueError, match=r"line|JSON|Expecting"):
            SandboxEndpoints.from_line(broken)


def test_every_setting_is_an_option_with_help_and_examples():
    shown = CliRunner().invoke(sandbox_command, ["--help"])

    assert shown.exit_code == 0
    for each in fields(SandboxConfig):
        if each.name != "enabled":
            assert f"--{each.name.replace('_', '-')}" in shown.output
    assert "Examples:" in shown.output
    assert sys.executable == command_line(TINY, "k")[0]


def test_a_bad_setting_is_refused_before_anything_starts():
    refused = CliRunner().invoke(sandbox_command, ["--slot-ms", "1"])

    assert refused.exit_code == 2
    assert "slot_ms is 1, expected 10 to 10000" in refused.output
