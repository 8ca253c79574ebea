"""`keeper localnet`: a Solana network of one's own on loopback."""

import json
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Final

import click
import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey

import programs.betting_platform
from keeper.cli.refusal import Refusal
from keeper.sandbox.cast import PROGRAM_KEY
from programs.deploy import DeploymentFailed, ProgramImage
from programs.localnet.admission import TransactionRefused
from programs.localnet.bank import BankConfig
from programs.localnet.faults import FaultProfile
from programs.localnet.genesis import program_keypair
from programs.localnet.listen import ListenError
from programs.localnet.profiles import ProfileError, load_profile, with_settings
from programs.localnet.server import ENDPOINTS_MAX, PORT, Localnet, LocalnetConfig, serve
from programs.terminal import echo
from programs.units import SLOT_MS, U64_MAX, Lamports

LAMPORTS_PER_SOL: Final = 10**9
_SLOT_MS_MAX: Final = 3_600_000
"""An hour: the network's clock counts seconds in 64 bits."""
COMMITTED_PROGRAM: Final = Path(programs.betting_platform.__file__).with_name("betting_platform.so")
_FORESEEN: Final = (ListenError, DeploymentFailed, TransactionRefused)
_EXAMPLES: Final = """\b
Examples:
  keeper localnet
  keeper localnet --port 0 --json
  keeper localnet & sleep 3; keeper verify
  keeper localnet --slot-ms 50 --finality-slots 4 --airdrop ADDRESS=100
  keeper localnet --program build/my.so --program-keypair my-program.json
  keeper localnet --faults heavy --endpoints 3
  keeper localnet --fault sending.lost_bps=2000 --fault forks.fork_bps=100
"""


@click.command("localnet", epilog=_EXAMPLES)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=PORT,
    show_default=True,
    type=click.IntRange(0, 65_534),
    help="HTTP port; websockets work here too. 0 takes free ports.",
)
@click.option(
    "--ws-port",
    type=click.IntRange(0, 65_535),
    help="Second port for websockets.  [default: the port after --port]",
)
@click.option(
    "--slot-ms",
    default=SLOT_MS,
    show_default=True,
    type=click.IntRange(10, _SLOT_MS_MAX),
    help="How long a slot lasts.",
)
@click.option(
    "--finality-slots",
    default=31,
    show_default=True,
    type=click.IntRange(0, 10_000),
    help="After how many slots one is finalized.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=int,
    help="Genesis hash, blockhashes, faucet and program ids derive from it.",
)
@click.option(
    "--program",
    "program_paths",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="sBPF v3 file to deploy immutably; may be repeated.  [default: the committed program]",
)
@click.option(
    "--program-keypair",
    "keypair_paths",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Keypair file whose address is the program id, one for each --program.",
)
@click.option("--no-program", is_flag=True, help="Deploy nothing.")
@click.option("--no-genesis", is_flag=True, help="Leave the committed program without its genesis.")
@click.option(
    "--airdrop",
    "airdrops",
    multiple=True,
    metavar="ADDRESS=SOL",
    help="Pay an account at start; may be repeated.",
)
@click.option(
    "--endpoints",
    default=1,
    show_default=True,
    type=click.IntRange(1, ENDPOINTS_MAX),
    help="How many addresses the network has; each further one takes the two ports after the last.",
)
@click.option(
    "--faults",
    metavar="light|heavy|FILE",
    help="What may go wrong: a profile by name, or a TOML file as docs/localnet.md describes it.",
)
@click.option(
    "--fault",
    "settings",
    multiple=True,
    metavar="SETTING=NUMBER",
    help="One setting of the profile, such as sending.lost_bps=500; may be repeated.",
)
@click.option(
    "--fault-seed",
    type=int,
    help="Decides which of the possible faults happen.  [default: --seed]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout when ready.")
def localnet_command(
    *,
    host: str,
    port: int,
    ws_port: int | None,
    slot_ms: int,
    finality_slots: int,
    seed: int,
    program_paths: tuple[Path, ...],
    keypair_paths: tuple[Path, ...],
    no_program: bool,
    no_genesis: bool,
    airdrops: tuple[str, ...],
    endpoints: int,
    faults: str | None,
    settings: tuple[str, ...],
    fault_seed: int | None,
    as_json: bool,
) -> None:
    """Run a Solana network in this process, until Ctrl-C.

    Programs execute in a real SVM; nothing is kept when it ends. Any Solana client can use it. Unless told otherwise
    it starts with the committed program, deployed for good at the sandbox's program id, and its genesis done.

    It can misbehave on request: GET /faults at any of its addresses counts what went wrong so far.
    """
    profile = _profile(faults, settings)
    images = () if no_program else _images(program_paths, keypair_paths, seed)
    config = LocalnetConfig(
        host=host,
        port=port,
        ws_port=ws_port,
        endpoints=endpoints,
        faults=profile,
        fault_seed=seed if fault_seed is None else fault_seed,
        bank=BankConfig(
            seed=seed,
            slot_ms=slot_ms,
            confirmed_slots=min(2, finality_slots),
            finality_slots=finality_slots,
            genesis_unix_s=int(time.time()),
        ),
        programs=images,
        is_founded=bool(images) and not program_paths and not no_genesis,
        airdrops=tuple(_parse_airdrop(text) for text in airdrops),
    )
    try:
        trio.run(_run, config, as_json)
    except BaseExceptionGroup as group:
        foreseen, others = group.split(_FORESEEN)
        if others is not None or foreseen is None:
            raise
        raise Refusal(str(_first_leaf(foreseen))) from group


