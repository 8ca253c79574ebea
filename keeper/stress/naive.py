"""The keeper that most people would write first: one action per transaction, one after the other, in order of address.

Shell. A baseline, not a keeper: it reads everything again in every round, posts each price that moved, then liquidates what is
unhealthy, waiting for each transaction before the next. It has no lanes, no packing and no record of what it sent.

    python -m keeper.stress.naive KEEPER_TOML QUOTE_MINT
"""

import sys
from pathlib import Path
from typing import Any, Final

import click
import httpx
import trio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
)

from keeper.config import Config, load_config
from keeper.errors import SandboxError
from keeper.keypair import load_keypair
from keeper.sandbox.wallet import land_all
from keeper.snapshot import take_markets, take_positions
from programs import leverage
from programs.accounts import Market, Side
from programs.instructions import liquidate, update_prices
from programs.rpc import Rpc, RpcFailure
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.units import PRICE_ONE_E6

READY: Final = "ready"
_BAND_E6: Final = 5_000
_MOVED_E6: Final = 2_000
_HEALTHY_BPS: Final = 10_000
_PAUSE_S: Final = 0.1
_WHO: Final = {"User-Agent": "betting-keeper-baseline/1"}
"""The venue turns away who does not say who it is."""


async def _keep(config: Config, quote_mint: Pubkey) -> None:
    key = load_keypair(config.keys.keeper)
    program = config.cluster.program_id
    tokens = get_associated_token_address(key.pubkey(), quote_mint)
    async with (
        open_rpc(config.cluster.rpc_urls, RpcSettings()) as rpc,
        httpx.AsyncClient(base_url=config.polymarket.clob_url, headers=_WHO) as venue,
    ):
        created = create_idempotent_associated_token_account(key.pubkey(), key.pubkey(), quote_mint)
        await land_all(rpc, [([created], [key])])
        click.echo(READY)
        while True:
            try:
                await _round(rpc, venue, program, key, tokens)
            except (RpcFailure, SandboxError, httpx.HTTPError, KeyError, IndexError) as error:
                click.echo(f"{type(error).__name__}: {error}", err=True)
            await trio.sleep(_PAUSE_S)


async def _round(
    rpc: Rpc, venue: httpx.AsyncClient, program: Pubkey, key: Keypair, tokens: Pubkey
) -> None:
    found = await rpc.get_program_accounts(program, "processed")
    accounts = [(bytes(address), data) for address, data in found.accounts]
    markets, _ = take_markets(accounts)
    for address in sorted(markets, key=bytes):
        await _post(rpc, venue, program, key, address, markets[address])
    rows, addresses, _ = take_positions(accounts)
    listed = sorted(
        zip((row.tobytes() for row in addresses), rows, strict=True), key=lambda e: e[0]
    )
    for address, row in listed:
        market_address = Pubkey.from_bytes(row["market"].tobytes())
        if _is_due(row, markets[market_address]):
            await _land(
                rpc,
                key,
                liquidate(
                    program, key.pubkey(), tokens, market_address, [Pubkey.from_bytes(address)]
                ),
            )


async def _post(
    rpc: Rpc,
    venue: httpx.AsyncClient,
    program: Pubkey,
    key: Keypair,
    address: Pubkey,
    market: Market,
) -> None:
    token = int.from_bytes(bytes(market.yes_token_or_hash), "big")
    book = (await venue.get("/book", params={"token_id": str(token)})).json()
    price_e6 = round(
        (float(book["bids"][-1]["price"]) + float(book["asks"][-1]["price"])) / 2 * PRICE_ONE_E6
    )
    if abs(price_e6 - market.pools[0].price_e6) < _MOVED_E6:
        return
    posted = update_prices(
        program,
        key.pubkey(),
        address,
        price_class=0,
        publish_slot=await rpc.get_slot("processed"),
        readings=[(price_e6, _BAND_E6)],
    )
    await _land(rpc, key, posted)


async def _land(rpc: Rpc, key: Keypair, instruction: Instruction) -> None:
    try:
        await land_all(rpc, [([instruction], [key])])
    except SandboxError as error:  # refused: the next round looks again
        click.echo(str(error), err=True)


def _is_due(row: Any, market: Market) -> bool:  # noqa: ANN401 - a numpy record
    if market.price_class != 0 or not row["debt"]:
        return False
    price_e6 = market.pools[int(row["pool"])].price_e6
    own_e6 = price_e6 if int(row["side"]) == Side.YES else PRICE_ONE_E6 - price_e6
    shares, debt = int(row["shares"]), int(row["debt"])
    required = leverage.required_margin(int(row["margin"]), shares, int(row["margin_bps"]))
    return leverage.health_bps(shares, own_e6, debt, required) < _HEALTHY_BPS


if __name__ == "__main__":
    trio.run(_keep, load_config(Path(sys.argv[1])), Pubkey.from_string(sys.argv[2]))
