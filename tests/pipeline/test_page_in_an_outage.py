"""An outage of the venue as its operator sees it: a real keeper, its monitor, and the status page in a real Chromium."""

import re
import signal
from functools import partial

import httpx
import pytest
import trio
from commands import config_for
from processes import finish, started
from quiet_world import quiet_world

from tests.keeper.monitor import webdriver

pytestmark = pytest.mark.skipif(
    webdriver.CHROMIUM is None or webdriver.DRIVER is None,
    reason="chromium and chromedriver are not installed (apt-get install chromium chromium-driver)",
)
BRISK = {
    "rest_poll_interval_ms": "200",
    "gamma_poll_interval_ms": "400",
    "breaker_probe_ms": "250",
    "breaker_probe_max_ms": "500",
    "reconnect_max_ms": "500",
}
"""So that every source fails five times within seconds."""


@pytest.fixture
def world():
    with quiet_world(seed=11) as found:
        yield found


async def test_the_page_of_a_keeper_tells_of_an_outage_by_itself(tmp_path, world):
    with webdriver.chromium(tmp_path / "chromium") as session:
        config = config_for(tmp_path, world, venue=world.venue_gate.port)
        text = config.read_text()
        for key, value in BRISK.items():
            text = re.sub(rf"(?m)^{key} = .*\n", "", text)
            text = text.replace("[polymarket]\n", f"[polymarket]\n{key} = {value}\n")
        text = text.replace("[monitor]\nenabled = false\n", "[monitor]\nenabled = true\nport = 0\n")
        config.write_text(text)
        with started("run", "--json", "--config", str(config)) as keeper:
            opened = partial(keeper.wait_for, lambda line: line["event"] == "monitor.opened")
            url = (await trio.to_thread.run_sync(opened))["url"]
            async with httpx.AsyncClient(timeout=webdriver.HANG_S, trust_env=False) as http:
                tab = webdriver.Tab(http, session)
                await tab.complaints()
                await tab.open(url)
                await tab.wait_text("#verdict", "all is well")
                assert "Emergency" not in await tab.text("#alerts")

                await trio.to_thread.run_sync(world.do, world.venue_gate.turn, None)
                await tab.wait_text("#alerts", "no price source answers")
                assert "keeps asking every source" in await tab.text("#alerts")
                assert "price_sources_all_failing" in await tab.text("#alerts")
                assert "all is well" not in await tab.text("#verdict")

                assert [] == await tab.complaints()
            keeper.process.send_signal(signal.SIGTERM)
            await trio.to_thread.run_sync(finish, keeper)
