"""A real Alertmanager takes our alerts; a real Prometheus scrapes the monitor's figures and fires the same rules."""

import json
import shutil
import socket
import subprocess
from contextlib import contextmanager

import httpx
import pytest
import trio
from causes import CAUSES, SLOT_S, told, view_of
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from keeper.monitor.alarms import open_alarms
from keeper.monitor.exposition import expose
from keeper.monitor.shipped.prometheus import RULE_FILE, rule_file, yaml
from keeper.monitor.sink_config import SinkConfig

HANG_S = 60
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
PROMETHEUS = shutil.which("prometheus")


def figures(name=None):
    *_rest, newest = told(3, CAUSES.get(name), lambda _second: True)
    return newest


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def running(*command, folder):
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def asked(url, holds):
    """Ask until an answer is as wanted; return it."""
    async with httpx.AsyncClient() as client:
        with trio.fail_after(HANG_S):
            while True:
                try:
                    answer = await client.get(url)
                    if answer.status_code == 200 and holds(answer.json()):
                        return answer.json()
                except httpx.TransportError:
                    pass  # it is starting
                await trio.sleep(0.1)


@pytest.mark.skipif(ALERTMANAGER is None, reason="needs Debian's prometheus-alertmanager")
async def test_an_alertmanager_hears_of_an_alert_and_of_its_end(tmp_path):
    port = free_port()
    (tmp_path / "am.yml").write_text(
        yaml({"route": {"receiver": "none"}, "receivers": [{"name": "none"}]})
    )
    url = f"http://127.0.0.1:{port}"
    with running(
        ALERTMANAGER,
        "--config.file=am.yml",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--storage.path=data",
        folder=tmp_path,
    ):
        sink = SinkConfig(kind="alertmanager", url=url, page_url="http://127.0.0.1:9184")
        async with open_alarms([sink], tmp_path / "state", SLOT_S) as alarms:
            # It may be starting yet: then the sink tries again.
            await alarms.take(view_of(figures("rpc_behind"), 0.0))
            await alarms.take(view_of(figures("rpc_behind"), 5.0))
            (told_of,) = await asked(f"{url}/api/v2/alerts", len)
            assert told_of["labels"] == {
                "alertname": "rpc_behind",
                "level": "warning",
                "endpoint": "rpc-a",
            }
            assert told_of["annotations"]["summary"] == alarms.firing[0].summary
            assert told_of["generatorURL"] == "http://127.0.0.1:9184/runbooks/rpc_behind"
            await alarms.take(view_of(figures(), 10.0))
            await alarms.take(view_of(figures(), 100.0))
            with trio.fail_after(HANG_S):
                await alarms.wait_delivered()
        await asked(f"{url}/api/v2/alerts?active=true", lambda found: not found)


@pytest.mark.skipif(PROMETHEUS is None, reason="needs Debian's package prometheus")
async def test_a_prometheus_that_scrapes_us_fires_the_same_rules(tmp_path):
    told_now = figures("service_failed")
    port = free_port()

    def metrics(request):
        body, kind = expose(view_of(told_now, 0.0), request.headers.get("accept", ""))
        return Response(body, media_type=kind)

    settings = HypercornConfig()
    settings.bind = ["127.0.0.1:0"]
    settings.graceful_timeout = 0
    async with trio.open_nursery() as nursery:
        app = Starlette(routes=[Route("/metrics", metrics)])
        (target,) = await nursery.start(serve, app, settings)
        (tmp_path / RULE_FILE).write_text(rule_file(SLOT_S))
        scraped = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [RULE_FILE],
            "scrape_configs": [
                {
                    "job_name": "keeper",
                    "static_configs": [{"targets": [target.removeprefix("http://")]}],
                }
            ],
        }
        (tmp_path / "prometheus.yml").write_text(yaml(scraped))
        with running(
            PROMETHEUS,
            "--config.file=prometheus.yml",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.path=data",
            folder=tmp_path,
        ):
            found = await asked(
                f"http://127.0.0.1:{port}/api/v1/alerts",
                lambda found: any(a["state"] == "firing" for a in found["data"]["alerts"]),
            )
            fired = {alert["labels"]["alertname"] for alert in found["data"]["alerts"]}
            assert fired == {"service_failed"}, json.dumps(found)
            listed = await asked(f"http://127.0.0.1:{port}/api/v1/rules", lambda _found: True)
            (group,) = listed["data"]["groups"]
            assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}
        nursery.cancel_scope.cancel()
