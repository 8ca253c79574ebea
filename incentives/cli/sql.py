"""`incentives sql`: any question, as sqlite-utils would answer it, on the live file."""

import sys
from typing import Final

import click
from sqlite_utils import Database

from incentives.cli.ledger_options import reads_ledger
from incentives.cli.output import Form, output_options, show
from incentives.cli.queries import select
from incentives.cli.refusal import Refusal
from state.sqlite import sqlite3

_EXAMPLES: Final = """\b
Examples:
  incentives sql "SELECT code, count(*), mmt(sum(amount)) FROM transfer GROUP BY code" -t
  incentives sql "SELECT * FROM transfer_named WHERE amount > :least" -p least 1000000000000
  incentives sql - --csv < question.sql
"""


@click.command("sql", epilog=_EXAMPLES)
@click.argument("query")
@click.option(
    "-p",
    "--param",
    "parameters",
    multiple=True,
    type=(str, str),
    metavar="NAME VALUE",
    help="Value of :NAME in the query; may be repeated.",
)
@output_options
@reads_ledger
def sql_command(
    *, db: Database, form: Form, query: str, parameters: tuple[tuple[str, str], ...]
) -> None:
    """Answer QUERY, or the one on stdin where it is `-`.

    The ledger is only read. Columns that are amounts in the reports are text in JSON, with a decimal beside them; `mmt(amount)`
    is the decimal of any base units. Values of parameters that are integers are compared as integers.
    """
    try:
        report = select(
            db,
            sys.stdin.read() if query == "-" else query,
            {name: _number_or_text(value) for name, value in parameters},
        )
        if not report.columns:
            raise Refusal("the query selects nothing: this command only reads")
        show(report, form)
    except (OverflowError, sqlite3.Warning, sqlite3.DatabaseError) as error:
        raise Refusal(f"the query cannot be answered: {error}") from error


def _number_or_text(value: str) -> int | str:
    try:
        return int(value)
    except ValueError:
        return value
