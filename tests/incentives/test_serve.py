"""The ledger in a browser: real Datasette over a live file, and a real browser where there is one."""

import asyncio
import shutil
import socket
import subprocess
import sys
from urllib.parse import quote

import httpx
import pytest
import trio
from solders.pubkey import Pubkey

from incentives.lines import EpochClose
from incentives.serve.drawing import HEIGHT, WIDTH, draw_bars, draw_lines
from incentives.serve.questions import metadata
from tests.incentives.told_events import address, balances
from tests.incentives.told_ledger import PROGRAM, write_ledger


@pytest.fixture
async def ledger(tmp_path):
    return tmp_path / "ledger.db", await write_ledger(tmp_path / "ledger.db")


async def test_every_question_is_answered_and_the_charts_show_what_the_ledger_holds(ledger):
    path, lines = ledger
    datasette = pytest.importorskip("incentives.serve.app").build(path, PROGRAM)
    closes = [line for line in lines if isinstance(line, EpochClose)]
    wallet = str(Pubkey(address("wallet 1")))
    asked = {"wallet": wallet, "epoch": "0", "transfer": "3"}
    queries = metadata(PROGRAM)["databases"]["ledger"]["queries"]

    async def ask():
        found = {}
        for name in queries:
            parameters = "&".join(f"{key}={quote(value)}" for key, value in asked.items())
            reply = await datasette.client.get(f"/ledger/{name}.json?_shape=array&{parameters}")
            assert reply.status_code == 200, (name, reply.text)
            found[name] = reply.json()
        page = await datasette.client.get("/season")
        written = await datasette.client.post("/ledger", data={"sql": "DELETE FROM event"})
        return found, page, written

    # Datasette runs on asyncio, in a thread of its own beside this trio loop.
    found, page, written = await trio.to_thread.run_sync(lambda: asyncio.run(ask()))
    assert len(found["epochs"]) == len(closes) == 4
    assert sum(row["balance"] for row in found["trial_balance"]) == 0
    assert found["statement"]
    assert {row["trade_number"] for row in found["bootstrap"]} == set(range(1, 31))
    assert found["explain"][0]["seq"] == 3
    owed = sum(each.amount for close in closes for each in close.allocations)
    assert (
        sum(row["earned"] for row in found["wallets"])
        == owed
        == sum(
            amount for account, amount in balances(lines).items() if account.startswith("wallet/")
        )
    )
    assert page.status_code == 200
    assert wallet in page.text
    assert "30 earned double MMT" in page.text
    assert written.status_code in {404, 405}


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
async def test_a_real_browser_shows_the_charts_of_a_running_server(ledger, tmp_path, nursery):
    path, _ = ledger
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "incentives.cli.main", "serve"]
    command += ["--ledger", str(path), "--port", str(port)]
    process = await nursery.start(trio.run_process, command)
    with trio.fail_after(120):
        while True:
            try:
                await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                break
            except OSError:
                await trio.sleep(0.05)
        browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu"]
        browser += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000"]
        address = f"http://127.0.0.1:{port}/season"
        shown = await trio.run_process(
            [*browser, "--dump-dom", address], capture_stdout=True, stderr=subprocess.DEVNULL
        )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            asked = {
                name: (await client.get("/ledger.json", headers={"host": name})).status_code
                for name in (f"localhost:{port}", "127.0.0.1", "rebound.example", "")
            }
    assert asked == {f"localhost:{port}": 200, "127.0.0.1": 200, "rebound.example": 400, "": 400}
    dom = shown.stdout.decode()
    assert "<h1>MMT rewards</h1>" in dom
    assert dom.count("<polyline") == 6
    assert "30 earned double MMT" in dom
    taken = await trio.run_process(command, check=False, capture_stderr=True)
    assert taken.returncode == 2
    assert b"choose another with --port" in taken.stderr
    process.terminate()
    nursery.cancel_scope.cancel()


def test_curves_span_the_picture_and_bars_are_in_proportion():
    chart = draw_lines([3, 4, 5], [("one", [0, 5, 10]), ("two", [0, 0, 4])])
    assert chart.lines[0].points == f"0.0,{HEIGHT}.0 {WIDTH / 2},{HEIGHT / 2} {WIDTH}.0,0.0"
    assert [tick.value for tick in chart.ticks] == [0, 2, 5, 7, 10]
    assert draw_lines([], [("one", [])]) is None
    first, second = draw_bars([("a", 10, 5), ("b", 4, 0)])
    assert (first.width_pct, first.part_pct, second.width_pct) == (100, 50, 40)
