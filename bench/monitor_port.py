"""The monitor's port under load: `python -m bench.monitor_port`.

scrape   /metrics of a monitor process, with every name at the most label values it may have (goal: 100 ms)
crowd    /live of a monitor on which 6,000 sockets stand open with half a request
streams  the sandbox's keeper with and without 1,000 open status pages: from due to landed (goal: not slower)
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import product
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import httpx
import trio

from bench.report.figure import Beside, Figure, Goal, tell
from keeper.monitor.guards import Bounds
from keeper.monitor.port import allow_connections
from state.metrics import LABEL_VALUES_MAX, METRICS, Kind
from state.sample import Figures, Histogram, Sample
from state.sample_board import SampleBoard
from state.sample_socket import serve_samples, socket_path

SCRAPE_MS_GOAL: Final = 100.0
SCRAPES: Final = 20
STREAMS: Final = 1_000
CROWD: Final = 6_000
OK: Final = 200
PAIR_VALUES: Final = 16
"""Of each of a metric's two labels: lanes and reasons, sources and classes, endpoints and kinds."""
_ROOT: Final = Path(__file__).parent.parent
_KEEPER: Final = [sys.executable, "-m", "keeper.cli.main"]
_PATIENCE_S: Final = 60


def largest_sample(sequence: int) -> Sample:
    """Return a value for every name with as many labels as it may have: markets are not among them, whatever their number."""
    figures = Figures()
    for metric in METRICS:
        most = LABEL_VALUES_MAX if len(metric.labels) == 1 else PAIR_VALUES
        for labels in product(*([f"{label}-{n}" for n in range(most)] for label in metric.labels)):
            if metric.kind is Kind.HISTOGRAM:
                counts = tuple(range(len(metric.buckets) + 1))
                figures.put_histogram(metric, Histogram(counts=counts, sum=1.5), *labels)
            else:
                figures.put(metric, sequence + 0.123456, *labels)
    return Sample(
        service="keeper",
        sequence=sequence,
        figures=figures.values,
        histograms=figures.histograms,
        details={"prices": [{"market": f"market {n}", "age_s": 1.0} for n in range(50)]},
    )


