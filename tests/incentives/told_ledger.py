"""A small ledger on disk: what the rules make of a few trades."""

from incentives.ledger.encoding import Identity
from incentives.ledger.opened import open_ledger
from incentives.ledger.writer import Batch
from incentives.parameters import Parameters
from incentives.rules.rulebook import Rulebook
from tests.incentives.told_events import Telling

PROGRAM = "5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw"
MINT = "So11111111111111111111111111111111111111112"
GENESIS = "4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn"
PARAMETERS = Parameters(epoch_slots=1_000)


def told():
    """Three epochs of trades by three wallets."""
    telling = Telling(slot=1_000)
    yield telling.genesis()
    for number in range(30):
        telling.at(1_010 + number * 90)
        yield telling.opened(f"wallet {number % 3}", f"position {number}", (1 + number) * 10**8)


async def write_ledger(path):
    rulebook, lines = Rulebook(PARAMETERS), []
    for event in told():
        lines += rulebook.take(event)
    lines += rulebook.pass_slot(5_000)
    identity = Identity(genesis_hash=GENESIS, program=PROGRAM, mint=MINT)
    async with open_ledger(path, identity, PARAMETERS) as ledger:
        await ledger.commit(Batch(lines=lines, through_slot=5_000, series={0: 30}))
    return lines
