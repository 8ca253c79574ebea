"""`keeper halt`: no new exposure, for good."""

import json
from pathlib import Path
from typing import Final

import click
from solders.pubkey import Pubkey

from keeper.cli.cluster_options import (
    CU_PRICE_OPTION,
    DRY_RUN_OPTION,
    FILE,
    JSON_OPTION,
    PACE,
    YES_OPTION,
    Address,
    Target,
    ask,
    on_cluster,
    read_keypair,
    resolve_target,
    say,
    table,
    target_options,
)
from keeper.halt import HaltOrder, HaltSurvey, halt, survey_halt
from keeper.survey import sol
from programs.terminal import echo
from programs.units import MicroLamports

_EXAMPLES: Final = """\b
Examples:
  keeper halt --authority halt.json --dry-run
  keeper halt --authority halt.json --payer payer.json --cu-price 1000000
  keeper halt --authority halt.json --url https://rpc.example --program ADDRESS --yes --json
"""


@click.command("halt", epilog=_EXAMPLES)
@click.option(
    "--authority",
    "authority_path",
    type=FILE,
    required=True,
    help="Keypair file of the halt authority that genesis fixed.",
)
@click.option(
    "--payer",
    "payer_path",
    type=FILE,
    help="Keypair file that pays the fee.  [default: --authority]",
)
@click.option(
    "--program",
    type=Address(),
    help="Address of the program, or its keypair file.  [default: cluster.program_id of keeper.toml]",
)
@target_options
@CU_PRICE_OPTION
@DRY_RUN_OPTION
@YES_OPTION
@JSON_OPTION
def halt_command(
    *,
    authority_path: Path,
    payer_path: Path | None,
    program: Pubkey | None,
    urls: tuple[str, ...],
    config_path: Path | None,
    cu_price: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Halt the platform: nothing can be opened, lent to or staked any more. It cannot be taken back.

    What is open can still be closed, liquidated, resolved, redeemed and paid, so leave the keeper running. Killed at any
    point, the same command goes on; once the platform is halted it changes nothing and exits with 0.
    """
    target = resolve_target(urls, config_path)
    if program is None:
        if target.config is None:
            raise click.UsageError("--url needs --program ADDRESS, or --config to name the program")
        program = target.config.cluster.program_id
    authority = read_keypair(authority_path, "--authority")
    order = HaltOrder(
        program=program,
        authority=authority,
        payer=authority if payer_path is None else read_keypair(payer_path, "--payer"),
        cu_price=MicroLamports(cu_price),
    )
    now = on_cluster(target, lambda rpc: survey_halt(rpc, order))
    if not now.is_halted:
        say(_plan(target, order, now))
        if dry_run:
            _conclude("planned", order, as_json=as_json)
            return
        ask("Halt this platform, for ever?", yes=yes)
    on_cluster(target, lambda rpc: halt(rpc, order, PACE))
    say(
        "the platform was halted before: nothing to do"
        if now.is_halted
        else "the platform is halted"
    )
    _conclude("already_halted" if now.is_halted else "halted", order, as_json=as_json)


def _plan(target: Target, order: HaltOrder, now: HaltSurvey) -> str:
    return table(
        [
            ("cluster", target.names),
            ("program", f"{order.program}, {now.market_count:_} market(s)"),
            (
                "stopped for ever",
                "opening positions and chains, stepping chains, adding liquidity, staking",
            ),
            (
                "goes on",
                "prices, closing, liquidations, cancelling, unstaking, resolution, rewards",
            ),
            ("halt authority", f"{order.authority.pubkey()}, which is gone with it"),
            ("payer", f"{order.payer.pubkey()}, has {sol(now.balance_lamports)} SOL"),
            ("fee", f"{order.step.fee_lamports:_} lamports"),
        ]
    )


def _conclude(event: str, order: HaltOrder, *, as_json: bool) -> None:
    if as_json:
        told = {
            "event": event,
            "program_id": str(order.program),
            "halt_authority": str(order.authority.pubkey()),
            "payer": str(order.payer.pubkey()),
            "fee_lamports": 0 if event == "already_halted" else order.step.fee_lamports,
        }
        echo(json.dumps(told))
