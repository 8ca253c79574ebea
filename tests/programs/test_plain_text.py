"""programs/plain_text.py, and that everything for people goes through it."""

import io
import json
import subprocess
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from incentives.cli.commands import cli as incentives
from incentives.cli.output import Form, Report, texts_of
from incentives.cli.refusal import Refusal as IncentivesRefusal
from keeper.cli.commands import cli as keeper
from keeper.cli.logs import open_logs
from keeper.cli.refusal import Refusal
from keeper.cli.terminal import Terminal
from keeper.prices.numerals import load_json
from keeper.prices.strict_json import load_strict, text_of
from programs.plain_text import shown, shown_page, with_whole_characters
from programs.rpc_transport import read_body

ROOT = Path(__file__).parents[2]
EVIL = "Will it\x1b]0;owned\x07\x1b[2J\rrain?\x9b31m\u202etxt\ud800"


@given(st.text(st.characters()))
def test_what_is_shown_controls_nothing_and_is_as_long(text):
    assert len(shown(text)) == len(shown_page(text)) == len(text)
    assert shown(text).isprintable() or not text.isprintable()
    assert not any(ord(each) < 32 or 0x7F <= ord(each) < 0xA0 for each in shown(text))
    assert {each for each in shown_page(text) if ord(each) < 32} <= {"\n", "\t"}
    shown(text).encode()


def test_ordinary_text_is_shown_as_it_is():
    assert shown("Wird es regnen? 雨 🌧 né") == "Wird es regnen? 雨 🌧 né"
    assert shown("a\x1b[31m\n") == "a␛[31m␊"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud800x"', "\ufffdx"),
        (r'"\uD83D\uDE00 \udc00\ud800"', "😀 \ufffd\ufffd"),
        (r'"\\ud800 \"\ud800\u0041"', '\\ud800 "\ufffdA'),
        (r'{"\udfff": "\\\\\ud83d"}', {"\ufffd": "\\\\\ufffd"}),
    ],
)
def test_half_characters_are_replaced_wherever_json_of_others_is_read(text, value):
    assert json.loads(with_whole_characters(text)) == value
    assert load_strict(text_of(text.encode())) == value
    assert load_json(text.encode()) == value
    reply = f'{{"jsonrpc": "2.0", "id": 1, "result": {text}}}'
    assert read_body(reply.encode(), 1, "a node") == value


@given(st.recursive(st.text() | st.integers(), st.lists))
def test_json_of_whole_characters_is_left_alone(value):
    assert json.loads(with_whole_characters(json.dumps(value))) == value


@pytest.mark.parametrize("group", [keeper, incentives])
@pytest.mark.parametrize("words", [["alerts", "ack", "abcd", "--by", "\udcff"], ["sql", "\udcff"]])
def test_an_argument_that_is_no_text_is_refused(group, words):
    result = CliRunner().invoke(group, words)
    assert (2, True) == (result.exit_code, "the argument \ufffd is not UTF-8" in result.output)


def test_tables_refusals_and_log_lines_show_what_a_terminal_would_do(tmp_path):
    table = Table("question")
    table.add_row(EVIL)
    page = io.StringIO()
    Terminal(file=page, force_terminal=True, width=200, color_system=None).print(table)
    report = Report(columns=["question"], rows=[[EVIL]])
    printed = [page.getvalue(), "".join(map(shown_page, texts_of(report, Form(name="simple"))))]
    printed += [Refusal(EVIL).format_message()]
    log = tmp_path / "log"
    with log.open("w") as stream, open_logs(stream, form="text"):
        structlog.get_logger().warning("market.named", question=EVIL)
    printed.append(log.read_text())
    for text in printed:
        assert "Will it␛]0;owned" in text  # rich leaves out bells and returns by itself
        assert not set("\x1b\x07\r\x9b\u202e\ud800") & set(text)


def test_a_refusal_of_the_ledger_is_shown(capsys):
    IncentivesRefusal(EVIL).show()
    assert "\x1b" not in capsys.readouterr().err


def test_nothing_prints_for_people_past_it():
    found = subprocess.run(
        [
            "git",
            "grep",
            "-l",
            "-E",
            r"click\.echo\(|[^a-z.]Console\(|click\.secho",
            "--",
            "keeper",
            "incentives",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout.split()
    allowed = {
        "incentives/cli/output.py",  # JSON, CSV and TSV for programs; its tables are shown
        "incentives/cli/refusal.py",
        "keeper/cli/terminal.py",
        "keeper/stress/naive.py",  # no part of the keeper: what others would write
    }
    assert set(found) <= allowed
