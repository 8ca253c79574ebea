"""`incentives proof WALLET`: what a wallet can claim for itself, with everything it signs to do so.

Edge. Reads manifests from the keeper's folder, a published pack, or any file; the chain says which are paid, and the mint.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click
import trio
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from incentives.amounts import decimal
from incentives.chain_reading import genesis_from
from incentives.cli.address import ADDRESS
from incentives.cli.cluster import RPC_URL_OPTION, open_cluster
from incentives.cli.config_options import CONFIG_OPTION, settings_of
from incentives.cli.refusal import Refusal
from incentives.proofs import Claimable, UnprovableError, find_claimable
from programs.accounts import Epoch, MalformedAccountError
from programs.addresses import global_address
from programs.rpc import Account, RpcFailure
from programs.terminal import echo

_EXAMPLES: Final = """\b
Examples:
  incentives proof WALLET
  incentives proof WALLET --epoch 12 --json | jq '.claims[0].instructions'
  incentives proof WALLET --manifests published/epochs --rpc-url https://rpc.example
  incentives proof WALLET --manifests root-0.json --offline --mint ADDRESS --json
"""


@click.command("proof", epilog=_EXAMPLES)
@click.argument("wallet", type=ADDRESS)
@click.option("--epoch", type=click.IntRange(min=0), help="Of the ledger; without it all.")
@CONFIG_OPTION
@click.option(
    "--manifests",
    type=click.Path(exists=True, path_type=Path),
    help="A folder of manifests, or one; needs no keeper.toml with --rpc-url or --offline.",
)
@RPC_URL_OPTION
@click.option("--offline", is_flag=True, help="Ask no cluster; --mint says the mint of MMT.")
@click.option("--mint", type=ADDRESS, help="Of MMT; else the cluster says it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def proof_command(
    wallet: Pubkey,
    *,
    epoch: int | None,
    config_path: Path | None,
    manifests: Path | None,
    rpc_urls: tuple[str, ...],
    offline: bool,
    mint: Pubkey | None,
    as_json: bool,
) -> None:
    """Prove what a WALLET is owed, and write the instructions with which it claims it without anybody's help."""
    if offline and mint is None:
        raise click.UsageError("--offline needs --mint: the mint of MMT stands on chain only")
    folder = manifests or settings_of(config_path).manifests
    found = [
        each for each in _claimables(folder, wallet) if epoch is None or each.ledger_epoch == epoch
    ]
    if not found:
        within = "" if epoch is None else f" of epoch {epoch}"
        raise Refusal(f"no manifest{within} in {folder} has a leaf of {wallet}: nothing to claim")
    standings = ["unknown"] * len(found)
    if not offline:
        mint, standings = trio.run(_ask, rpc_urls, config_path, found)
    assert mint is not None, "asked for, or read"
    claims = [_claim(each, standing, mint) for each, standing in zip(found, standings, strict=True)]
    if as_json:
        echo(json.dumps({"wallet": str(wallet), "mint": str(mint), "claims": claims}))
        return
    for claim in claims:
        _tell(claim)


def _claimables(place: Path, wallet: Pubkey) -> Iterator[Claimable]:
    """Yield a wallet's leaves by epoch; files that are no manifests are told, and passed over."""
    files = sorted(place.rglob("*.json")) if place.is_dir() else [place]
    found = list[Claimable]()
    for file in files:
        try:
            with suppress(FileNotFoundError):
                claimable = find_claimable(file.read_bytes(), wallet)
                if claimable is not None:
                    found.append(claimable)
        except (UnprovableError, OSError) as error:
            echo(f"incentives: {file} is passed over: {error}", err=True)
    yield from sorted(found, key=lambda each: (each.ledger_epoch, each.tree.index))


async def _ask(
    rpc_urls: tuple[str, ...], config_path: Path | None, found: Sequence[Claimable]
) -> tuple[Pubkey, list[str]]:
    program = found[0].program
    wanted = [global_address(program)[0], *(each.account for each in found)]
    try:
        async with open_cluster(rpc_urls, config_path) as rpc:
            genesis_hash = str(await rpc.get_genesis_hash())
            genesis, *roots = (await rpc.get_multiple_accounts(wanted, "confirmed")).accounts
    except RpcFailure as failure:
        raise Refusal(
            f"the cluster cannot be read ({failure}): check --rpc-url, or give --offline and --mint"
        ) from failure
    return genesis_from(program, genesis).mmt_mint, [
        _standing(each, account, genesis_hash) for each, account in zip(found, roots, strict=True)
    ]


def _standing(claimable: Claimable, account: Account | None, genesis_hash: str) -> str:
    if claimable.genesis_hash != genesis_hash:
        return "of another cluster"
    if account is None or account.owner != claimable.program:
        return claimable.standing(None)
    try:
        return claimable.standing(Epoch.from_bytes(account.data))
    except MalformedAccountError as error:
        return f"unreadable: {error}"


def _claim(each: Claimable, standing: str, mint: Pubkey) -> dict[str, Any]:
    create, pay = each.instructions(mint)
    return {
        "ledger_epoch": each.ledger_epoch,
        "standing": standing,
        "amount": str(each.reward.amount),
        "amount_mmt": decimal(each.reward.amount),
        "leaf": each.leaf,
        "path": [node.hex() for node in each.path],
        "root": each.tree.root.hex(),
        "epoch": each.tree.epoch,
        "index": each.tree.index,
        "account": str(each.account),
        "program": str(each.program),
        "genesis_hash": each.genesis_hash,
        "token_account": str(pay.accounts[-1].pubkey),
        "instructions": [_instruction(create), _instruction(pay)],
    }


def _instruction(instruction: Instruction) -> dict[str, Any]:
    return {
        "program": str(instruction.program_id),
        "accounts": [
            {"address": str(each.pubkey), "signer": each.is_signer, "writable": each.is_writable}
            for each in instruction.accounts
        ],
        "data_base64": base64.b64encode(bytes(instruction.data)).decode(),
    }


def _tell(claim: dict[str, Any]) -> None:
    echo(
        f"epoch {claim['ledger_epoch']}: {claim['amount_mmt']} MMT, {claim['standing']}\n"
        f"  leaf {claim['leaf']} of root {claim['root']}\n"
        f"  account {claim['account']} (epoch {claim['epoch']}, index {claim['index']} on chain)"
    )
    for number, node in enumerate(claim["path"]):
        echo(f"  path {number:2} {node}")
    if claim["standing"] in {"paid", "other root", "of another cluster"}:
        return
    echo("  to claim, sign and send both in one transaction (--json has them in full):")
    for name, instruction in zip(("open", "pay"), claim["instructions"], strict=True):
        echo(f"    {name:5} {instruction['program']} {instruction['data_base64'] or '-'}")
