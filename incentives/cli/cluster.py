"""The cluster that a command asks: which one, how patiently, and whether it is the ledger's."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import click

from incentives.cli.config_options import settings_of
from incentives.cli.refusal import Refusal
from incentives.ledger.encoding import Identity
from programs.endpoint_urls import check_url, shown_url
from programs.rpc import Rpc
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings


def _check_urls(
    _context: click.Context, _parameter: click.Parameter, urls: tuple[str, ...]
) -> tuple[str, ...]:
    for url in urls:
        try:
            check_url(url, "http", "https")
        except ValueError as error:
            raise click.BadParameter(f"{error}, found {shown_url(url)}") from None
    return urls


RPC_URL_OPTION: Final = click.option(
    "--rpc-url",
    "rpc_urls",
    multiple=True,
    callback=_check_urls,
    help="Instead of cluster.rpc_urls; may be repeated.",
)


@asynccontextmanager
async def open_cluster(rpc_urls: tuple[str, ...], config_path: Path | None) -> AsyncGenerator[Rpc]:
    """Open the cluster of --rpc-url, or else of keeper.toml, asked as patiently as that file says.

    Args:
        rpc_urls: with them no file is read, unless one is named.
        config_path: None: keeper.toml, where it is needed.

    Raises:
        ConfigError: keeper.toml is needed and cannot be used.
    """
    settings = RpcSettings()
    if config_path is not None or not rpc_urls:
        told = settings_of(config_path)
        rpc_urls, settings = rpc_urls or told.rpc_urls, told.rpc_settings
    async with open_rpc(rpc_urls, settings) as rpc:
        yield rpc


async def require_same_chain(rpc: Rpc, identity: Identity) -> None:
    """Check that the endpoints are of the ledger's chain.

    Raises:
        Refusal: they are of another.
        RpcFailure: none answers.
    """
    genesis_hash = str(await rpc.get_genesis_hash())
    if genesis_hash != identity.genesis_hash:
        raise Refusal(
            f"the cluster's genesis is {genesis_hash}, the ledger's {identity.genesis_hash}: check cluster.rpc_urls"
        )
