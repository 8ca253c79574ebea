"""The status page: how soon it is seen, what it costs, and what a thousand open ones cost.

First paint is what Chromium says of it (Paint Timing), over a real socket, cache empty; it needs chromium and chromedriver.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import trio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "keeper" / "monitor"))

import moments
import webdriver
from test_page_in_chromium import Site

from keeper.monitor.page.frames import Frames
from keeper.monitor.page.render import page

ROUNDS = 10
STREAMS = 1_000
SECONDS = 12
PAINT_GOAL_MS = 300


def cost_of_rendering() -> None:
    """Print what the whole page and one second of news take."""
    history = moments.an_hour()
    shown = [moments.moment(history=history, alerts=[moments.Firing()]) for _ in range(50)]
    began_s = time.process_time()
    size = [len(page(each, "hour")) for each in shown].pop()
    print(
        f"whole page      {(time.process_time() - began_s) / 50 * 1e3:7.2f} ms, {size / 1e3:.1f} kB"
    )
    frames = Frames(span="hour")

    async def publish() -> None:
        for each in shown:
            frames.publish(each, 1.0)

    began_s = time.process_time()
    trio.run(publish)
    print(
        f"one frame       {(time.process_time() - began_s) / 50 * 1e3:7.2f} ms, for all open pages together"
    )


async def first_paint() -> float:
    """Print how soon a browser shows something; return the median, milliseconds."""
    found = []
    site = Site()
    site.tell(alerts=[moments.Firing()])
    with webdriver.chromium(tempfile.mkdtemp()) as session:
        async with (
            httpx.AsyncClient(timeout=30, trust_env=False) as http,
            trio.open_nursery() as nursery,
        ):
            url = await nursery.start(site.serve)
            tab = webdriver.Tab(http, session)
            for _ in range(ROUNDS):
                await tab.tell_browser("Network.clearBrowserCache")
                await tab.open(url)
                await tab.wait_for(
                    "return performance.getEntriesByName('first-contentful-paint').length"
                )
                found.append(
                    await tab.run(
                        "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
                    )
                )
                await tab.open("about:blank")
            nursery.cancel_scope.cancel()
    print(
        f"first paint     median {statistics.median(found):.0f} ms, worst {max(found):.0f} ms of {ROUNDS} "
        f"(goal {PAINT_GOAL_MS} ms)"
    )
    return statistics.median(found)


async def many_streams() -> None:
    """Print what a thousand open pages cost the process that serves them."""
    site = Site()
    site.places = STREAMS + 100
    received = 0

    async def read(port: int) -> None:
        nonlocal received
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            async for data in stream:
                received += len(data)

    site.tell()
    async with trio.open_nursery() as nursery:
        url = await nursery.start(site.serve)
        for _ in range(STREAMS):
            nursery.start_soon(read, httpx.URL(url).port)
        with trio.fail_after(60):
            while site.page.streams < STREAMS:  # noqa: ASYNC110 - a count, no event
                await trio.sleep(0.1)
        received, began_s = 0, time.process_time()
        lags = []
        for _ in range(SECONDS):
            site.tell()
            before_s = trio.current_time()
            await trio.sleep(1)
            lags.append(trio.current_time() - before_s - 1)
        used_s = time.process_time() - began_s
        print(
            f"{STREAMS} streams    {100 * used_s / SECONDS:.0f} % of a core, readers in the same process included; "
            f"{received / SECONDS / 1e6:.2f} MB/s; worst delay of the loop {max(lags) * 1e3:.0f} ms"
        )
        nursery.cancel_scope.cancel()


def main() -> int:
    """Measure; non-zero when the first paint misses its goal."""
    cost_of_rendering()
    trio.run(many_streams)
    if webdriver.CHROMIUM is None or webdriver.DRIVER is None:
        print("first paint     not measured: chromium or chromedriver is not installed")
        return 0
    return int(trio.run(first_paint) > PAINT_GOAL_MS)


if __name__ == "__main__":
    sys.exit(main())
