"""`keeper deploy`: the program onto a cluster, for good."""

import json
from pathlib import Path
from typing import Any

import click

from keeper.cli.cluster_options import (
    CU_PRICE_OPTION,
    DRY_RUN_OPTION,
    FILE,
    JSON_OPTION,
    PACE,
    SO_OPTION,
    YES_OPTION,
    Target,
    ask,
    on_cluster,
    read_code,
    read_keypair,
    read_program_keypair,
    resolve_target,
    say,
    table,
    target_options,
)
from keeper.deployment import Proven, abandon, deploy
from keeper.survey import Order, Survey, check_purse, sol, survey
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.resume import Begun, Done
from programs.terminal import echo
from programs.units import Lamports, MicroLamports

_EXAMPLES = """\b
Examples:
  keeper deploy --program program.json --payer payer.json --dry-run
  keeper deploy --program program.json --payer payer.json
  keeper deploy --program program.json --payer payer.json --url http://127.0.0.1:8899 --json
  keeper deploy --program program.json --payer payer.json --cu-price 50000 --at-once 8
  keeper deploy --program program.json --payer payer.json --abandon
"""


@click.command("deploy", epilog=_EXAMPLES)
@click.option(
    "--program",
    "program_path",
    type=FILE,
    required=True,
    help="Keypair file whose address becomes the program id; genesis needs it once more.",
)
@click.option(
    "--payer",
    "payer_path",
    type=FILE,
    required=True,
    help="Keypair file that pays rent and fees; needed again to go on or to abandon.",
)
@SO_OPTION
@click.option(
    "--buffer",
    "buffer_path",
    type=FILE,
    help="Keypair file of the buffer.  [default: derived from --program and the bytes]",
)
@click.option("--abandon", "is_abandoned", is_flag=True, help="Close the buffer, recover its rent.")
@target_options
@CU_PRICE_OPTION
@click.option(
    "--at-once",
    default=32,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Transactions in flight; fewer for an endpoint that limits rates.",
)
@DRY_RUN_OPTION
@YES_OPTION
@JSON_OPTION
def deploy_command(
    *,
    program_path: Path,
    payer_path: Path,
    so_path: Path | None,
    buffer_path: Path | None,
    is_abandoned: bool,
    urls: tuple[str, ...],
    config_path: Path | None,
    cu_price: int,
    at_once: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Deploy the program and burn its upgrade authority, in one transaction; then prove it.

    The code is written to a buffer in chunks. Interrupted at any point, even by kill -9, the same command goes on: it reads
    the buffer back and writes only what differs. Nothing is burned before the whole buffer has been read back, finalized,
    and equals the file byte for byte. A program that is deployed already is proved again, at no cost.
    """
    target = resolve_target(urls, config_path)
    order = Order(
        image=ProgramImage(
            program=read_program_keypair(program_path, target), code=read_code(so_path)
        ),
        payer=read_keypair(payer_path, "--payer"),
        buffer=None if buffer_path is None else read_keypair(buffer_path, "--buffer"),
        cu_price=MicroLamports(cu_price),
        at_once=at_once,
        pace=PACE,
    )
    if is_abandoned:
        _abandon(target, order, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    before = on_cluster(target, lambda rpc: survey(rpc, order))
    say(_plan(target, order, before))
    is_done = isinstance(before.stage, Done)
    if not is_done:
        check_purse(order, before)
    if dry_run:
        if as_json:
            echo(json.dumps({"event": "planned"} | _cost_json(order, before)))
        return
    if not is_done:
        ask("Deploy it, for ever?", yes=yes)
    proven = on_cluster(target, lambda rpc: deploy(rpc, order, say))
    if as_json:
        found = {"event": "already_deployed" if is_done else "deployed"} | _json(proven)
        echo(json.dumps(found | _cost_json(order, before)))
    else:
        echo(_proof(proven, is_done=is_done))


def _abandon(target: Target, order: Order, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    address = order.buffer_key.pubkey()
    if dry_run:
        now = on_cluster(target, lambda rpc: survey(rpc, order))
        is_open = isinstance(now.stage, Begun)
        held = now.buffer.lamports if is_open and now.buffer is not None else Lamports(0)
        say(f"buffer {address} would return {sol(held)} SOL")
        return
    ask(f"Close buffer {address} and forget what has been written?", yes=yes)
    recovered = on_cluster(target, lambda rpc: abandon(rpc, order))
    if as_json:
        found = {"event": "abandoned", "buffer": str(address), "recovered_lamports": recovered}
        echo(json.dumps(found))
    else:
        echo(f"buffer {address} closed, {sol(recovered)} SOL back to {order.payer.pubkey()}")


def _plan(target: Target, order: Order, now: Survey) -> str:
    image = order.image
    is_committed = image.code == PROGRAM_SO.read_bytes()
    rows = [
        ("cluster", target.names),
        ("program", str(image.program.pubkey())),
        (
            "code",
            f"{len(image.code):_} bytes, {'the committed program' if is_committed else 'NOT the committed program'}",
        ),
        ("sha256", image.sha256_hex),
    ]
    if isinstance(now.stage, Done):
        return table([*rows, ("already deployed", "nothing to do but to prove it")])
    total = len(now.plan.writes)
    there = total - now.chunks_left
    return table(
        [
            *rows,
            ("buffer", f"{now.plan.buffer}, {there} of {total} chunks on the chain"),
            ("payer", f"{order.payer.pubkey()}, has {sol(now.balance_lamports)} SOL"),
            ("rent", f"{sol(now.cost.rent_lamports)} SOL, locked for ever"),
            (
                "fees",
                f"{sol(now.cost.fees_lamports)} SOL for {now.cost.transactions} transactions",
            ),
            (
                "total",
                f"{sol(now.cost.total_lamports)} SOL = {now.cost.total_lamports:_} lamports",
            ),
        ]
    )


def _proof(proven: Proven, *, is_done: bool) -> str:
    proof = proven.proof
    rows = [
        ("program", f"{proof.program}{', deployed already' if is_done else ', deployed'}"),
        ("program data", f"{proof.program_data}, since slot {proof.deployed_slot:_}"),
        ("sha256", f"{proof.code_sha256} ({proof.code_bytes:_} bytes, read back)"),
        ("upgrade authority", "none: nobody can change it any more"),
    ]
    rows += [(name, answer.words) for name, answer in proven.probes.items()]
    return table(rows)


def _json(proven: Proven) -> dict[str, Any]:
    proof = proven.proof
    return {
        "program_data": str(proof.program_data),
        "sha256": proof.code_sha256,
        "deployed_slot": proof.deployed_slot,
        "upgrade_authority": None,
        "refused": list(proof.refused),
        "probes": {name: answer.words for name, answer in proven.probes.items()},
    }


def _cost_json(order: Order, now: Survey) -> dict[str, Any]:
    """Say what was found, and what it takes from there."""
    return {
        "program_id": str(order.image.program.pubkey()),
        "code_bytes": len(order.image.code),
        "expected_sha256": order.image.sha256_hex,
        "buffer": str(now.plan.buffer),
        "chunks": len(now.plan.writes),
        "chunks_left": now.chunks_left,
        "rent_lamports": now.cost.rent_lamports,
        "fees_lamports": now.cost.fees_lamports,
        "transactions": now.cost.transactions,
    }
