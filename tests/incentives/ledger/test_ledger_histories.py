"""However lines are cut into batches, whatever fails on the way and comes again: one ledger, bit for bit."""

from contextlib import suppress

import hypothesis.strategies as st
from hypothesis import given, settings
from sqlite_utils import Database

from incentives.ledger.opened import _identify
from incentives.ledger.recorded import read_progress, read_texts
from incentives.ledger.schema import LEDGER
from incentives.ledger.verify import verify
from incentives.ledger.writer import Batch, LedgerWriter
from incentives.rules.rulebook import Rulebook
from programs.events import decode
from state.schema import migrate
from state.store import commit, configure
from tests.incentives.ledger.a_season import IDENTITY, PARAMETERS, deliveries

TOLD = [(event, through) for events, through in deliveries() for event in events]
SLOTS = sorted({event.place.slot for event, _ in TOLD} | {through for _, through in deliveries()})


class DiskFullError(Exception):
    pass


def empty():
    db = Database(memory=True)
    configure(db)
    migrate(db, ":memory:", LEDGER)
    commit(db, lambda db: _identify(db, ":memory:", IDENTITY))
    return db


def writer():
    return LedgerWriter(store=None, identity=IDENTITY, parameters=PARAMETERS)


def batches(cuts):
    """Return the season cut after these slots, each of them a whole one."""
    rulebook, waiting, made = Rulebook(PARAMETERS), [event for event, _ in TOLD], []
    for slot in [*sorted(cuts), SLOTS[-1]]:
        taken = [event for event in waiting if event.place.slot <= slot]
        waiting = waiting[len(taken) :]
        lines = [line for event in taken for line in rulebook.take(event)]
        lines += rulebook.pass_slot(slot)
        heads = [decode(event.payload) for event in taken]
        series = {head.series: head.sequence for head in heads}
        made.append(
            Batch(lines=lines, through_slot=slot, series=series, snapshot=rulebook.to_json())
        )
    return made


def contents(db):
    return list(read_texts(db)), read_progress(db)


WHOLE = empty()
for each in batches([]):
    commit(WHOLE, lambda db, batch=each: writer().write(db, batch))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_every_way_to_deliver_a_season_makes_the_same_ledger(data):
    db, ledger = empty(), writer()
    cuts = data.draw(st.sets(st.sampled_from(SLOTS[:-1])), label="cuts")
    for batch in batches(cuts):
        for fate in data.draw(st.lists(st.sampled_from(["fails", "restarts"]), max_size=2)):
            if fate == "restarts":
                ledger = writer()
                continue
            with suppress(DiskFullError):
                commit(db, lambda db, batch=batch, by=ledger: fail_after(by.write(db, batch)))
        for _ in range(data.draw(st.integers(1, 2), label="times")):
            commit(db, lambda db, batch=batch, by=ledger: by.write(db, batch))
    assert contents(db) == contents(WHOLE)
    assert list(verify(db)) == []


def fail_after(_progress):
    raise DiskFullError
