"""`keeper verify`: any cluster's deployment against the specification, on one page."""

import json
import sys
from pathlib import Path
from typing import Final, NoReturn

import click
from solders.pubkey import Pubkey

from keeper.audit_page import audit_json, audit_rows, verdict
from keeper.cli.cluster_options import (
    JSON_OPTION,
    SO_OPTION,
    Address,
    on_cluster,
    read_code,
    resolve_target,
    table,
    target_options,
)
from keeper.verification import gather_evidence
from programs.audit import Audit, audit
from programs.terminal import echo

EXIT_DIFFERS: Final = 1
"""The audit found a difference; 2 is for an audit that could not be made."""
_EXAMPLES = """\b
Examples:
  keeper verify
  keeper verify --json
  keeper verify --url https://rpc.example --program ADDRESS
  keeper verify --url https://rpc.example --program ADDRESS --payer ADDRESS --so my.so
"""


@click.command("verify", epilog=_EXAMPLES)
@click.option(
    "--program",
    type=Address(),
    help="Address of the program, or its keypair file.  [default: cluster.program_id of keeper.toml]",
)
@SO_OPTION
@click.option(
    "--payer",
    type=Address(),
    help="Wallet in whose name attempts to change the program are simulated; it signs and pays nothing."
    "  [default: an authority of the platform that has SOL]",
)
@target_options
@JSON_OPTION
def verify_command(
    *,
    program: Pubkey | None,
    so_path: Path | None,
    payer: Pubkey | None,
    urls: tuple[str, ...],
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Audit a deployment: code, authorities, mints, entropy sink, treasury, vault. Reads only; needs no key.

    Exit code 0: no difference from the specification. 1: differences, each in its own words. 2: it could not be audited.
    """
    target = resolve_target(urls, config_path)
    if program is None:
        if target.config is None:
            raise click.UsageError("--url needs --program ADDRESS, or --config to name the program")
        program = target.config.cluster.program_id
    code = read_code(so_path)
    address = program
    evidence = on_cluster(target, lambda rpc: gather_evidence(rpc, address, payer))
    conclude(audit(evidence, code), as_json=as_json)


def conclude(found: Audit, *, as_json: bool, event: str = "verified") -> NoReturn:
    """Print an audit and end the process: 0 without differences, 1 with any."""
    if as_json:
        echo(json.dumps({"event": event} | audit_json(found)))
    else:
        echo(table(audit_rows(found)))
        echo()
        echo(verdict(found))
    sys.exit(EXIT_DIFFERS if found.differences else 0)
