"""incentives/rules/explain.py."""

import pytest
from hypothesis import given, settings

from incentives.lines import Code, Transfer
from incentives.parameters import Parameters
from incentives.rules.explain import NotExplainedError, explain
from incentives.rules.rulebook import Rulebook
from tests.incentives.invented_history import PARAMETERS, histories
from tests.incentives.told_events import Telling

FACTS = {
    Code.GENESIS,
    Code.ROOT,
    Code.PAYOUT,
    Code.ALLOCATION,
    Code.SEASON_END,
    Code.FOREIGN_PAYOUT,
}
TOGETHER = {Code.ROUNDING, Code.SCALING}
"""Amounts that the other transfers of the close decide too."""


@given(histories)
@settings(deadline=None, max_examples=20)
def test_every_transfer_is_explained_and_what_a_formula_gives_is_its_amount(events):
    rulebook = Rulebook(PARAMETERS)
    by_id = {event.source_id: event for event in events}
    lines = [line for event in events for line in rulebook.take(event)]
    lines += rulebook.pass_slot(2_000)
    for line in lines:
        if isinstance(line, Transfer):
            explained = explain(line, by_id.get(line.cause), PARAMETERS)
            assert explained.sentence.endswith(".")
            assert (line.code in FACTS) == (not explained.formula)
            if line.code not in FACTS | TOGETHER:
                assert explained.recomputed == line.amount


def test_a_boosted_trade_is_explained_in_words():
    told = Telling()
    parameters = Parameters()
    rulebook = Rulebook(parameters)
    genesis, opened = told.genesis(), told.opened("ann", "p", notional=1_234_567_890)
    lines = [line for event in (genesis, opened) for line in rulebook.take(event)]
    lines += rulebook.pass_slot(1_150)
    [transfer] = [x for x in lines if isinstance(x, Transfer) and x.code is Code.TRADE_BOOSTED]
    explained = explain(transfer, opened, parameters)
    assert explained.sentence == (
        "A trade of $1,234.56789, held for 150 slots, earns 1 MMT per $100 of the $1,234.56789 that count, "
        "times 2 as trade number 1 of the first 100."
    )
    assert ("qualifying slot", "1150, in epoch 0") in explained.inputs
    with pytest.raises(NotExplainedError, match=f"found {genesis.source_id}, expected event"):
        explain(transfer, genesis, parameters)
    with pytest.raises(NotExplainedError, match="found no event"):
        explain(transfer, None, parameters)
