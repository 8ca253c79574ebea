"""Lines of small histories, and questions about them."""

from solders.pubkey import Pubkey

from incentives.lines import EpochClose, Transfer
from incentives.parameters import Parameters
from incentives.roots import roots_of
from incentives.rules.rulebook import Rulebook
from tests.incentives.told_events import address

MMT = 10**9
USD = 10**6
SMALL = Parameters(epoch_slots=100, dwell_slots=10)


def name(wallet):
    return str(Pubkey.from_bytes(address(wallet)))


def fold(events, to=None, parameters=SMALL):
    rulebook = Rulebook(parameters)
    lines = [line for event in events for line in rulebook.take(event)]
    if to is not None:
        lines += rulebook.pass_slot(to)
    return lines


def found(lines, *codes):
    return [line for line in lines if isinstance(line, Transfer) and line.code in codes]


def amounts(lines, *codes):
    return [line.amount for line in found(lines, *codes)]


def of_type(lines, kind):
    return [line for line in lines if isinstance(line, kind)]


def begun(told):
    """Genesis, and a hundred trades of one wallet: the bootstrap is over."""
    yield told.genesis()
    for i in range(100):
        yield told.opened("early", f"early {i}", notional=100 * USD)


def posting(lines, told, epoch=0, parameters=SMALL):
    """The events that post the root of a closed epoch, and pay its leaves."""
    [close] = [line for line in of_type(lines, EpochClose) if line.epoch == epoch]
    [tree] = roots_of(close, parameters.epoch_slots)
    place, leaves = (tree.epoch, tree.index), tree.rewards
    posted = told.posted(*place, tree.root, len(leaves), tree.total)
    paid = told.paid(
        *place, [(i, bytes(leaf.wallet), leaf.amount) for i, leaf in enumerate(leaves)]
    )
    return posted, paid
