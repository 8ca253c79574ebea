"""What an instruction whose events nobody can read does to what is owed.

Core. Whatever its data says for certain counts as if it had been told: what was closed, redeemed, removed, resolved, posted or
paid. Nobody gains by what is not known: what was opened or added so earns nothing, and a trade number that it took is used up.
Nobody loses by what a stranger did: where it is open what a liquidation took, the positions of others stand. An owner who
liquidates positions of their own so loses what they wait for. Each is recorded as an anomaly.

Source: docs/incentives.md, "Cut logs".
"""

from collections.abc import Callable, Iterator
from typing import Final

from incentives.lines import Anomaly, BoostedTrade, Line
from incentives.roots import RootPlace
from incentives.rules.accounts import name_of
from incentives.rules.making import Making
from incentives.rules.paying import Paying
from incentives.rules.running import Running
from incentives.rules.trading import Trading
from incentives.sourced import SourcedEvent
from incentives.unread import NUMBERED_NOTIONAL, Unread
from programs.instructions.tags import Tag


class Unseen:
    """The one who takes unread instructions."""

    __slots__ = ("_does", "_making", "_paying", "_running", "_trading")

    def __init__(self, running: Running, trading: Trading, making: Making, paying: Paying) -> None:
        self._running = running
        self._trading = trading
        self._making = making
        self._paying = paying
        self._does: dict[Tag, Callable[[Unread, SourcedEvent], Iterator[Line]]] = {
            Tag.OPEN_POSITION: self._open,
            Tag.CLOSE_POSITION: trading.close_unread,
            Tag.REDEEM: trading.redeem_unread,
            Tag.LIQUIDATE: trading.liquidate_unread,
            Tag.REMOVE_LIQUIDITY: making.remove_unread,
            Tag.CANCEL_CHAIN: making.cancel_unread,
            Tag.EXECUTE_CHAIN: self._step,
            Tag.RESOLVE_MARKET: self._resolve,
            Tag.POST_EPOCH: self._post,
            Tag.PAY_REWARDS: self._pay,
        }

    def take(self, event: SourcedEvent) -> Iterator[Line]:
        """Take an unread instruction."""
        unread, slot = Unread.from_payload(event.payload), event.place.slot
        reason = (
            f"nobody can read what {unread.tag.name} told, for the logs of its transaction are cut"
        )
        yield Anomaly("unread_instruction", event.source_id, slot, f"{reason}{_of_whom(unread)}")
        if does := self._does.get(unread.tag):
            yield from does(unread, event)

    def _open(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        """Use up the number that the open took: it earns nothing, whatever is held of it."""
        slot = event.place.slot
        if unread.amount < NUMBERED_NOTIONAL:
            return
        number = self._running.bootstrap.take_unread(slot)
        _, rules = self._running.rules_at(slot)
        if 1 <= number <= rules.boosted_trades:
            wallet = name_of(unread.signer)
            yield BoostedTrade(number, event.source_id, wallet, slot, is_voided=True)

    def _step(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        """Note that a chain's steps may have taken a trade number."""
        self._making.attribute(event, unread.account)
        self._running.bootstrap.doubt()
        yield from ()

    def _resolve(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        yield from self._making.resolve_market(unread.series, event.place.slot)

    def _post(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        yield from self._paying.post_root(event, RootPlace(*unread.root_place), *unread.posted)

    def _pay(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        """Take what was paid: the program pays a leaf to its own wallet only, which the tree says."""
        place = RootPlace(*unread.root_place)
        owed = self._paying.book.find(place)
        wallets = [] if owed is None else owed.wallets
        leaves = [
            (leaf, wallets[leaf] if leaf < len(wallets) else tokens, amount)
            for leaf, tokens, amount in unread.leaves
        ]
        yield from self._paying.pay_leaves(event, place, leaves)


def _of_whom(unread: Unread) -> str:
    return f"; signed by {name_of(unread.signer)}" if unread.tag not in _UNSIGNED else ""


_UNSIGNED: Final = (Tag.PAY_REWARDS, Tag.SWEEP_FEES)
"""Their first account is nobody's."""