async def _run(config: LocalnetConfig, as_json: bool) -> None:  # noqa: FBT001 - trio.run passes positions only
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            localnet = await nursery.start(serve, config)
            echo(json.dumps(_ready(localnet)) if as_json else _greeting(localnet))
            sys.stdout.flush()
            async for _signal in signals:
                break
            nursery.cancel_scope.cancel(reason="asked to stop")
    if not as_json:
        echo("stopped", err=True)


def _ready(localnet: Localnet) -> dict[str, object]:
    bank = localnet.bank
    return {
        "event": "localnet.ready",
        "url": localnet.url,
        "ws_url": localnet.ws_url,
        "genesis_hash": str(bank.genesis_hash),
        "slot_ms": bank.config.slot_ms,
        "finality_slots": bank.config.finality_slots,
        "endpoints": [
            {"url": address.url, "ws_url": address.ws_url, "lag_blocks": node.lag_blocks}
            for address, node in zip(localnet.addresses, localnet.nodes, strict=True)
        ],
        "programs": [
            {
                "id": str(proof.program),
                "sha256": proof.code_sha256,
                "bytes": proof.code_bytes,
                "upgrade_authority": proof.upgrade_authority,
                "refused": list(proof.refused),
            }
            for proof in localnet.deployments
        ],
    }


def _greeting(localnet: Localnet) -> str:
    lines = [
        *(f"local network      {each.url}  {each.ws_url}" for each in localnet.addresses),
        f"genesis hash       {localnet.bank.genesis_hash}",
    ]
    for proof in localnet.deployments:
        lines += [
            f"program            {proof.program}",
            f"  sha256           {proof.code_sha256} ({proof.code_bytes} bytes)",
            f"  upgrade authority null; refused: {', '.join(proof.refused)}",
        ]
    return "\n".join([*lines, "Ctrl-C stops it; nothing is kept."])


def _profile(name: str | None, settings: tuple[str, ...]) -> FaultProfile:
    try:
        profile = FaultProfile() if name is None else load_profile(name)
        return with_settings(profile, settings) if settings else profile
    except ProfileError as error:
        raise click.UsageError(str(error)) from error


def _images(
    paths: tuple[Path, ...], keypair_paths: tuple[Path, ...], seed: int
) -> tuple[ProgramImage, ...]:
    if not paths:
        paths = (COMMITTED_PROGRAM,) if COMMITTED_PROGRAM.exists() else ()
    if keypair_paths and len(keypair_paths) != len(paths):
        raise click.UsageError(
            f"{len(paths)} program(s) but {len(keypair_paths)} --program-keypair;"
            " give one keypair for each program, in order, or none"
        )
    keypairs = [_load_keypair(path) for path in keypair_paths] or [
        PROGRAM_KEY if path == COMMITTED_PROGRAM else program_keypair(seed, number)
        for number, path in enumerate(paths)
    ]
    return tuple(
        ProgramImage(program=keypair, code=path.read_bytes())
        for keypair, path in zip(keypairs, paths, strict=True)
    )


def _load_keypair(path: Path) -> Keypair:
    try:
        return Keypair.from_bytes(bytes(json.loads(path.read_text())))
    except (ValueError, TypeError, RecursionError) as error:
        raise click.BadParameter(
            f"{path} holds no keypair; expected a JSON list of 64 numbers as solana-keygen writes it",
            param_hint="--program-keypair",
        ) from error


def _parse_airdrop(text: str) -> tuple[Pubkey, Lamports]:
    address, _, amount = text.partition("=")
    try:
        lamports = Decimal(amount) * LAMPORTS_PER_SOL
        recipient = Pubkey.from_string(address)
        is_whole = lamports == int(lamports)
    except (ValueError, ArithmeticError):  # what is no number, and what a Decimal cannot be
        recipient, lamports, is_whole = Pubkey.default(), Decimal(0), False
    if not 0 < lamports <= U64_MAX or not is_whole:
        raise click.BadParameter(
            f"{text!r} is no ADDRESS=SOL; give a base58 address and a positive amount"
            f" of at most {U64_MAX // LAMPORTS_PER_SOL} SOL and 9 decimals, such as --airdrop 11111111111111111111111111111112=1.5",
            param_hint="--airdrop",
        )
    return recipient, Lamports(int(lamports))


def _first_leaf(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


if __name__ == "__main__":
    localnet_command()
