"""`incentives season`: what the season has emitted, and how far the launch bonus is used up.

Read from the program's genesis account on the cluster; nothing is written.
"""

import json
from typing import Final

import click
import trio
from solders.pubkey import Pubkey

from incentives.amounts import decimal
from incentives.chain_reading import SeasonUnreadError
from incentives.emission import emitted_by
from programs.accounts import Global, MalformedAccountError
from programs.addresses import global_address
from programs.rpc import RpcFailure
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.units import Slot

BOOSTED_TRADES: Final = 100
"""The first trades of the platform earn double MMT. Source: SPEC.md section 7."""


_EXAMPLES: Final = """\b
Examples:
  incentives season --program-id ADDRESS
  incentives season --rpc-url https://rpc.example --program-id ADDRESS --json
"""


def _address(_context: click.Context, _parameter: click.Parameter, value: str) -> Pubkey:
    try:
        return Pubkey.from_string(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no address in base58") from error


@click.command("season", epilog=_EXAMPLES)
@click.option("--rpc-url", default="http://127.0.0.1:8899", show_default=True, help="The cluster.")
@click.option("--program-id", callback=_address, required=True, help="Address of the program.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def season_command(rpc_url: str, program_id: Pubkey, *, as_json: bool) -> None:
    """Show the season: emission so far, and trades left in the first 100."""
    genesis, slot = trio.run(read_season, rpc_url, program_id)
    start = Slot(genesis.season_start_slot)
    emitted = emitted_by(slot, start, genesis.season_slots)
    found = {
        "slot": slot,
        "season_start_slot": start,
        "season_end_slot": start + genesis.season_slots,
        # As text: jq and Node round integers above 2**53.
        "emitted_base_units": str(emitted),
        "emitted_mmt": decimal(emitted),
        "boosted_trades": genesis.trade_count,
        "boosted_trades_left": BOOSTED_TRADES - genesis.trade_count,
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    for key, value in found.items():
        click.echo(f"{key:22} {value}")


async def read_season(rpc_url: str, program: Pubkey) -> tuple[Global, Slot]:
    """Read the genesis account and the finalized slot: rewards count finalized slots only.

    Raises:
        SeasonUnreadError: the cluster does not answer, or has no such platform.
    """
    try:
        async with open_rpc([rpc_url], RpcSettings()) as rpc:
            account = await rpc.get_account(global_address(program)[0], "finalized")
            slot = await rpc.get_slot("finalized")
    except RpcFailure as failure:
        raise SeasonUnreadError(
            f"the cluster cannot be read ({failure}): check --rpc-url"
        ) from failure
    if account is None or account.owner != program:
        raise SeasonUnreadError(f"program {program} has had no genesis here: check --program-id")
    try:
        return Global.from_bytes(account.data), slot
    except MalformedAccountError as error:
        raise SeasonUnreadError(
            f"the genesis account of {program} is unreadable: {error}"
        ) from error
