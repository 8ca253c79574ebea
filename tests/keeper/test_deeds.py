"""keeper/deeds.py."""

from base64 import b64encode

import pytest
from scripted import PROGRAM, USD, liquidated, position_address
from solders.pubkey import Pubkey

from keeper.deeds import deeds_of
from programs import event_layout
from programs.event_layout import EventKind

SOLD, UNSOLD = USD, 0


def logs(*lines, program=PROGRAM):
    return (f"Program {program} invoke [1]", *lines, f"Program {program} success")


def sales(*records):
    """The log line of one batch, a position for each (pool, side, equity, shares sold)."""
    kind = EventKind.POSITIONS_LIQUIDATED
    names = [name for name, _ in event_layout.BODIES[kind]]
    data = event_layout.HEAD.pack(1, kind, 0, 0, 0, 0)
    data += event_layout.STRUCTS[kind].pack(
        *(len(records) if name == "positions" else 0 for name in names)
    )
    for number, (pool, side, equity, sold) in enumerate(records):
        known = {
            "position": bytes(position_address(number)),
            "pool": pool,
            "side": side,
            "equity_before": equity,
            "shares_sold": sold,
        }
        fields = event_layout.TAILS[kind][1]
        data += event_layout.TAIL_STRUCTS[kind].pack(*(known.get(name, 0) for name, _ in fields))
    return f"Program data: {b64encode(data).decode()}"


def test_every_batch_of_a_transaction_counts_and_each_position_is_named():
    addresses = [position_address(number) for number in range(5)]
    first = liquidated(addresses[:3], bounty=10, bad_debt=2)
    second = liquidated(addresses[3:], bounty=100, bad_debt=0)
    deeds = deeds_of(PROGRAM, (*logs(first), *logs(second)))
    assert frozenset(addresses) == deeds.liquidated
    assert (5, 230, 6, None) == (deeds.positions, deeds.bounty, deeds.bad_debt, deeds.unread)


def test_what_another_program_says_counts_nothing():
    line = liquidated([position_address(1)])
    deeds = deeds_of(PROGRAM, logs(line, program=Pubkey(bytes([9] * 32))))
    assert (frozenset(), 0, 0) == (deeds.liquidated, deeds.positions, deeds.bounty)


def test_no_logs_are_no_proof_that_nothing_happened():
    assert "no logs" == deeds_of(PROGRAM, ()).unread


@pytest.mark.parametrize("line", ["Program data: AAAA", "Log truncated"])
def test_logs_that_cannot_be_read_to_their_end_tell_what_came_before(line):
    deeds = deeds_of(PROGRAM, logs(liquidated([position_address(1)]), line))
    assert deeds.unread
    assert 1 == deeds.positions


@pytest.mark.parametrize(
    ("records", "unsold"),
    [
        ([(0, 0, 0, SOLD), (0, 0, 0, UNSOLD)], 0),  # one sale: some of it found room
        ([(0, 0, 0, UNSOLD), (0, 0, 0, UNSOLD)], 1),
        ([(0, 0, 0, UNSOLD), (0, 0, 5, SOLD)], 1),  # those under water sell apart
        ([(0, 0, 0, UNSOLD), (0, 1, 0, UNSOLD), (1, 0, 0, UNSOLD)], 3),
    ],
)
def test_a_sale_is_unsold_when_its_pool_took_nothing_of_all_who_sold_together(records, unsold):
    assert unsold == deeds_of(PROGRAM, logs(sales(*records))).unsold
