"""`incentives serve`: the ledger in a browser."""

import socket
from pathlib import Path
from typing import Final

import click

from incentives.cli.config_options import CONFIG_OPTION, ledger_path
from incentives.cli.ledger_options import LEDGER_OPTION, reading
from incentives.cli.refusal import Refusal
from incentives.ledger.opened import read_identity
from programs.terminal import echo

_LOOPBACK: Final = "127.0.0.1"
_EXAMPLES: Final = """\b
Examples:
  incentives serve
  incentives serve --port 8002 --ledger var/state/ledger.db
"""


@click.command("serve", epilog=_EXAMPLES)
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8001, show_default=True, help="On loopback."
)
@LEDGER_OPTION
@CONFIG_OPTION
def serve_command(*, port: int, ledger_file: Path | None, config_path: Path | None) -> None:
    """Open Datasette on the live ledger: the questions operators ask, and charts at /season.

    Read-only, and on loopback alone: it asks nobody for a password. From elsewhere, go through
    ssh -L 8001:127.0.0.1:8001, then open http://127.0.0.1:8001/season.
    """
    try:
        from incentives.serve.app import serve  # noqa: PLC0415 - an extra that may not be there
    except ModuleNotFoundError as error:
        raise Refusal(
            f"Datasette is not installed ({error.name} is missing): `make serve`, or install the extra `serve`"
        ) from error
    path = ledger_file or ledger_path(config_path)
    with reading(path) as db:
        program = read_identity(db).program
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError as error:
            raise Refusal(
                f"port {port} of {_LOOPBACK} cannot be used ({error.strerror}): choose another with --port"
            ) from error
    echo(f"http://{_LOOPBACK}:{port}/season", err=True)
    serve(path, program, host=_LOOPBACK, port=port)
