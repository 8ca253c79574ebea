"""The page in a real Chromium: what it shows, that it lives, that everybody can use it."""

import itertools
from dataclasses import replace

import httpx
import moments
import pytest
import trio
import webdriver
from starlette.applications import Starlette

from keeper.monitor.config import MonitorConfig
from keeper.monitor.page.app import Page
from keeper.monitor.run import Post, watch
from keeper.newest import Newest
from programs.localnet.connections import serve_connections
from programs.localnet.listen import BoundedListener
from state import metrics as m
from state.sample_board import SampleBoard
from state.sample_socket import serve_samples, socket_path

pytestmark = pytest.mark.skipif(
    webdriver.CHROMIUM is None or webdriver.DRIVER is None,
    reason="chromium and chromedriver are not installed (apt-get install chromium chromium-driver)",
)
TAB, ENTER = "\ue004", "\ue007"
SIZES = {"desktop": (1280, 900), "phone": (360, 740)}
CONTRAST_MIN = 4.5
"""Source: WCAG 2.2, 1.4.3."""


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with webdriver.chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture
async def tab(session):
    async with httpx.AsyncClient(timeout=webdriver.HANG_S, trust_env=False) as http:
        found = webdriver.Tab(http, session)
        await found.complaints()
        yield found
        await found.open("about:blank")


class Site:
    """A served page, and what it is told."""

    def __init__(self):
        self.board = Newest()
        self.page = Page(self.board)
        self.sequence = 9_000
        self.history = moments.an_hour()
        self.places = 100

    def tell(self, *, equity=None, **changed):
        self.sequence += 1
        sample = moments.keeper_sample(self.sequence, second=3_600.0)
        if equity is not None:
            key = ("vault_equity_quote", ())
            sample = replace(sample, figures={**sample.figures, key: equity})
        self.board.publish(moments.moment(history=self.history, sample=sample, **changed))

    async def serve(self, task_status=trio.TASK_STATUS_IGNORED):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        bounded = BoundedListener(listener, trio.Semaphore(self.places))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.page.encode)
            app = Starlette(routes=self.page.routes())
            await nursery.start(serve_connections, app, [bounded])
            task_status.started(f"http://127.0.0.1:{bounded.port}/")


@pytest.fixture
def site():
    return Site()


@pytest.fixture
async def url(site, nursery):
    site.tell()
    return await nursery.start(site.serve)


async def test_it_shows_what_it_is_told_and_the_browser_complains_of_nothing(tab, site, url):
    await tab.open(url)
    assert "all is well: 6 of 6 checks pass, no alert fires" in await tab.text("#verdict")
    assert "178,496.05" in await tab.text("#vault")
    assert 5 == await tab.run(
        "return document.querySelectorAll('#lanes-table, #lanes tbody tr').length"
    )
    drawn = "return [...document.querySelectorAll('.curve')].filter((c) => c.getTotalLength() > 50).length"
    assert 10 < await tab.run(drawn)
    await tab.wait_for("return stream.readyState === 1")
    site.tell()
    await tab.wait_text("#live", "live")
    assert [] == await tab.complaints()


async def test_a_figure_changes_in_place_and_the_reader_loses_nothing(tab, site, url):
    await tab.open(url)
    await tab.wait_for("return stream.readyState === 1")
    await tab.run(
        "document.querySelector('#worst-prices').open = true;"
        "window.kept = document.querySelector('#lanes .scroll'); kept.focus();"
        "getSelection().selectAllChildren(document.querySelector('#endpoints h2'))"
    )
    site.tell(equity=222_333.44)
    await tab.wait_text("#vault", "222,333.44")
    held = (
        "return [document.querySelector('#worst-prices').open, document.activeElement === kept,"
        " kept.isConnected, getSelection().toString()]"
    )
    assert [True, True, True, "Endpoints"] == await tab.run(held)
    assert [] == await tab.complaints()


async def test_an_alert_appears_and_goes_without_anybody_asking(tab, site, url):
    await tab.open(url)
    await tab.wait_for("return stream.readyState === 1")
    site.tell(alerts=[moments.Firing()])
    await tab.wait_text("#alerts", "coverage is 0.41")
    assert "1 alert fires, the worst is critical" in await tab.text("#verdict")
    await tab.wait_for("return document.title === '(1) critical · keeper'")
    assert "keeper alerts ack 9f2c41aa" in await tab.text("#alerts li")
    site.tell(alerts=[moments.Firing(rule="rpc_behind", level="warning"), moments.Firing()])
    await tab.wait_for("return document.querySelectorAll('#alerts li').length === 2")
    site.tell()
    await tab.wait_text("#alerts", "No alert fires")
    await tab.wait_for("return document.title === 'all is well · keeper'")
    assert [] == await tab.complaints()


