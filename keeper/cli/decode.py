"""`keeper decode`: an account or a transaction of the program, by name."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import trio
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.cli.check import CONFIG_OPTION
from keeper.cli.idl import ADDRESS
from keeper.cli.refusal import Refusal
from keeper.config import load_config
from keeper.decoded_page import (
    account_json,
    account_lines,
    transaction_json,
    transaction_lines,
)
from programs.betting_platform.headers import load_interface
from programs.decoding import MalformedBytesError, decode_account
from programs.interface import Interface
from programs.landed import take_apart
from programs.rpc import Rpc, RpcFailure
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.terminal import echo

_Found = TypeVar("_Found")
_SIGNATURE_TEXT_MIN: Final = 64
"""Characters of base58: an address has up to 44, a signature from 64 to 88."""
_EXAMPLES: Final = """\b
Examples:
  keeper decode SIGNATURE
  keeper decode ADDRESS --json
  keeper decode SIGNATURE --rpc-url https://rpc.example --program-id ADDRESS
"""


@click.command("decode", epilog=_EXAMPLES)
@click.argument("what", metavar="SIGNATURE|ACCOUNT")
@CONFIG_OPTION
@click.option("--rpc-url", help="The cluster.  [default: cluster.rpc_urls of keeper.toml]")
@click.option(
    "--program-id",
    type=ADDRESS,
    help="The program.  [default: cluster.program_id of keeper.toml]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def decode_command(
    what: str, config_path: Path, rpc_url: str | None, program_id: Pubkey | None, *, as_json: bool
) -> None:
    """Show an account or a transaction of the program by name.

    An account: its kind and every field, with dollars, shares and prices beside the integers. A transaction: each
    instruction with its accounts and arguments, the events in order, the error in the program's words, compute units.
    """
    urls: tuple[str, ...] = (rpc_url,) if rpc_url else ()
    if not urls or program_id is None:
        cluster = load_config(config_path).cluster
        urls, program_id = urls or cluster.rpc_urls, program_id or cluster.program_id
    interface = load_interface()
    if len(what) < _SIGNATURE_TEXT_MIN:
        found, lines = _account(interface, program_id, urls, what)
    else:
        found, lines = _transaction(interface, program_id, urls, what)
    echo(json.dumps(found) if as_json else "\n".join(lines))


def _read(urls: tuple[str, ...], ask: Callable[[Rpc], Awaitable[_Found | None]]) -> _Found | None:
    async def read() -> _Found | None:
        async with open_rpc(urls, RpcSettings()) as rpc:
            return await ask(rpc)

    try:
        return trio.run(read)
    except RpcFailure as failure:
        raise Refusal(f"the cluster cannot be read ({failure}): check --rpc-url") from failure


def _account(
    interface: Interface, program: Pubkey, urls: tuple[str, ...], text: str
) -> tuple[dict[str, Any], list[str]]:
    try:
        address = Pubkey.from_string(text)
    except ValueError as error:
        raise Refusal(f"{text!r} is neither an address nor a signature in base58") from error
    account = _read(urls, lambda rpc: rpc.get_account(address, "confirmed"))
    if account is None:
        raise Refusal(f"{address} does not exist on this cluster: check --rpc-url")
    if account.owner != program:
        raise Refusal(
            f"{address} belongs to {account.owner}, not to the program {program}: check --program-id"
        )
    try:
        decoded = decode_account(interface, account.data)
    except MalformedBytesError as error:
        raise Refusal(
            f"{address} belongs to the program, but is no account of it: {error}"
        ) from error
    return (
        account_json(interface, address, account.lamports, decoded),
        account_lines(interface, address, decoded),
    )


def _transaction(
    interface: Interface, program: Pubkey, urls: tuple[str, ...], text: str
) -> tuple[dict[str, Any], list[str]]:
    try:
        signature = Signature.from_string(text)
    except ValueError as error:
        raise Refusal(f"{text!r} is neither an address nor a signature in base58") from error
    facts = _read(urls, lambda rpc: rpc.get_transaction(signature))
    if facts is None:
        raise Refusal(
            f"the cluster has no confirmed transaction {signature}: "
            "it never landed, is too new or too old for this node, or --rpc-url is of another cluster"
        )
    try:
        landed = take_apart(interface, program, facts)
    except MalformedBytesError as error:
        raise Refusal(f"{signature} cannot be read: {error}") from error
    if not landed.is_of(program):
        raise Refusal(f"{signature} does not involve the program {program}: check --program-id")
    return (
        transaction_json(interface, signature, facts, landed),
        list(transaction_lines(interface, signature, facts, landed)),
    )
