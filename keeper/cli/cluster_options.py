"""What the commands about a cluster share: which one, which program, whose keys, and how its failures are told."""

import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import click
import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.cli.logs import open_logs
from keeper.cluster import check_endpoints
from keeper.config import Config, load_config
from keeper.errors import ClusterError, KeeperError, KeypairError
from keeper.keypair import load_keypair
from programs.betting_platform.build import PROGRAM_SO
from programs.endpoint_urls import check_url, shown_url
from programs.in_flight import Pace
from programs.redaction import redaction_for
from programs.rpc import Rpc, RpcFailure
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.terminal import echo

T = TypeVar("T")

_CONFIG: Final = Path("keeper.toml")
_CODE_BYTES_MAX: Final = 10 << 20
"""Source: agave MAX_PERMITTED_DATA_LENGTH."""
PACE: Final = Pace(poll_interval_s=0.25, finality_interval_s=30.0)
"""A person waits; and public endpoints take 40 calls of a method in 10 s."""

FILE: Final = click.Path(dir_okay=False, path_type=Path)
CU_PRICE_OPTION: Final = click.option(
    "--cu-price",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1_000_000_000),
    help="Bid for inclusion, micro-lamports per compute unit.",
)
YES_OPTION: Final = click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
DRY_RUN_OPTION: Final = click.option(
    "--dry-run", is_flag=True, help="Say what would be done and what it costs; send nothing."
)
JSON_OPTION: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout."
)
SO_OPTION: Final = click.option(
    "--so", "so_path", type=FILE, help="The program's bytes.  [default: the committed program]"
)


class Address(click.ParamType[Pubkey]):
    """An address in base58, or a keypair file whose address is meant."""

    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Pubkey:
        """Read it."""
        if isinstance(value, Pubkey):  # a default of ours
            return value
        text = str(value)
        try:
            return Pubkey.from_string(text)
        except ValueError:
            if Path(text).is_file():
                return read_keypair(Path(text), "the file").pubkey()
            self.fail(f"{text!r} is neither an address in base58 nor a keypair file", param, ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which cluster a command is about."""

    urls: tuple[str, ...]
    settings: RpcSettings
    config: Config | None
    """None: the cluster was named with --url, no file was read."""

    @property
    def names(self) -> str:
        """What may be shown of the endpoints."""
        return ", ".join(shown_url(url) for url in self.urls)

    @property
    def correction(self) -> str:
        """Where to mend a wrong endpoint."""
        return "--url" if self.config is None else "cluster.rpc_urls in keeper.toml"


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --url and --config."""
    url = click.option(
        "--url",
        "urls",
        multiple=True,
        callback=_check_urls,
        help="RPC endpoint, instead of those of keeper.toml; may be repeated for failover.",
    )
    config = click.option(
        "--config",
        "config_path",
        type=FILE,
        help="Names cluster and program, unless --url and --program do.  [default: keeper.toml]",
    )
    return url(config(command))


def resolve_target(urls: tuple[str, ...], config_path: Path | None) -> Target:
    """Choose the cluster: --url, or else keeper.toml.

    Raises:
        ConfigError: keeper.toml is needed and cannot be used.
    """
    if urls and config_path is None:
        return Target(urls=urls, settings=RpcSettings(), config=None)
    config = load_config(config_path or _CONFIG)
    return Target(
        urls=urls or config.cluster.rpc_urls, settings=config.cluster.rpc_settings, config=config
    )


def read_keypair(path: Path, option: str) -> Keypair:
    """Read a keypair file that an option names.

    Raises:
        KeypairError: it cannot be used.
    """
    if not path.exists():
        raise KeypairError(
            f"keypair {path} does not exist: create it with `solana-keygen new -o {path}`, or correct {option}"
        )
    return load_keypair(path)


def read_program_keypair(path: Path, target: Target) -> Keypair:
    """Read the program's keypair; keeper.toml, when it names the cluster, must name this program.

    Raises:
        KeypairError: it cannot be used, or is another program's.
    """
    keypair = read_keypair(path, "--program")
    if target.config is not None and keypair.pubkey() != target.config.cluster.program_id:
        raise KeypairError(
            f"keypair {path} is of program {keypair.pubkey()}, keeper.toml names "
            f"{target.config.cluster.program_id}: give the keypair of that program as --program, or correct "
            "cluster.program_id"
        )
    return keypair


def read_code(path: Path | None) -> bytes:
    """Read the program's bytes: the committed ones, or those of --so.

    Raises:
        KeeperError: the file cannot be read, or is no ELF.
    """
    chosen = path or PROGRAM_SO
    try:
        if chosen.stat().st_size > _CODE_BYTES_MAX:
            raise KeeperError(f"{chosen} is larger than {_CODE_BYTES_MAX} bytes: not a program")
        code = chosen.read_bytes()
    except OSError as error:
        raise KeeperError(f"program {chosen} cannot be read: {error.strerror}") from error
    if not code.startswith(b"\x7fELF"):
        raise KeeperError(f"{chosen} is no program: expected an sBPF v3 ELF file, see --so")
    return code


def on_cluster(target: Target, work: Callable[[Rpc], Awaitable[T]]) -> T:
    """Do something on a cluster; its warnings go to stderr, as text among the progress.

    Raises:
        ClusterError: it cannot be read, or its endpoints are of different clusters; or whatever `work` raises.
    """

    async def main() -> T:
        async with open_rpc(target.urls, target.settings) as rpc:
            try:
                if len(target.urls) > 1:
                    genesis_hash = str(await rpc.get_genesis_hash())
                    await check_endpoints(target.urls, target.settings, genesis_hash)
                return await work(rpc)
            except RpcFailure as failure:
                raise ClusterError(
                    f"the cluster cannot be read ({failure}): check that it runs and that {target.correction} is right"
                ) from failure

    redaction = redaction_for(target.urls)
    with open_logs(sys.stderr, form="text", least=logging.WARNING, redaction=redaction):
        return trio.run(main)


def say(line: str = "") -> None:
    """Tell a person something; stdout is for the result."""
    echo(line, err=True)


def ask(question: str, *, yes: bool) -> None:
    """Ask a person at a terminal; whoever runs it from a script has said all in the arguments.

    Raises:
        click.Abort: the answer was no.
    """
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Line up names and values."""
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:{width}}{value}".rstrip() for name, value in rows)


def _check_urls(
    _context: click.Context, _parameter: click.Parameter, urls: tuple[str, ...]
) -> tuple[str, ...]:
    for url in urls:
        try:
            check_url(url, "http", "https")
        except ValueError as error:
            raise click.BadParameter(f"{shown_url(url)!r}: {error}") from None
    return urls
