"""What a season would have owed under other rules: its recorded events, folded again.

Core. Roots posted and payouts are left out: they followed from the rules that were in force, and under others nobody would owe
what they paid.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from incentives.lines import Code, EpochClose, Line, Transfer
from incentives.parameters import Parameters
from incentives.rules.payloads import kind_of
from incentives.rules.rulebook import Rulebook
from incentives.sourced import SourcedEvent
from incentives.unread import UNREAD_KIND, Unread
from programs.event_layout import EventKind
from programs.instructions.tags import Tag

_SETTLEMENT = frozenset({EventKind.EPOCH_POSTED, EventKind.REWARDS_PAID})
_UNREAD_SETTLEMENT = frozenset({Tag.POST_EPOCH, Tag.PAY_REWARDS})


@dataclass(slots=True)
class Outcome:
    """What closed epochs owe; MMT base units."""

    by_wallet: Counter[str] = field(default_factory=Counter)
    by_epoch: dict[int, int] = field(default_factory=dict)
    by_code: Counter[Code] = field(default_factory=Counter)
    """Transfers of each code, in epochs closed or not."""
    emitted: int = 0
    scaled_epochs: int = 0

    @property
    def allocated(self) -> int:
        """All that is owed."""
        return self.by_wallet.total()


def simulate(events: Iterable[SourcedEvent], through_slot: int, parameters: Parameters) -> Outcome:
    """Fold events under some parameters, and sum up what the closed epochs owe.

    Args:
        events: from genesis on, in order.
        through_slot: up to which they are known; decides which epochs are closed.

    Raises:
        RulebookError: they are no history of a season.
    """
    outcome = Outcome()
    for line in _lines(Rulebook(parameters), events, through_slot):
        if isinstance(line, Transfer):
            outcome.by_code[line.code] += line.amount
        elif isinstance(line, EpochClose):
            outcome.emitted += line.emitted
            outcome.scaled_epochs += line.is_scaled
            outcome.by_epoch[line.epoch] = sum(each.amount for each in line.allocations)
            for each in line.allocations:
                outcome.by_wallet[each.wallet] += each.amount
    return outcome


def _lines(rulebook: Rulebook, events: Iterable[SourcedEvent], through_slot: int) -> Iterator[Line]:
    for event in events:
        if not _is_settlement(event.payload):
            yield from rulebook.take(event)
    yield from rulebook.pass_slot(through_slot)


def _is_settlement(payload: bytes) -> bool:
    kind = kind_of(payload)
    return kind in _SETTLEMENT or (
        kind == UNREAD_KIND and Unread.from_payload(payload).tag in _UNREAD_SETTLEMENT
    )
