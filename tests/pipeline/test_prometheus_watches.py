"""Debian's Prometheus and Alertmanager, with the files that we ship, beside a sandbox at work: they see what it does, and hear of its death."""

import json
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import httpx
import pytest
from commands import run
from processes import free_ports, started, write_config

from keeper.monitor.rules import rules_for

PATIENCE_S = 60
PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
WORTH_KNOWING = (
    'sum(increase(transactions_total{end="landed"}[1m])) > 0',
    "vault_equity_quote > 0",
    'sum(prices{price_class="valid"}) > 0',
    "ledger_slot > 0",
    "sum(task_is_running) > 10",
)


@contextmanager
def served(*command, folder, url):
    with (folder / "said").open("ab") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
    try:
        wait_for(f"{url}/-/ready", "", lambda answer: answer.status_code == 200)
        yield
    finally:
        process.kill()
        process.wait()


def wait_for(url, query, holds):
    """Ask until the answer is as wanted; return it."""
    deadline_s = time.monotonic() + PATIENCE_S
    answer = None
    while time.monotonic() < deadline_s:
        try:
            answer = httpx.get(url, params={"query": query} if query else None, timeout=10)
            if holds(answer):
                return answer
        except httpx.TransportError:
            pass  # it is starting
        time.sleep(0.2)
    raise AssertionError(f"never so: {url} {query}: {answer and answer.text[:2_000]}")


def a_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_death_of_the_keeper(alert):
    labels = alert["labels"]
    return (labels["alertname"], labels.get("service")) == ("service_failed", "keeper")


def results(answer):
    return answer.json()["data"]["result"]


@pytest.mark.skipif(
    None in (PROMETHEUS, ALERTMANAGER),
    reason="needs Debian's packages prometheus and prometheus-alertmanager",
)
def test_a_prometheus_with_our_files_watches_a_sandbox_and_an_alertmanager_hears_of_its_death(
    tmp_path,
):
    config = write_config(tmp_path, *free_ports(2))
    watched = "[monitor]\nenabled = true\nport = 0\nlinger_s = 20\n"
    config.write_text(config.read_text().replace("[monitor]\nenabled = false\n", watched))
    files = tmp_path / "files"
    assert run("monitor", "files", str(files), "--config", str(config)).returncode == 0
    folder = files / "prometheus"
    with started("run", "--json", "--config", str(config)) as keeper:
        target = keeper.wait_for(lambda line: line["event"] == "monitor.opened")["url"]
        own, alertmanager = (f"http://127.0.0.1:{a_free_port()}" for _ in range(2))
        settings = folder / "prometheus.yml"
        text = settings.read_text()
        for shipped, here in (("127.0.0.1:9184", target), ("127.0.0.1:9093", alertmanager)):
            assert shipped in text
            text = text.replace(shipped, here.removeprefix("http://"))
        settings.write_text(text)
        (folder / "am.yml").write_text(
            '{"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}'
        )
        with (
            served(
                ALERTMANAGER,
                "--config.file=am.yml",
                f"--web.listen-address={alertmanager.removeprefix('http://')}",
                "--cluster.listen-address=",
                "--storage.path=am",
                folder=folder,
                url=alertmanager,
            ),
            served(
                PROMETHEUS,
                "--config.file=prometheus.yml",
                f"--web.listen-address={own.removeprefix('http://')}",
                "--storage.tsdb.path=data",
                folder=folder,
                url=own,
            ),
        ):
            for query in WORTH_KNOWING:
                wait_for(f"{own}/api/v1/query", query, results)
            (group,) = wait_for(
                f"{own}/api/v1/rules",
                "",
                lambda answer: all(
                    rule["health"] == "ok" for rule in answer.json()["data"]["groups"][0]["rules"]
                ),
            ).json()["data"]["groups"]
            assert {rule["name"] for rule in group["rules"]} == {
                rule.name for rule in rules_for(0.1)
            }
            urgent = [
                alert
                for alert in httpx.get(f"{own}/api/v1/alerts").json()["data"]["alerts"]
                if (alert["labels"]["level"], alert["state"]) == ("emergency", "firing")
            ]
            assert urgent == [], json.dumps(urgent)

            keeper.process.kill()
            heard = wait_for(
                f"{alertmanager}/api/v2/alerts",
                "",
                lambda answer: any(is_death_of_the_keeper(each) for each in answer.json()),
            ).json()
            (told,) = filter(is_death_of_the_keeper, heard)
            assert told["labels"]["level"] == "emergency"
            assert "service_failed" in told["annotations"]["runbook"]
