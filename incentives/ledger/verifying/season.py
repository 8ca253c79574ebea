"""Does every epoch emit what the season's formula says, and owe what its claims come to.

Shell.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.ledger.verifying.finding import Finding
from incentives.parameters import Parameters, Rules
from incentives.rules.formulas import share_out
from incentives.rules.payloads import Picked
from incentives.rules.season import Season
from programs.event_layout import EventKind

INITIALIZED = Picked(EventKind.INITIALIZED, "season_start_slot", "season_slots")


@dataclass(frozen=True, slots=True)
class Promise:
    """What the ledger was computed by."""

    season: Season
    parameters: Parameters
    """With the versions recorded so far."""


def read_promise(db: Database) -> Promise | None:
    """Return the season and the rules as recorded; None before genesis.

    Raises:
        ValueError: they cannot be read.
    """
    genesis = db.conn.execute(
        "SELECT payload FROM event WHERE kind = ? ORDER BY seq LIMIT 1", [EventKind.INITIALIZED]
    ).fetchone()
    versions = [
        json.loads(text)
        for (text,) in db.conn.execute("SELECT parameters FROM config_version ORDER BY version")
    ]
    if genesis is None or not versions:
        return None
    parameters = Parameters(
        epoch_slots=versions[0]["epoch_slots"],
        dwell_slots=versions[0]["dwell_slots"],
        versions=tuple(Rules(**each["rules"]) for each in versions),
    )
    start, slots = INITIALIZED.of(genesis[0])
    return Promise(Season(start, slots, parameters.epoch_slots), parameters)


def check_epochs(db: Database, promise: Promise, anchors: Mapping[int, str]) -> Iterator[Finding]:
    """Check the calendar and the emission of each close, and its head where it was published."""
    season, expected = promise.season, 0
    rows = db.conn.execute(
        "SELECT epoch, start_slot, end_slot, emitted, rules_version, lower(hex(hash)), coalesce((SELECT sum(amount) "
        "FROM transfer WHERE cause_seq = epoch.seq AND code = 'emission'), 0) FROM epoch ORDER BY seq"
    )
    for epoch, start, end, emitted, version, head, moved in rows:
        if epoch != expected:
            yield Finding("epochs", f"epoch {epoch} is closed where epoch {expected} was due")
        if (start, end) != (season.start_of(epoch), season.end_of(epoch)):
            yield Finding(
                "epochs",
                f"epoch {epoch} runs from slot {start} to {end}, which the season's calendar does not say",
            )
        due = season.emitted_in(epoch)
        if not due == emitted == moved:
            yield Finding(
                "emission",
                f"epoch {epoch} says it emitted {emitted} base units and moved {moved}; the season's formula gives {due}",
            )
        if version != promise.parameters.version_at(epoch):
            yield Finding(
                "epochs",
                f"epoch {epoch} names version {version} of the rules, which is not in force in it",
            )
        if anchors.get(epoch, head) != head:
            yield Finding(
                "anchors",
                f"epoch {epoch} closed at head {head}, but its manifest was published with {anchors[epoch]}",
            )
        expected = epoch + 1
    through = db.conn.execute("SELECT coalesce(max(through_slot), -1) FROM progress").fetchone()[0]
    if expected <= season.last_epoch and season.end_of(expected) <= through + 1:
        yield Finding(
            "epochs",
            f"everything through slot {through} is read, but epoch {expected} is not closed",
        )
    for epoch in sorted(set(anchors) - set(range(expected))):
        yield Finding(
            "anchors",
            f"a manifest of epoch {epoch} was published, but this ledger has not closed it: is it an old copy?",
        )


def check_allocations(db: Database) -> Iterator[Finding]:
    """Share every pot out again."""
    rows = db.conn.execute(
        "SELECT epoch, seq, rolled_over + emitted, allocated, CAST(claim_denominator AS INTEGER), is_scaled FROM epoch ORDER BY seq"
    )
    for epoch, seq, pot, allocated, denominator, is_scaled in rows.fetchall():
        found = [
            (bytes(Pubkey.from_string(wallet)), int(numerator) // denominator, amount)
            for wallet, numerator, amount in db.conn.execute(
                "SELECT wallet, claim_numerator, amount FROM epoch_allocation WHERE epoch = ?",
                [epoch],
            )
        ]
        found.sort()
        claims = [(wallet, claim) for wallet, claim, _ in found]
        wrong = [
            (wallet, amount, share)
            for (wallet, _, amount), share in zip(found, share_out(pot, claims), strict=True)
            if amount != share
        ]
        for wallet, amount, share in wrong:
            yield Finding(
                "allocations",
                f"epoch {epoch} owes {Pubkey.from_bytes(wallet)} {amount} base units; its claims and the pot give {share}",
            )
        total = sum(amount for _, _, amount in found)
        if total != allocated:
            yield Finding(
                "allocations",
                f"epoch {epoch} allocates {allocated} base units, its wallets' parts sum to {total}",
            )
        if is_scaled != (sum(claim for _, claim in claims) > max(pot, 0)):
            yield Finding(
                "allocations", f"epoch {epoch} says wrongly whether its claims exceeded the pot"
            )
        yield from _compare_moved(
            db, epoch, seq, {wallet: (claim, amount) for wallet, claim, amount in found}
        )


def _compare_moved(
    db: Database, epoch: int, close_seq: int, owed: Mapping[bytes, tuple[int, int]]
) -> Iterator[Finding]:
    """Compare claims and allocations with the transfers that put them down."""
    moved = {
        bytes(Pubkey.from_string(wallet)): (claim, amount)
        for wallet, claim, amount in db.conn.execute(
            "SELECT account.wallet, sum(CASE WHEN credit = account.id THEN amount ELSE 0 END), "
            "sum(CASE WHEN code = 'allocation' THEN amount ELSE 0 END) FROM transfer "
            "JOIN account ON account.id IN (debit, credit) AND account.role = 'accrued' WHERE epoch = ? GROUP BY account.id",
            [epoch],
        )
    }
    for wallet in owed.keys() | moved.keys():
        said, put = owed.get(wallet, (0, 0)), moved.get(wallet, (0, 0))
        if said != put:
            yield Finding(
                "allocations",
                f"epoch {epoch} (line {close_seq}) has a claim of {said[0]} and an allocation of {said[1]} for "
                f"{Pubkey.from_bytes(wallet)}, its transfers come to {put[0]} and {put[1]}",
            )
