"""`incentives reconcile`: the ledger against the chain."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import trio
from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.chain_reading import read_chain
from incentives.cli.cluster import RPC_URL_OPTION, open_cluster, require_same_chain
from incentives.cli.config_options import CONFIG_OPTION, ledger_path
from incentives.cli.ledger_options import LEDGER_OPTION, reading
from incentives.cli.output import Form, Report, output_options, show
from incentives.cli.queries import progress_slot
from incentives.cli.refusal import Refusal
from incentives.ledger.encoding import Identity
from incentives.ledger.opened import read_identity
from incentives.ledger.recorded import find_cause
from incentives.reconciliation import Comparison, Holdings, compare
from incentives.unread import Unread, is_unread
from programs.events import decode
from programs.rpc import RpcFailure
from programs.terminal import echo

_POLL_S: Final = 0.25
_EXAMPLES: Final = """\b
Examples:
  incentives reconcile --table
  incentives reconcile --recorded
  incentives reconcile --rpc-url https://rpc.example --ledger season.db || page-somebody
"""
_BALANCES: Final = """
SELECT account.role, sum(posting.amount) FROM posting JOIN account ON account.id = posting.account
WHERE posting.slot <= ? GROUP BY account.role"""
_BALANCES_NOW: Final = """
SELECT account.role, sum(balance.credits - balance.debits) FROM account JOIN balance ON balance.account = account.id
GROUP BY account.role"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What the chain was seen to hold."""

    source: str
    slot: int
    read_at: datetime
    holdings: Holdings


@dataclass(frozen=True, slots=True)
class _UnknownRoots:
    roots: int
    total: int
    """MMT base units that they promise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    found: tuple[Comparison, ...]
    unknown: _UnknownRoots
    through_slot: int
    slots_behind: int

    @property
    def agrees(self) -> bool:
        return not any(one.difference for one in self.found)


@click.command("reconcile", epilog=_EXAMPLES)
@click.option(
    "--recorded", is_flag=True, help="With what was last recorded of the chain; ask no cluster."
)
@RPC_URL_OPTION
@click.option(
    "--wait-s",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0, 600),
    help="How long the ledger may take to reach the slot at which the chain was read.",
)
@LEDGER_OPTION
@CONFIG_OPTION
@output_options
def reconcile_command(
    *,
    form: Form,
    recorded: bool,
    rpc_urls: tuple[str, ...],
    wait_s: float,
    ledger_file: Path | None,
    config_path: Path | None,
) -> None:
    """Compare the ledger with the chain: supply, sink, treasury, roots posted, paid.

    The chain is read finalized and at one slot, and the ledger as of that slot. Where no cluster answers, what `incentives follow`
    last recorded of the chain takes its place; `source` and `age_s` say so. Exit code 1 where anything differs.

    `foreign` is what the ledger recorded, as an anomaly each, of roots that it did not compute and of what they paid: it explains
    the chain's figure, and is no difference. A root that the ledger has not recorded is one.
    """
    path = ledger_file or ledger_path(config_path)
    with reading(path) as db:
        identity = read_identity(db)
        last = _last_recorded(db)
    found = last if recorded else trio.run(_ask, rpc_urls, config_path, identity) or last
    if found is None:
        raise Refusal(
            "no reading of the chain is recorded in this ledger yet: let `incentives follow` run against the cluster"
        )
    outcome = trio.run(_compared, path, found, wait_s)
    show(_report(found, outcome), form)
    if not outcome.agrees:
        raise SystemExit(1)


async def _ask(
    rpc_urls: tuple[str, ...], config_path: Path | None, identity: Identity
) -> _Reading | None:
    """Read the chain; None where no endpoint answers.

    Raises:
        Refusal: it is another chain than the ledger's.
    """
    try:
        async with open_cluster(rpc_urls, config_path) as rpc:
            await require_same_chain(rpc, identity)
            seen = await read_chain(
                rpc, Pubkey.from_string(identity.program), Pubkey.from_string(identity.mint)
            )
    except RpcFailure as failure:
        echo(
            f"incentives: the cluster cannot be read ({failure}): this is about what was last recorded of it",
            err=True,
        )
        return None
    return _Reading(
        source="live",
        slot=seen.slot,
        read_at=datetime.now(UTC),
        holdings=Holdings(
            supply=seen.supply, sink=seen.sink, treasury=seen.treasury, posted=seen.posted
        ),
    )


def _last_recorded(db: Database) -> _Reading | None:
    for row in db.query(
        "SELECT slot, read_at, supply, sink, treasury, posted FROM last_chain_reading"
    ):
        amounts = {name: row[name] for name in ("supply", "sink", "treasury", "posted")}
        read_at = datetime.fromisoformat(row["read_at"])
        return _Reading(
            source="recorded", slot=row["slot"], read_at=read_at, holdings=Holdings(**amounts)
        )
    return None


async def _compared(path: Path, seen: _Reading, wait_s: float) -> _Outcome:
    """Compare as soon as the ledger has reached the slot of the reading, or agrees with it all the same."""
    deadline = trio.current_time() + wait_s
    while True:
        with reading(path) as db:
            outcome = _compare_now(db, seen)
        if outcome.agrees or not outcome.slots_behind or trio.current_time() >= deadline:
            return outcome
        await trio.sleep(_POLL_S)


def _compare_now(db: Database, seen: _Reading) -> _Outcome:
    through = progress_slot(db)
    if through is None:
        raise Refusal("the ledger is empty: nothing of the season has been read yet")
    rows = (
        db.conn.execute(_BALANCES_NOW)
        if through <= seen.slot
        else db.conn.execute(_BALANCES, [seen.slot])
    )
    unknown = _unknown_roots(db, seen.slot)
    return _Outcome(
        found=compare(dict(rows), seen.holdings, posted_unknown=unknown.total),
        unknown=unknown,
        through_slot=through,
        slots_behind=max(seen.slot - through, 0),
    )


def _unknown_roots(db: Database, through_slot: int) -> _UnknownRoots:
    """Count roots that were posted and that this ledger did not compute: they are recorded, and owe nothing."""
    causes = db.conn.execute(
        "SELECT cause FROM anomaly WHERE kind = 'unknown_root' AND slot <= ?", [through_slot]
    )
    roots = total = 0
    for (cause,) in causes.fetchall():
        (payload,) = db.conn.execute(
            "SELECT payload FROM event WHERE seq = ?", [find_cause(db, cause)]
        ).fetchone()
        roots += 1
        total += _total(payload)
    return _UnknownRoots(roots, total)


def _total(payload: bytes) -> int:
    """Return what a root comes to, by the event that told of it or the instruction that stands for it."""
    if is_unread(payload):
        return Unread.from_payload(payload).posted[1]
    return decode(payload).amount("total")


def _report(seen: _Reading, outcome: _Outcome) -> Report:
    age = datetime.now(UTC) - seen.read_at
    return Report(
        head={
            "agrees": outcome.agrees,
            "source": seen.source,
            "slot": seen.slot,
            "read_at": seen.read_at.isoformat(timespec="seconds"),
            "age_s": round(age.total_seconds()),
            "read_through_slot": outcome.through_slot,
            "slots_behind": outcome.slots_behind,
            "foreign_roots": outcome.unknown.roots,
            "posted_unknown": outcome.unknown.total,
        },
        columns=("item", "ledger", "foreign", "chain", "difference"),
        rows=[
            (one.item, one.ledger, one.foreign, one.chain, one.difference) for one in outcome.found
        ],
        rows_name="items",
    )
