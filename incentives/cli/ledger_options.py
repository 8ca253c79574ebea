"""What the commands that read the ledger share: which file, opened beside its writer, at one moment.

A command sees the ledger as of one commit, however long it reads, and cannot write: the file is opened read-only.
"""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click
from sqlite_utils import Database

from incentives.amounts import decimal
from incentives.cli.config_options import CONFIG_OPTION, ledger_path
from incentives.cli.refusal import Refusal
from incentives.ledger.errors import LedgerError
from incentives.ledger.opened import read_ledger
from programs.units import I64_MAX
from state.sqlite import sqlite3

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


_NAMED: Final = 3
"""Wallets that an ambiguous beginning is answered with."""
_DIGITS: Final = re.compile("[0-9]{1,19}")


class _Number(click.ParamType[int]):
    """A slot, an epoch or a count; click's own range would print its end in every help."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read it."""
        text = str(value)
        if not _DIGITS.fullmatch(text) or int(text) > I64_MAX:
            self.fail(f"{text!r}: expected a whole number from 0 to {I64_MAX}", param, ctx)
        return int(text)


NUMBER: Final = _Number()
LEDGER_OPTION: Final = click.option(
    "--ledger", "ledger_file", type=_FILE, help="The ledger.  [default: that of keeper.toml]"
)


def reads_ledger(command: Callable[..., None]) -> Callable[..., None]:
    """Add --ledger and --config; the command gets a `db`."""

    @wraps(command)
    def told(*, ledger_file: Path | None, config_path: Path | None, **rest: Any) -> None:  # noqa: ANN401 - whatever the command takes
        with reading(ledger_file or ledger_path(config_path)) as db:
            command(db=db, **rest)

    return LEDGER_OPTION(CONFIG_OPTION(told))


@contextmanager
def reading(path: Path, *, is_one_moment: bool = True) -> Generator[Database]:
    """Open a ledger; `mmt(base_units)` is a function of its SQL.

    Args:
        path: the file.
        is_one_moment: whether all that is read is as of one commit; else whoever reads sees to that.

    Raises:
        LedgerError: there is none, or it cannot be read.
        StateError: the file cannot be opened.
    """
    try:
        db = read_ledger(path)
        try:
            db.conn.create_function("mmt", 1, _mmt, deterministic=True)
            db.conn.execute("PRAGMA query_only = ON")
            if is_one_moment:
                db.conn.execute("BEGIN")
            yield db
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        raise LedgerError(
            f"{path} cannot be read as a reward ledger ({error}): check --ledger"
        ) from error


def _mmt(base_units: object) -> str | None:
    return decimal(base_units) if isinstance(base_units, int) else None


def wallet_named(db: Database, text: str) -> str:
    """Return the wallet of the ledger that an address, or the unique beginning of one, names.

    Raises:
        Refusal: none, or several.
    """
    found = wallets_from(db, text, limit=_NAMED + 1)
    if text in found:
        return text
    if not found:
        raise Refusal(
            f"{text} has no line in this ledger: expected the address of a wallet, or how one begins"
        )
    if len(found) > 1:
        named = [*found[:_NAMED], *("…" for _ in found[_NAMED:])]
        raise Refusal(f"{text} begins several wallets ({', '.join(named)}): give more of it")
    return found[0]


def wallets_from(db: Database, beginning: str, *, limit: int) -> list[str]:
    """Return wallets whose address begins so, in order."""
    rows = db.conn.execute(
        # Not LIKE: base58 has both cases. The last character that base58 has is z.
        "SELECT DISTINCT wallet FROM account WHERE wallet >= ?1 AND wallet < ?1 || '{' ORDER BY wallet LIMIT ?2",
        [beginning, limit],
    )
    return [row[0] for row in rows]
