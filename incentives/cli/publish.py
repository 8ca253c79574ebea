"""`incentives publish`: every closed epoch as a folder that strangers can check."""

import sys
from pathlib import Path
from typing import Final

import click
from sqlite_utils import Database

from incentives.cli.ledger_options import reads_ledger
from incentives.ledger.opened import read_identity
from incentives.publish.from_ledger import published_epochs
from incentives.publish.pack import write_pack
from programs.terminal import echo

_EXAMPLES: Final = """\b
Examples:
  incentives publish /srv/www/rewards
  incentives publish /srv/www/rewards --ledger var/state/ledger.db
"""


@click.command("publish", epilog=_EXAMPLES)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@reads_ledger
def publish_command(*, db: Database, folder: Path) -> None:
    """Write manifests, leaves, proofs and pages of all closed epochs to FOLDER, and check.py, which checks them.

    What is published of an epoch never changes: run it again as epochs close and roots are paid. It refuses to replace
    leaves that differ, because strangers may have checked them.
    """
    identity = read_identity(db)
    epochs = roots = 0
    with click.progressbar(
        write_pack(
            folder,
            published_epochs(db),
            program=identity.program,
            genesis=identity.genesis_hash,
        ),
        length=db.conn.execute("SELECT count(*) FROM epoch").fetchone()[0],
        label="publishing epochs",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as rows:
        for row in rows:
            epochs, roots = epochs + 1, roots + len(row.roots)
    echo(f"{epochs} epochs with {roots} roots in {folder}: open {folder / 'index.html'}")