@asynccontextmanager
async def monitor_process() -> AsyncGenerator[str]:
    """Run a monitor over figures of ours; yield its URL once it has heard them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "state").mkdir()
        config = _written(folder, _shipped())
        board = SampleBoard()
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_samples, socket_path(folder / "state", "keeper"), board)
            nursery.start_soon(_publish, board)
            options = ["--folder", str(folder / "state"), "--no-incentives"]
            command = [*_KEEPER, "monitor", "--config", str(config), *options]
            process = await trio.lowlevel.open_process(command, stderr=PIPE)
            url = await _url(process, nursery)
            async with httpx.AsyncClient() as client:
                while (await client.get(f"{url}/live")).status_code != OK:  # noqa: ASYNC110 - another process
                    await trio.sleep(0.2)
            yield url
            process.terminate()
            await process.wait()
            nursery.cancel_scope.cancel()


async def measure_scrape() -> dict[str, float]:
    """Scrape a monitor, each time another second."""
    took_ms, text = [], b""
    async with monitor_process() as url, httpx.AsyncClient() as client:
        for _ in range(SCRAPES):
            await trio.sleep(1.0)
            began_s = time.perf_counter()
            text = (await client.get(f"{url}/metrics")).content
            took_ms.append((time.perf_counter() - began_s) * 1_000)
    took_ms.sort()
    return {
        "series": sum(not line.startswith(b"#") for line in text.splitlines()),
        "bytes": len(text),
        "ms_p50": round(took_ms[len(took_ms) // 2], 2),
        "ms_max": round(took_ms[-1], 2),
    }


async def measure_crowd() -> dict[str, Any]:
    """Ask whether the keeper lives while thousands stand at the door."""
    took_ms, answered = [], 0
    async with monitor_process() as url, trio.open_nursery() as nursery:
        for number in range(CROWD):
            nursery.start_soon(_stand_idle, url)
            if number % 200 == 0:
                await trio.sleep(0.01)
        async with httpx.AsyncClient(timeout=_PATIENCE_S) as client:
            for _ in range(SCRAPES):
                began_s = time.perf_counter()
                answered += (await client.get(f"{url}/live")).status_code == OK
                took_ms.append(round((time.perf_counter() - began_s) * 1_000, 1))
        nursery.cancel_scope.cancel()
    return {"sockets": CROWD, "answered": answered, "of": SCRAPES, "ms_max": max(took_ms)}


async def _stand_idle(url: str) -> None:
    with suppress(OSError):
        async with await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2])) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: lo")
            await trio.sleep_forever()


async def _publish(board: SampleBoard) -> None:
    sequence = 0
    while True:
        sequence += 1
        board.publish(largest_sample(sequence))
        await trio.sleep(1.0)


async def measure_streams(seconds: int, streams: int) -> dict[str, Any]:
    """Run the sandbox with so many pages open, and return what its report says of the lanes."""
    with tempfile.TemporaryDirectory() as name:
        config = _written(Path(name), _shipped())
        command = [*_KEEPER, "run", "--config", str(config), "--for", f"{seconds}s", "--json"]
        process = await trio.lowlevel.open_process(command, stdout=PIPE, stderr=PIPE)
        heard = {"bytes": 0, "open": 0}
        report: list[bytes] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep, process.stdout, report)
            async with trio.open_nursery() as pages:
                url = await _url(process, pages)
                for _ in range(streams):
                    pages.start_soon(_look, url, heard)
                    await trio.sleep(0.002)
                await process.wait()
                pages.cancel_scope.cancel()
    found = json.loads(b"".join(report))
    liquidations = found["liquidations"]
    return {
        "streams": heard["open"],
        "stream_kib": heard["bytes"] // 1_024,
        "prices_posted": found["prices"]["posted"],
        "liquidations_landed": liquidations["landed"],
        "due_to_landed_ms_p50": liquidations["due_to_landed_ms_p50"],
        "due_to_landed_ms_p99": liquidations["due_to_landed_ms_p99"],
    }


async def _look(url: str, heard: dict[str, int]) -> None:
    """Keep one page open."""
    port = int(url.rpartition(":")[2])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        heard["open"] += 1
        async for chunk in stream:
            heard["bytes"] += len(chunk)


async def _keep(stream: trio.abc.ReceiveStream | None, kept: list[bytes]) -> None:
    assert stream is not None
    kept += [chunk async for chunk in stream]


async def _url(process: trio.Process, nursery: trio.Nursery | None = None) -> str:
    """Wait for the log line that names the port; go on reading the log."""
    assert process.stderr is not None
    held = b""
    with trio.fail_after(_PATIENCE_S):
        while not (found := re.search(rb'"monitor.opened", .*?"url": "(.*?)"', held)):
            chunk = await process.stderr.receive_some()
            assert chunk, held[-500:]
            held += chunk
    if nursery is not None:
        nursery.start_soon(_keep, process.stderr, [])
    return found.group(1).decode()


def _shipped() -> str:
    text = (_ROOT / "keeper.toml").read_text()
    ports = "rpc_port = 0\nvenue_port = 0\n"
    text = text.replace("[sandbox]\n", f"[sandbox]\n{ports}")
    return text.replace("[monitor]\n", "[monitor]\nport = 0\n")


def _written(folder: Path, text: str) -> Path:
    path = folder / "keeper.toml"
    path.write_text(text)
    return path


def main() -> int:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=("scrape", "crowd", "streams"))
    parser.add_argument("--for", dest="seconds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    allow_connections(Bounds(open_max=CROWD))
    figures = []
    if asked.part in {None, "scrape"}:
        figures += _scrape_figures(_run(measure_scrape))
    if asked.part in {None, "crowd"}:
        figures += _crowd_figures(_run(measure_crowd))
    if asked.part in {None, "streams"}:
        without, beside = (
            _run(partial(measure_streams, asked.seconds, streams)) for streams in (0, STREAMS)
        )
        figures += _stream_figures(without, beside)
    tell("monitor_port", figures, as_json=asked.json)
    return int(any(figure.is_met is False for figure in figures))


def _scrape_figures(found: dict[str, Any]) -> list[Figure]:
    return [
        Figure(
            name=f"a scrape of every name at its most labels, {found['series']:,} series, p50 of {SCRAPES}",
            unit="ms",
            runs=(found["ms_p50"],),
            goal=Goal(value=SCRAPE_MS_GOAL, source="issue 7"),
        ),
        Figure(name="the slowest scrape", unit="ms", runs=(found["ms_max"],)),
        Figure(name="bytes of a scrape", unit="bytes", runs=(float(found["bytes"]),)),
    ]


def _crowd_figures(found: dict[str, Any]) -> list[Figure]:
    return [
        Figure(
            name=f"/live unanswered, of {found['of']}, while {found['sockets']:,} sockets stand open",
            unit="",
            runs=(float(found["of"] - found["answered"]),),
            goal=Goal(value=0.0, source="issue 7"),
        ),
        Figure(name="/live at its slowest, among them", unit="ms", runs=(found["ms_max"],)),
    ]


def _stream_figures(without: dict[str, Any], beside: dict[str, Any]) -> list[Figure]:
    """Put the lane's latency beside open pages against the one without; a run in which nothing landed tells none."""
    return [
        Figure(
            name=f"liquidations from due to landed beside {beside['streams']:,} open pages, {name}",
            unit="ms",
            runs=(float(beside[key]),),
            baseline=Beside(name="no page open", value=float(without[key])),
        )
        for name, key in (("p50", "due_to_landed_ms_p50"), ("p99", "due_to_landed_ms_p99"))
        if beside[key] is not None and without[key] is not None
    ]


def _run(measure: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    found: dict[str, Any] = trio.run(measure)
    return found


if __name__ == "__main__":
    sys.exit(main())
