"""`incentives recompute`: the ledger once more, from its events or from the chain's."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click
import trio
from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.cli.cluster import RPC_URL_OPTION, open_cluster, require_same_chain
from incentives.cli.config_options import CONFIG_OPTION, ledger_path
from incentives.cli.ledger_options import LEDGER_OPTION, reading
from incentives.cli.output import Form, Report, output_options, show
from incentives.ledger.errors import LedgerError
from incentives.ledger.opened import read_identity
from incentives.ledger.promised import read_parameters
from incentives.ledger.recompute import Recomputed, recompute
from incentives.reading.reader import Delivery, Reader
from incentives.rules.rulebook import Rulebook
from incentives.sourced import SourcedEvent
from programs.events import MalformedEventError

_EXAMPLES: Final = """\b
Examples:
  incentives recompute
  incentives recompute --diff --table
  incentives recompute --from-chain --rpc-url https://rpc.example
"""


@click.command("recompute", epilog=_EXAMPLES)
@click.option(
    "--from-chain", is_flag=True, help="Read all events of the chain again, and use these."
)
@click.option("--diff", is_flag=True, help="Show the lines that only one side has.")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="With --diff: how many at most.",
)
@RPC_URL_OPTION
@LEDGER_OPTION
@CONFIG_OPTION
@output_options
def recompute_command(
    *,
    form: Form,
    from_chain: bool,
    diff: bool,
    limit: int,
    rpc_urls: tuple[str, ...],
    ledger_file: Path | None,
    config_path: Path | None,
) -> None:
    """Fold all events again under the recorded rules, and compare every line and the head with what is recorded.

    The events are the recorded ones, or the chain's, which shows too that none is missing or invented. Exit code 1 where anything
    differs.
    """
    path = ledger_file or ledger_path(config_path)
    if from_chain:
        found = trio.run(_from_chain, path, rpc_urls, config_path, limit)
    else:
        with reading(path) as db:
            found = compute_again(db, at_most=limit)
    show(_report(found, "chain" if from_chain else "ledger", diff=diff), form)
    if not found.is_same:
        raise SystemExit(1)


def compute_again(
    db: Database, events: Iterable[SourcedEvent] | None = None, *, at_most: int = 20
) -> Recomputed:
    """Recompute a ledger under its own rules.

    Raises:
        RulebookError: the rules refuse an event.
        LedgerError: what is recorded cannot be read.
    """
    parameters = read_parameters(db)
    try:
        return recompute(db, Rulebook(parameters), parameters, events, at_most=at_most)
    except (MalformedEventError, ValueError) as error:
        raise LedgerError(f"what is recorded cannot be computed again: {error}") from error


async def _from_chain(
    path: Path, rpc_urls: tuple[str, ...], config_path: Path | None, at_most: int
) -> Recomputed:
    with reading(path) as db:
        identity = read_identity(db)
    async with open_cluster(rpc_urls, config_path) as rpc:
        await require_same_chain(rpc, identity)
        reader = Reader(rpc=rpc, program=Pubkey.from_string(identity.program))
        sending, receiving = trio.open_memory_channel[Delivery](1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_deliver, reader, sending)
            with receiving:
                found = await trio.to_thread.run_sync(_recompute, path, receiving, at_most)
            nursery.cancel_scope.cancel(reason="all that the ledger knows is compared")
    return found


async def _deliver(reader: Reader, sending: trio.MemorySendChannel[Delivery]) -> None:
    with sending:
        async for delivery in reader.read_round():
            await sending.send(delivery)


def _recompute(
    path: Path, receiving: trio.MemoryReceiveChannel[Delivery], at_most: int
) -> Recomputed:
    """Compute in a thread, which asks for events as it goes: a season's are never in memory at once."""
    with reading(path) as db:
        return compute_again(db, _events(receiving), at_most=at_most)


def _events(receiving: trio.MemoryReceiveChannel[Delivery]) -> Iterator[SourcedEvent]:
    while True:
        try:
            delivery = trio.from_thread.run(receiving.receive)
        except trio.EndOfChannel:
            return
        yield from delivery.events


def _report(found: Recomputed, source: str, *, diff: bool) -> Report:
    shown = found.differences if diff else ()
    return Report(
        head={
            "same": found.is_same,
            "source": source,
            "lines": found.lines,
            "recorded_lines": found.recorded_lines,
            "head": found.head,
            "recorded_head": found.recorded_head,
            "memory_same": found.is_memory_same,
            "differences": len(found.differences) + found.differences_left_out,
        },
        columns=("seq", "recorded_line", "recomputed_line"),
        rows=[(each.seq, each.recorded, each.recomputed) for each in shown],
        rows_name="lines_that_differ",
    )
