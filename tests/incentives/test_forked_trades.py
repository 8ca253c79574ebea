"""Reader and rules over a chain that forks: what a fork unwinds before finality was never a trade."""

from collections import Counter
from copy import deepcopy
from random import Random

import pytest

from incentives.lines import BoostedTrade, Code, Transfer
from incentives.parameters import Parameters
from incentives.reading.reader import Reader
from incentives.rules.rulebook import Rulebook
from programs.events import decode
from tests.incentives.told_chain import PROGRAM, ToldChain, logs_of
from tests.incentives.told_events import Telling

TRADES = 130
UNWOUND = 57


def _trade(told, wallet, chance):
    told.at(told.slot + chance.randrange(3))
    market = chance.randrange(3)
    return told.opened(wallet, f"{wallet}'s {told.trades}", market=market)


def _land(chain, events):
    for event in events:
        chain.land(event.place.slot, logs_of([event.payload]), name=event.signature)


@pytest.mark.parametrize("seed", range(3))
async def test_the_first_100_trades_and_no_other_are_boosted_when_a_fork_unwinds_trade_57(seed):
    chance, told, chain = Random(seed), Telling(), ToldChain(finalized=1_000)
    wallets = [f"wallet {number}" for number in range(TRADES)]
    before = [told.genesis(), *(_trade(told, wallet, chance) for wallet in wallets[: UNWOUND - 4])]
    fork = told.slot + 1
    abandoned = deepcopy(told).at(fork)
    others = [_trade(abandoned, f"unwound {number}", chance) for number in range(9)]
    assert abandoned.trades > UNWOUND
    told.at(fork)
    rest = wallets[UNWOUND - 4 :]
    kept = [_trade(told, wallet, chance) for wallet in chance.sample(rest, len(rest))]

    reader = Reader(rpc=chain, program=PROGRAM)
    rulebook = Rulebook(Parameters(dwell_slots=10))
    lines = []
    _land(chain, [*before, *others])
    chain.finalized = fork - 1  # nothing of the fork's first branch is final
    await _read(reader, rulebook, lines)
    for slot in [slot for slot in chain.blocks if slot >= fork]:
        del chain.blocks[slot]
    _land(chain, kept)
    while chain.finalized < told.slot + 10:
        chain.finalized += chance.randrange(1, 12)
        await _read(reader, rulebook, lines)

    boosted = [line for line in lines if isinstance(line, BoostedTrade)]
    assert list(range(1, 101)) == [line.trade_number for line in boosted]
    numbered = [str(decode(event.payload).address("owner")) for event in [*before[1:], *kept]]
    assert numbered[:100] == [line.wallet for line in boosted]
    paid = Counter(
        (line.code, line.credit.split("/")[1])
        for line in lines
        if isinstance(line, Transfer) and line.code in {Code.TRADE, Code.TRADE_BOOSTED}
    )
    doubled = {wallet for code, wallet in paid if code is Code.TRADE_BOOSTED}
    assert set(numbered[:100]) == doubled
    assert set(numbered[100:]) == {wallet for code, wallet in paid if code is Code.TRADE}


async def _read(reader, rulebook, lines):
    async for delivery in reader.read_round():
        for event in delivery.events:
            lines += rulebook.take(event)
        lines += rulebook.pass_slot(delivery.through_slot)
