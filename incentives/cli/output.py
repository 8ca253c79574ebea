"""How a report is printed: JSON unless asked otherwise, with the options of sqlite-utils.

Amounts appear twice in JSON, CSV and TSV, as base units under their own name (text in JSON) and as decimals under the
name with `_mmt`; tables show the decimals. A report may have a head, facts about all of its rows: JSON and tables show it,
the forms that are rows and nothing else (--nl, --csv, --tsv) leave it out.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final

import click
from tabulate import tabulate, tabulate_formats

from incentives.amounts import AMOUNT_NAMES, decimal
from programs.plain_text import shown_page

Value = int | float | str | bytes | Mapping[str, Any] | None
"""What SQLite holds, and named values: an object in JSON, its text elsewhere."""
_CHUNK: Final = 1 << 16
_EXACT_MAX: Final = 2**53
"""Larger integers are rounded by readers of JSON that know floats only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Rows with named columns, and what is true of all of them."""

    columns: Sequence[str]
    rows: Iterable[Sequence[Value]]
    """Read once, as they are printed."""
    head: Mapping[str, Value] = field(default_factory=dict)
    rows_name: str = "rows"
    """Under which JSON has the rows, where there is a head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the options ask for."""

    name: str = "json"
    """json, nl, csv, tsv, or a format of tabulate."""
    has_headers: bool = True

    @property
    def is_rows(self) -> bool:
        """Whether programs read it; a table is for people."""
        return self.name in {"json", "nl", "csv", "tsv"}


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command gets a `form`."""

    @wraps(command)
    def told(**given: Any) -> None:  # noqa: ANN401 - whatever the command takes
        command(form=_chosen(given), **given)

    for option in (
        click.option("--no-headers", is_flag=True, help="Leave out the names of columns."),
        click.option(
            "--fmt",
            type=click.Choice(tabulate_formats),
            metavar="FORMAT",
            help="Print a table as tabulate's FORMAT: github, html, psql, …",
        ),
        click.option("-t", "--table", is_flag=True, help="Print a table for people."),
        click.option("--tsv", is_flag=True, help="Print the rows as TSV."),
        click.option("--csv", is_flag=True, help="Print the rows as CSV."),
        click.option("--nl", is_flag=True, help="Print the rows as JSON, one object a line."),
        click.option("--json", is_flag=True, help="Print JSON, as without any of these."),
    ):
        told = option(told)
    return told


def _chosen(given: dict[str, Any]) -> Form:
    """Take the options out of what a command was given."""
    forms = [name for name in ("json", "nl", "csv", "tsv", "table") if given.pop(name)]
    fmt, has_headers = given.pop("fmt"), not given.pop("no_headers")
    if fmt is not None:  # with --table or without, as in sqlite-utils
        forms = [name for name in forms if name != "table"] + ["fmt"]
    if len(forms) > 1:
        raise click.UsageError(f"--{forms[0]} and --{forms[1]}: expected one form of output")
    name = {"table": "simple", "fmt": fmt}.get(forms[0], forms[0]) if forms else "json"
    return Form(name=name, has_headers=has_headers)


def show(report: Report, form: Form) -> None:
    """Print a report."""
    texts = texts_of(report, form)
    say(texts if form.is_rows else map(shown_page, texts))


def say(texts: Iterable[str]) -> None:
    """Print texts, many at once: click flushes after each."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= _CHUNK:
            click.echo("".join(waiting), nl=False)
            waiting, size = [], 0
    click.echo("".join(waiting), nl=False)


def texts_of(report: Report, form: Form) -> Iterator[str]:
    """Yield the text of a report, piece by piece; only a table has to see all rows first."""
    match form.name:
        case "json":
            yield from _json(report)
        case "nl":
            yield from (f"{text}\n" for text in _objects(report))
        case "csv" | "tsv":
            yield from _separated(report, form)
        case _:
            yield from _tabulated(report, form)


def json_value(name: str, value: Value) -> object:
    """Return a value as JSON may hold it: amounts and large integers as text, bytes in hex."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and (name in AMOUNT_NAMES or abs(value) > _EXACT_MAX):
        return str(value)
    if isinstance(
        value, Mapping
    ):  # of names that are not ours: an `amount` there may be of another token
        return {key: json_value("", each) for key, each in value.items()}
    return value.hex() if isinstance(value, bytes) else value


def json_object(names: Iterable[str], values: Iterable[Value]) -> dict[str, object]:
    """Return a row as JSON may hold it, amounts also as decimals."""
    found: dict[str, object] = {}
    for name, value in zip(names, values, strict=True):
        found[name] = json_value(name, value)
        if name in AMOUNT_NAMES and isinstance(value, int):
            found[f"{name}_mmt"] = decimal(value)
    return found


def _objects(report: Report) -> Iterator[str]:
    for row in report.rows:
        yield json.dumps(json_object(report.columns, row), ensure_ascii=False)


def _json(report: Report) -> Iterator[str]:
    head = json.dumps(json_object(report.head, report.head.values()), ensure_ascii=False)
    yield f"{head[:-1]}, {json.dumps(report.rows_name)}:\n[" if report.head else "["
    before = ""
    for text in _objects(report):
        yield f"{before}{text}"
        before = ",\n "
    yield "]}\n" if report.head else "]\n"


def _separated(report: Report, form: Form) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(
        text, dialect="excel-tab" if form.name == "tsv" else "excel", lineterminator="\n"
    )
    if form.has_headers:
        writer.writerow([part for name in report.columns for part in _heading(name)])
    for row in report.rows:
        yield _drained(text)
        writer.writerow(
            [
                part
                for name, value in zip(report.columns, row, strict=True)
                for part in _cells(name, value)
            ]
        )
    yield _drained(text)


def _drained(text: io.StringIO) -> str:
    found = text.getvalue()
    text.seek(0)
    text.truncate()
    return found


def _heading(name: str) -> tuple[str, ...]:
    return (name, f"{name}_mmt") if name in AMOUNT_NAMES else (name,)


def _cells(name: str, value: Value) -> tuple[object, ...]:
    shown = None if value is None else _plain(value)
    if name not in AMOUNT_NAMES:
        return (shown,)
    return (shown, decimal(value) if isinstance(value, int) else None)


def _tabulated(report: Report, form: Form) -> Iterator[str]:
    width = max(map(len, report.head), default=0)
    for name, value in report.head.items():
        yield f"{name:{width}}  {_shown(name, value)}\n"
    if report.head:
        yield "\n"
    rows = list(report.rows)
    table = tabulate(
        [
            [_shown(name, value) for name, value in zip(report.columns, row, strict=True)]
            for row in rows
        ],
        headers=report.columns if form.has_headers else (),
        tablefmt=form.name,
        disable_numparse=True,
        # With no rows there are no columns to align.
        colalign=[_side(column) for column in zip(*rows, strict=True)] or None,
    )
    yield f"{table}\n"


def _shown(name: str, value: Value) -> str:
    if value is None:
        return ""
    if name in AMOUNT_NAMES and isinstance(value, int):
        return decimal(value)
    return _plain(value)


def _plain(value: Value) -> str:
    if isinstance(value, Mapping):
        return json.dumps(json_value("", value), ensure_ascii=False)
    return value.hex() if isinstance(value, bytes) else str(value)


def _side(values: Sequence[Value]) -> str:
    """Line up numbers on the right."""
    return "right" if all(isinstance(each, int | float | None) for each in values) else "left"