async def test_a_page_that_is_told_nothing_more_says_that_it_is_old(tab, site, url):
    await tab.open(url)
    await tab.wait_for("return stream.readyState === 1")
    site.tell()
    await tab.wait_text("#live", "live")
    await tab.run("heardMs -= 60_000")
    await tab.wait_text("#live", "NOT LIVE: the monitor was last heard at 14:13:20 UTC")
    assert "not live · keeper" == await tab.run("return document.title")
    site.tell()
    await tab.wait_for("return document.querySelector('#live').textContent === 'live'")
    await tab.wait_for("return document.title === 'all is well · keeper'")


async def test_an_alert_of_the_rules_appears_on_the_page_of_a_real_monitor_and_goes(
    tab, nursery, tmp_path
):
    """Figures over a socket, judged by the shipped rules, shown through the guarded port: only the keeper is a fake."""
    opened_send, opened = trio.open_memory_channel(1)
    board = SampleBoard()
    halted = trio.Event()

    async def tell():
        for second in itertools.count(1):
            sample = moments.keeper_sample(second, second=float(second))
            is_halted = float(halted.is_set())
            figures = {**sample.figures, (m.IS_HALTED.name, ()): is_halted}
            board.publish(replace(sample, figures=figures))
            await trio.sleep(0.5)

    await nursery.start(serve_samples, socket_path(tmp_path, "keeper"), board)
    nursery.start_soon(tell)
    post = Post(
        config=MonitorConfig(port=0),
        folder=tmp_path,
        services=("keeper",),
        slot_s=0.4,
        opened=opened_send.send_nowait,
    )
    nursery.start_soon(watch, post)
    with trio.fail_after(webdriver.HANG_S):
        await tab.open(await opened.receive())
    await tab.wait_for("return stream?.readyState === 1")
    assert await tab.run("return !document.getElementById('alert-1-platform_halted')")
    halted.set()
    await tab.wait_text("#alerts", "the platform was halted by its halt authority")
    assert "platform_halted" in await tab.text("#alerts")
    halted = trio.Event()
    await tab.wait_for(
        "return !document.querySelector('#alerts').textContent.includes('was halted')"
    )
    assert [] == await tab.complaints()


async def test_the_first_key_leads_past_the_navigation(tab, url):
    await tab.open(url)
    await tab.press(TAB)
    assert "Skip to what is wrong" == await tab.run("return document.activeElement.textContent")
    await tab.press(ENTER)
    await tab.wait_for("return document.activeElement.id === 'main'")


async def test_whatever_can_be_reached_has_a_name_to_be_read_aloud(tab, url):
    await tab.open(url)
    tree = await tab.tell_browser("Accessibility.getFullAXTree")
    named = {"link", "button", "image", "img", "region", "table", "heading", "figure", "navigation"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree["nodes"]
        if not node["ignored"] and node["role"]["value"] in named
    ]
    assert 30 < len(found)
    assert [] == [role for role, name in found if not name.strip() and role != "figure"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_it_can_be_read_on_every_screen_by_day_and_by_night(tab, site, url, scheme, size):
    """No text is too pale for its ground, and nothing but a table's own frame is scrolled sideways."""
    width, height = SIZES[size]
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    await tab.tell_browser("Emulation.setEmulatedMedia", features=media)
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    await tab.tell_browser("Emulation.setDeviceMetricsOverride", **metrics)
    alerts = [
        moments.Firing(),
        moments.Firing(rule="b", level="warning"),
        moments.Firing(rule="c", level="info"),
    ]
    failed = moments.Checked(name="oldest_due", passed=False, words="liquidations wait for 14.2 s")
    site.tell(alerts=alerts, checks=[failed, *moments.CHECKS])
    try:
        await tab.open(url)
        assert [] == await tab.run(PALE, CONTRAST_MIN)
        assert width == await tab.run("return document.scrollingElement.scrollWidth")
    finally:
        await tab.tell_browser("Emulation.setEmulatedMedia", features=[])
        await tab.tell_browser("Emulation.clearDeviceMetricsOverride")


PALE = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = (colour) => {
  const [r, g, b] = rgba(colour).map((each) => each / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if (rgba(colour)[3] === 255) return colour;
  }
  return "white";
};
const pale = new Set();
for (const element of document.querySelectorAll("body *")) {
  const has_text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!has_text || element.closest("svg, .skip, .old")) continue;
  const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < arguments[0]) pale.add(`${element.tagName}.${element.className} ${contrast.toFixed(2)}: ${element.textContent.slice(0, 30)}`);
}
return [...pale];
"""
