"""`incentives simulate`: what other rules would have paid."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
from sqlite_utils import Database

from incentives.cli.config_options import ledger_path
from incentives.cli.ledger_options import LEDGER_OPTION, reading
from incentives.cli.output import Form, Report, Value, output_options, show
from incentives.cli.queries import progress_slot
from incentives.cli.refusal import Refusal
from incentives.config import ConfigError, load_parameters
from incentives.ledger.promised import read_parameters
from incentives.ledger.recorded import read_events
from incentives.simulation import Outcome, simulate

_EXAMPLES: Final = """\b
Examples:
  incentives simulate --config other.toml --table
  incentives simulate --config other.toml --by-epoch --csv
"""


@click.command("simulate", epilog=_EXAMPLES)
@click.option(
    "--config",
    "rules_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with [incentives] and [[incentives.rules]]; what it leaves out is as in the ledger.",
)
@click.option("--by-epoch", is_flag=True, help="Compare epochs, not wallets.")
@LEDGER_OPTION
@click.option(
    "--keeper-config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Names the ledger, unless --ledger does.  [default: keeper.toml]",
)
@output_options
def simulate_command(
    *,
    form: Form,
    rules_path: Path,
    by_epoch: bool,
    ledger_file: Path | None,
    config_path: Path | None,
) -> None:
    """Fold the recorded events again under other rules, and compare what every wallet is owed.

    Compared are closed epochs: `ledger` is what was allocated, `simulated` what would have been. Nobody would have traded as
    they did under other rules: read it as an upper bound of what a change gives or takes.
    """
    try:
        path = ledger_file or ledger_path(config_path)
    except ConfigError as error:
        raise Refusal(
            f"no ledger to begin from (--config names the other rules; --ledger or --keeper-config the ledger): {error}"
        ) from error
    with reading(path) as db:
        recorded = read_parameters(db)
        parameters = load_parameters(rules_path, recorded)
        outcome = simulate(read_events(db), progress_slot(db) or 0, parameters)
        show(_report(db, outcome, by_epoch=by_epoch), form)


def _report(db: Database, outcome: Outcome, *, by_epoch: bool) -> Report:
    emitted, allocated, scaled, epochs = db.conn.execute(
        "SELECT coalesce(sum(emitted), 0), coalesce(sum(allocated), 0), coalesce(sum(is_scaled), 0), count(*) FROM epoch"
    ).fetchone()
    name = "epoch" if by_epoch else "wallet"
    recorded: dict[Any, int] = dict(
        db.conn.execute(f"SELECT {name}, sum(amount) FROM epoch_allocation GROUP BY {name}")  # noqa: S608 - one of two names
    )
    simulated: Mapping[Any, int] = outcome.by_epoch if by_epoch else outcome.by_wallet
    return Report(
        head={
            "read_through_slot": progress_slot(db),
            "ledger": allocated,
            "simulated": outcome.allocated,
            "difference": outcome.allocated - allocated,
            "ledger_epochs": epochs,
            "simulated_epochs": len(outcome.by_epoch),
            "ledger_scaled_epochs": scaled,
            "simulated_scaled_epochs": outcome.scaled_epochs,
            "ledger_unallocated": emitted - allocated,
            "simulated_unallocated": outcome.emitted - outcome.allocated,
        },
        columns=(name, "ledger", "simulated", "difference"),
        rows=_rows(recorded, simulated),
        rows_name=f"{name}s",
    )


def _rows(recorded: Mapping[Any, int], simulated: Mapping[Any, int]) -> Iterator[tuple[Value, ...]]:
    """Yield epochs in order, and wallets from the one that gains most to the one that loses most."""
    rows = [(key, recorded.get(key, 0), simulated.get(key, 0)) for key in {**recorded, **simulated}]
    rows.sort(key=lambda row: row[0] if isinstance(row[0], int) else row[1] - row[2])
    for key, before, after in rows:
        yield key, before, after, after - before
