"""incentives/rules: roots and payments as the program tells them."""

import json

from incentives.lines import Anomaly, Code, EpochClose
from incentives.rules.rulebook import Rulebook
from incentives.sourced import Place, SourcedEvent
from programs.events import decode
from programs.genesis import TREASURY_MMT
from tests.incentives.told_events import Telling, address, balances
from tests.incentives.told_lines import (
    MMT,
    SMALL,
    USD,
    amounts,
    fold,
    found,
    name,
    of_type,
    posting,
)


def test_a_root_of_ours_moves_payable_to_in_flight_and_its_payment_to_paid():
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p"), told.opened("bob", "q", notional=200 * USD)]
    posted, paid = posting(fold(events, to=1_099), told.at(1_110))
    sums = balances(fold([*events, posted]))
    assert (0, 20 * MMT) == (
        sums[f"wallet/{name('ann')}/payable"],
        sums[f"wallet/{name('ann')}/in_flight"],
    )
    lines = fold([*events, posted, paid])
    sums = balances(lines)
    assert (0, 4 * MMT) == (
        sums[f"wallet/{name('bob')}/in_flight"],
        sums[f"wallet/{name('bob')}/paid"],
    )
    assert not of_type(lines, Anomaly)


def test_a_root_that_nobody_here_computed_is_an_anomaly_and_what_it_pays_is_unexplained():
    told = Telling()
    events = [
        told.genesis(),
        told.opened("ann", "p"),
        told.at(1_110).posted(0, 0, address("another root"), 1, 5),
        told.paid(0, 0, [(0, address("eve"), 5)]),
    ]
    lines = fold(events, to=1_199)
    assert ["unknown_root", "foreign_payout"] == [line.kind for line in of_type(lines, Anomaly)]
    assert [5] == amounts(lines, Code.FOREIGN_PAYOUT)
    sums = balances(lines)
    assert (5, 20 * MMT) == (sums["unexplained"], sums[f"wallet/{name('ann')}/payable"])
    assert (
        sums["pot"]
        == of_type(lines, EpochClose)[-1].emitted + of_type(lines, EpochClose)[-1].rolled_over
    )


def test_a_leaf_is_paid_once_and_the_same_leaf_again_is_foreign():
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p"), told.opened("bob", "q", notional=200 * USD)]
    posted, paid = posting(fold(events, to=1_099), told.at(1_110))
    again = told.paid(0, 0, [(0, address("ann"), 20 * MMT)])
    lines = fold([*events, posted, paid, again])
    assert [4 * MMT, 20 * MMT] == sorted(amounts(lines, Code.PAYOUT))
    assert [20 * MMT] == amounts(lines, Code.FOREIGN_PAYOUT)


def test_a_leaf_is_paid_after_its_root_is_posted_and_then_once_while_others_wait():
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p"), told.opened("bob", "q", notional=200 * USD)]
    posted, paid = posting(fold(events, to=1_099), told.at(1_110))
    [first, _] = [record for record in decode(paid.payload).records if record["leaf"] in {0, 1}]
    leaf = [(0, bytes(first["wallet"]), first["amount"])]
    before = Place(1_105, 0, 0, 0)
    too_early = SourcedEvent(before, "early", told.paid(0, 0, leaf).payload)
    once, again = told.paid(0, 0, leaf), told.paid(0, 0, leaf)
    lines = fold([*events, too_early, posted, once, again])
    assert [once.source_id] == [line.cause for line in found(lines, Code.PAYOUT)]
    causes = [line.cause for line in found(lines, Code.FOREIGN_PAYOUT)]
    assert [too_early.source_id, again.source_id] == causes


def test_a_root_that_is_paid_in_full_is_forgotten():
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p")]
    posted, paid = posting(fold(events, to=1_099), told.at(1_110))
    rulebook = Rulebook(SMALL)
    for event in (*events, posted):
        list(rulebook.take(event))
    assert [] != json.loads(rulebook.to_json())["begun"]["paying"]
    list(rulebook.take(paid))
    assert [] == json.loads(rulebook.to_json())["begun"]["paying"]


def test_after_the_season_foreign_payouts_come_from_what_it_left_and_then_from_the_pot():
    told = Telling()
    events = [told.genesis(season_slots=200), told.at(1_300).paid(0, 0, [(0, address("eve"), 7)])]
    events.append(told.paid(0, 0, [(1, address("eve"), TREASURY_MMT)]))
    lines = fold(events)
    moves = [(line.debit, line.amount, line.leg) for line in found(lines, Code.FOREIGN_PAYOUT)]
    assert [("unspent", 7, 0), ("unspent", TREASURY_MMT - 7, 0), ("pot", 7, 1)] == moves
