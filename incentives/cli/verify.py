"""`incentives verify`: whether everything holds that must hold of a ledger."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from sqlite_utils import Database

from incentives.cli.config_options import CONFIG_OPTION, settings_of
from incentives.cli.ledger_options import LEDGER_OPTION, reading
from incentives.cli.output import Form, Report, output_options, show
from incentives.cli.recompute import compute_again
from incentives.ledger.errors import LedgerError
from incentives.ledger.opened import read_identity
from incentives.ledger.recorded import read_progress
from incentives.ledger.verify import verify
from incentives.ledger.verifying.finding import Finding
from incentives.rules.errors import RulebookError

_HEAD_BYTES: Final = 4_096
"""A manifest names its ledger before its leaves."""
_NAMED: Final = re.compile(
    rb'"genesis_hash": "(\w+)".*"ledger_epoch": (\d+).*"ledger_head": "([0-9a-f]{64})"', re.DOTALL
)
_EXAMPLES: Final = """\b
Examples:
  incentives verify
  incentives verify --quick --table
  incentives verify --ledger copy.db --manifests payouts/ || page-somebody
"""


@click.command("verify", epilog=_EXAMPLES)
@click.option("--quick", is_flag=True, help="Do not compute the lines again from the events.")
@click.option(
    "--manifests",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also compare the heads that the manifests of this folder name.  [default: payouts.folder of keeper.toml]",
)
@LEDGER_OPTION
@CONFIG_OPTION
@output_options
def verify_command(
    *,
    form: Form,
    quick: bool,
    manifests: Path | None,
    ledger_file: Path | None,
    config_path: Path | None,
) -> None:
    """Check every invariant of the ledger, and that its events still lead to its lines.

    Tables and triggers, the chain of hashes, double entry and balances, emission and allocations, the first hundred trades, payouts
    and their roots, what was read of the chain, heads named by manifests; then all lines anew from the events, and the head that
    they lead to. Each finding is a sentence; exit code 1 where there is one.
    """
    if ledger_file is None:
        settings = settings_of(config_path)
        ledger_file = settings.find_ledger()
        if manifests is None and settings.manifests.is_dir():
            manifests = settings.manifests
    with reading(ledger_file, is_one_moment=False) as db:
        progress = read_progress(db)
        anchors = (
            {} if manifests is None else named_heads(manifests, read_identity(db).genesis_hash)
        )
        findings = list(verify(db, anchors))
    if progress is not None and not quick:
        with reading(ledger_file) as db:
            findings += _recomputation(db)
    show(
        Report(
            head={
                "holds": not findings,
                "read_through_slot": None if progress is None else progress.through_slot,
                "lines": 0 if progress is None else progress.seq,
                "head": None if progress is None else progress.head,
                "manifests": len(anchors),
                "is_recomputed": progress is not None and not quick,
            },
            columns=("check", "finding"),
            rows=[(each.check, each.sentence) for each in findings],
            rows_name="findings",
        ),
        form,
    )
    if findings:
        raise SystemExit(1)


def named_heads(folder: Path, genesis_hash: str) -> dict[int, str]:
    """Return the heads, in hex by epoch, that the manifests of a folder name for a chain."""
    found: dict[int, str] = {}
    for file in sorted(folder.rglob("*.json")):
        with file.open("rb") as manifest:
            named = _NAMED.search(manifest.read(_HEAD_BYTES))
        if named is not None and named[1].decode() == genesis_hash:
            found[int(named[2])] = named[3].decode()
    return found


def _recomputation(db: Database) -> Iterator[Finding]:
    try:
        found = compute_again(db)
    except (LedgerError, RulebookError) as error:
        yield Finding("recompute", str(error))
        return
    if not found.is_same:
        yield Finding(
            "recompute",
            f"the events lead to {found.lines} lines and head {found.head.hex()}, recorded are {found.recorded_lines} and "
            f"{found.recorded_head.hex()}: see `incentives recompute --diff`",
        )
