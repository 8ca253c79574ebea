"""`incentives verify` and `incentives recompute`, on a whole ledger that is being written and on copies that were tampered with."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from solders.pubkey import Pubkey
from written_ledger import IDENTITY, being_written, played

from incentives.cli.commands import cli
from incentives.manifests import Anchor, manifest_files
from state.sqlite import sqlite3

AMOUNT = "UPDATE transfer SET amount = amount + 1 WHERE code = 'trade_boosted' AND seq = (SELECT min(seq) FROM transfer WHERE code = 'trade_boosted')"

CONFIG = Path(__file__).parents[2] / "keeper.toml"


def run(command, path, *options):
    return CliRunner().invoke(cli, [*command.split(), "--ledger", str(path), *options])


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with being_written(path, played()):
        yield path


@pytest.fixture
def tampered(ledger, tmp_path):
    """Change a copy of the ledger, triggers or not.

    By the library that writes it: of two in one process, each lets go of the other's locks.
    """

    def change(statement):
        copy = tmp_path / "copy.db"
        with sqlite3.connect(ledger) as source, sqlite3.connect(copy) as target:
            source.backup(target)
            triggers = target.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall()
            for name, _ in triggers:
                target.execute(f"DROP TRIGGER {name}")
            target.execute(statement)
            for _, sql in triggers:
                target.execute(sql)
        source.close()
        target.close()
        return copy

    return change


def test_a_ledger_that_is_being_written_holds_and_is_what_its_events_lead_to(ledger):
    for options in ((), ("--quick",)):
        result = run("verify", ledger, *options)
        found = json.loads(result.stdout)
        assert (0, True, []) == (result.exit_code, found["holds"], found["findings"]), result.output
        assert (not options) == found["is_recomputed"]
    result = run("recompute --diff", ledger)
    found = json.loads(result.stdout)
    assert (0, True, 0, []) == (
        result.exit_code,
        found["same"],
        found["differences"],
        found["lines_that_differ"],
    )
    assert found["head"] == found["recorded_head"]
    assert found["lines"] == found["recorded_lines"]


def test_an_amount_that_was_changed_is_found_and_shown(tampered):
    copy = tampered(AMOUNT)
    result = run("verify --quick", copy)
    found = json.loads(result.stdout)
    assert (1, False) == (result.exit_code, found["holds"])
    assert found["findings"]
    again = json.loads(run("verify", copy).stdout)["findings"]
    assert [
        each["finding"].endswith("see `incentives recompute --diff`")
        for each in again
        if each["check"] == "recompute"
    ] == [True]
    result = run("recompute --diff", copy)
    found = json.loads(result.stdout)
    assert (1, False, 2) == (result.exit_code, found["same"], found["differences"])
    recorded, recomputed = found["lines_that_differ"]
    assert "|40000000001|" in recorded["recorded_line"]
    assert "|40000000000|" in recomputed["recomputed_line"]
    assert 1 == len(json.loads(run("recompute --diff --limit 1", copy).stdout)["lines_that_differ"])
    explained = run("explain", copy, str(recorded["seq"]))
    assert (1, False) == (explained.exit_code, json.loads(explained.stdout)[0]["agrees"])


def test_an_event_that_was_changed_is_found_even_where_the_rules_refuse_it(tampered):
    copy = tampered("UPDATE event SET payload = x'00' WHERE kind = 6")
    result = run("verify", copy)
    assert 1 == result.exit_code
    assert any(each["check"] == "recompute" for each in json.loads(result.stdout)["findings"])
    for command in ("recompute", "explain 14", "bootstrap", f"simulate --config {CONFIG}"):
        refused = run(command, copy)
        assert (2, 1) == (refused.exit_code, refused.stderr.count("\n")), refused.output


def test_a_manifest_that_names_another_head_is_found(ledger, tmp_path):
    season = played()
    heads = {row["epoch"]: row["head"] for row in json.loads(run("epoch", ledger).stdout)}

    def written(name, head):
        folder = tmp_path / name
        folder.mkdir()
        anchor = Anchor(
            genesis_hash=IDENTITY.genesis_hash,
            program=Pubkey.from_string(IDENTITY.program),
            head=head,
            formula_version=1,
            rules_version=1,
        )
        for file in manifest_files(season.closes[0], anchor, season.parameters.epoch_slots):
            (folder / file.name).write_text(file.text)
        return "--manifests", str(folder)

    named = run("verify --quick", ledger, *written("right", heads[0]))
    assert (0, 1) == (named.exit_code, json.loads(named.stdout)["manifests"])
    other = run("verify --quick", ledger, *written("wrong", "0" * 64))
    assert 1 == other.exit_code
    assert heads[0] in other.stdout
