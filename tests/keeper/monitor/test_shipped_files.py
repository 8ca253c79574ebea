"""What operators install: judged by the programs that will read it, as far as they are here."""

import json
import re
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from keeper.cli.commands import cli
from keeper.errors import MonitorError
from keeper.monitor.shipped.grafana import dashboard, rows
from keeper.monitor.shipped.install import Site, shipped_files
from state.metrics import BY_NAME, METRICS, Kind

FUNCTIONS = {"rate", "sum", "by", "histogram_quantile", "le"}


@pytest.fixture
def installed(tmp_path):
    """A folder as `keeper monitor files` leaves it, for a machine that has everything where this one does."""
    source = tmp_path / "source"
    for name in ("keeper", "incentives"):
        program = source / ".venv" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    folder = tmp_path / "install"
    arguments = ["monitor", "files", str(folder), "--source", str(source), "--user", "root"]
    ended = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert 0 == ended.exit_code, ended.output
    assert sorted(ended.output.split()) == sorted(str(p) for p in folder.rglob("*") if p.is_file())
    return folder


def queries():
    return [query for _title, panels in rows() for panel in panels for query in panel.queries]


def test_every_query_of_the_dashboard_names_a_metric_that_exists_and_labels_that_it_has():
    for query in queries():
        names = set(re.findall(r"[a-z_]+[a-z]", re.sub(r"\[.*?\]", "", query.expr))) - FUNCTIONS
        metric = query.metric
        assert BY_NAME[metric.name] is metric
        is_histogram = metric.kind is Kind.HISTOGRAM
        assert {f"{metric.name}_bucket" if is_histogram else metric.name} == names - set(
            metric.labels
        )
        assert set(re.findall(r"{{(\w+)}}", query.legend)) <= set(metric.labels)
        assert ("rate(" in query.expr) == (metric.kind is not Kind.GAUGE)


def test_every_metric_there_is_can_be_seen_on_the_dashboard():
    assert set(METRICS) == {query.metric for query in queries()}


def test_panels_lie_beside_each_other_and_never_over_each_other():
    taken = set()
    panels = dashboard()["panels"]
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len(panels) == len({panel["id"] for panel in panels})


@pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (apt-get install prometheus)",
)
def test_prometheus_understands_every_query_and_the_configuration(installed, tmp_path):
    rules = [
        {"record": f"query:{number}", "expr": query.expr.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries())
    ]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked(["promtool", "check", "rules", path])
    checked(["promtool", "check", "config", installed / "prometheus" / "prometheus.yml"])


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
def test_systemd_understands_the_units_and_finds_little_exposed(installed):
    units = sorted((installed / "systemd").iterdir())
    assert 3 == len(units)
    ended = checked(["systemd-analyze", "verify", "--man=no", *units])
    ours = [line for line in ended.stderr.splitlines() if any(unit.name in line for unit in units)]
    assert [] == ours
    checked(["systemd-analyze", "security", "--offline=true", "--threshold=25", *units])


def test_the_watchdog_and_the_drain_are_patient_enough(installed):
    unit = (installed / "systemd" / "keeper.service").read_text()
    assert "Type=notify" in unit
    assert "@" not in re.sub(r"@(system-service|privileged|resources)", "", unit)
    assert int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]) > 20 + 10
    assert 5 < int(re.search(r"WatchdogSec=(\d+)", unit)[1]) <= 30


@pytest.mark.parametrize(
    "place",
    [
        {"source": "relative"},
        {"source": "/with space"},
        {"config": "/etc/%i.toml"},
        {"user": "keeper\nExecStart=/bin/sh"},
    ],
)
def test_places_that_a_unit_would_read_as_something_else_are_refused(place):
    with pytest.raises(MonitorError, match="expected"):
        shipped_files(
            Site(**({"source": "/opt/keeper", "config": "/etc/k.toml", "user": "k"} | place))
        )


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    ended = CliRunner().invoke(cli, ["monitor", "files", str(tmp_path / "file" / "x")])
    assert isinstance(ended.exception, MonitorError)
    assert "name a folder that can" in str(ended.exception)


def checked(command):
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    return ended
