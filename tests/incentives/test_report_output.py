"""incentives/cli/output.py and incentives/amounts.py."""

import csv
import io
import json

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from incentives.amounts import decimal
from incentives.cli.output import Form, Report, output_options, show, texts_of

LARGE = 2**53 + 1
COLUMNS = ("seq", "wallet", "amount", "note")
ROWS = [(1, "9xQe", 1_500_000_000, None), (LARGE, "b", -1, 'say "hi", ü')]


def printed(form, rows=ROWS, **head):
    return "".join(texts_of(Report(columns=COLUMNS, rows=iter(rows), head=head), Form(name=form)))


@given(st.integers(-(2**80), 2**80))
def test_a_decimal_is_exact(amount):
    text = decimal(amount)
    assert 10 == len(text) - text.index(".")
    assert amount == int(text.replace(".", ""))


def test_rows_are_a_list_of_objects_with_amounts_as_text_and_as_decimals():
    assert json.loads(printed("json")) == [
        {
            "seq": 1,
            "wallet": "9xQe",
            "amount": "1500000000",
            "amount_mmt": "1.500000000",
            "note": None,
        },
        {
            "seq": str(LARGE),
            "wallet": "b",
            "amount": "-1",
            "amount_mmt": "-0.000000001",
            "note": 'say "hi", ü',
        },
    ]


def test_a_head_makes_it_one_object():
    found = json.loads(printed("json", wallet="9xQe", paid=7))
    assert [*found] == ["wallet", "paid", "paid_mmt", "rows"]
    assert ("7", "0.000000007", 2) == (found["paid"], found["paid_mmt"], len(found["rows"]))
    assert {"wallet": "w", "rows": []} == json.loads(printed("json", [], wallet="w"))


def test_no_rows_are_an_empty_list():
    assert [] == json.loads(printed("json", []))
    assert "" == printed("nl", [])


def test_a_line_a_row_leaves_out_the_head():
    found = [json.loads(line) for line in printed("nl", wallet="9xQe").splitlines()]
    assert found == json.loads(printed("json"))


@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_separated_values_have_both_figures(form, delimiter):
    found = list(csv.reader(io.StringIO(printed(form, wallet="x")), delimiter=delimiter))
    assert found[0] == ["seq", "wallet", "amount", "amount_mmt", "note"]
    assert found[1] == ["1", "9xQe", "1500000000", "1.500000000", ""]
    assert found[2] == [str(LARGE), "b", "-1", "-0.000000001", 'say "hi", ü']


def test_a_table_shows_decimals_aligned_and_the_head_above():
    lines = printed("simple", wallet="9xQe", paid=7).splitlines()
    assert ["wallet  9xQe", "paid    0.000000007", ""] == lines[:3]
    assert ["seq", "wallet", "amount", "note"] == lines[3].split()
    assert lines[5].index("1.500000000") - 1 == lines[6].index("-0.000000001")
    assert printed("github").startswith("|")
    assert printed("simple", []).startswith("seq")


def test_bytes_are_hex():
    report = Report(columns=("head",), rows=[(b"\x01\xff",)])
    assert [{"head": "01ff"}] == json.loads("".join(texts_of(report, Form())))


def test_named_values_are_an_object_and_none_of_their_names_means_mmt():
    report = Report(columns=("event",), rows=[({"amount": 5, "large": LARGE},)])
    found = {"amount": 5, "large": str(LARGE)}
    assert [{"event": found}] == json.loads("".join(texts_of(report, Form())))
    (row,) = csv.DictReader(io.StringIO("".join(texts_of(report, Form(name="csv")))))
    assert found == json.loads(row["event"])


def test_rows_are_printed_as_they_come():
    taken = []

    def rows():
        for number in range(3):
            taken.append(number)
            yield (number, "", 0, "")

    for form in ("json", "nl", "csv"):
        taken.clear()
        pieces = texts_of(Report(columns=COLUMNS, rows=rows()), Form(name=form))
        next(pieces), next(pieces)
        assert len(taken) < 3, form


@click.command()
@output_options
@click.option("--more", is_flag=True)
def example(*, form, more):
    show(Report(columns=("a",), rows=[("yes" if more else "no",)]), form)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], '[{"a": "yes"}]\n'),
        (["--json"], '[{"a": "yes"}]\n'),
        (["--nl"], '{"a": "yes"}\n'),
        (["--csv"], "a\nyes\n"),
        (["--tsv", "--no-headers"], "yes\n"),
        (["-t"], "a\n---\nyes\n"),
        (["--fmt", "github"], "| a   |\n|-----|\n| yes |\n"),
        (["--table", "--fmt", "github"], "| a   |\n|-----|\n| yes |\n"),
    ],
)
def test_the_options_are_those_of_sqlite_utils(options, text):
    assert text == CliRunner().invoke(example, ["--more", *options]).output


def test_two_forms_at_once_and_an_unknown_format_are_refused():
    both = CliRunner().invoke(example, ["--csv", "--nl"])
    assert 2 == both.exit_code
    assert "--nl and --csv: expected one form of output" in both.output
    assert 2 == CliRunner().invoke(example, ["--fmt", "excel"]).exit_code
