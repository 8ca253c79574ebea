"""`incentives season`: what the season has emitted, and how far the launch bonus is used up.

Read from the program's genesis account on the cluster; nothing is written.
"""

import json
from pathlib import Path
from typing import Final

import click
import trio
from solders.pubkey import Pubkey

from incentives.amounts import decimal
from incentives.chain_reading import read_genesis
from incentives.cli.address import ADDRESS
from incentives.cli.cluster import RPC_URL_OPTION, open_cluster
from incentives.cli.config_options import CONFIG_OPTION, settings_of
from incentives.emission import emitted_by
from incentives.parameters import Parameters
from programs.accounts import Global
from programs.terminal import echo
from programs.units import Slot

_EXAMPLES: Final = """\b
Examples:
  incentives season
  incentives season --rpc-url https://rpc.example --program-id ADDRESS --json
"""


@click.command("season", epilog=_EXAMPLES)
@RPC_URL_OPTION
@click.option("--program-id", "program", type=ADDRESS, help="Instead of cluster.program_id.")
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def season_command(
    *, rpc_urls: tuple[str, ...], program: Pubkey | None, config_path: Path | None, as_json: bool
) -> None:
    """Show the season: emission so far, and how many of the first trades that earn double are left.

    How many earn double is a rule of keeper.toml; with --rpc-url and --program-id no file is needed, and the rules are the default ones.
    """
    if config_path is not None or not rpc_urls or program is None:
        settings = settings_of(config_path)
        program = program or settings.program
        parameters = settings.incentives.parameters
    else:
        parameters = Parameters()
    genesis, slot = trio.run(_read, rpc_urls, config_path, program)
    start = Slot(genesis.season_start_slot)
    emitted = emitted_by(slot, start, genesis.season_slots)
    epoch = max(slot - start, 0) // parameters.epoch_slots
    boosted = parameters.rules(parameters.version_at(epoch)).boosted_trades
    found = {
        "slot": slot,
        "season_start_slot": start,
        "season_end_slot": start + genesis.season_slots,
        # As text: jq and Node round integers above 2**53.
        "emitted_base_units": str(emitted),
        "emitted_mmt": decimal(emitted),
        "boosted_trades": min(genesis.trade_count, boosted),
        "boosted_trades_left": max(boosted - genesis.trade_count, 0),
    }
    if as_json:
        echo(json.dumps(found))
        return
    for key, value in found.items():
        echo(f"{key:22} {value}")


async def _read(
    rpc_urls: tuple[str, ...], config_path: Path | None, program: Pubkey
) -> tuple[Global, Slot]:
    """Read the genesis account and the finalized slot: rewards count finalized slots only."""
    async with open_cluster(rpc_urls, config_path) as rpc:
        return await read_genesis(rpc, program), await rpc.get_slot("finalized")
