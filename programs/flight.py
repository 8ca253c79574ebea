"""One attempt on its way, and those who wait for its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import trio
from solders.signature import Signature

from programs.attempt_log import StoredJob
from programs.outcomes import Expired, Failed, Outcome
from programs.rpc import SignatureStatus
from programs.units import BlockHeight, Lamports, Slot

_FACTS_TRIES_MAX: Final = 6
"""One at its end, then one at each look until it is finalized."""

TellBlock = Callable[[Slot | None], None]
"""Hears, whenever it changes, in which slot's block a node shows an attempt, at whatever commitment and without an error; None:
in none any more. Must not block."""


def ignore_block(_slot: Slot | None) -> None:
    """Wait for the end alone."""


@dataclass(slots=True, eq=False, kw_only=True)
class Flight:
    """One attempt on its way."""

    lane: str
    jobs: Sequence[StoredJob]
    signature: Signature
    wire: bytes
    last_valid_block_height: BlockHeight
    created_slot: Slot
    fee_bid_lamports: Lamports
    tell_block: TellBlock = field(default=ignore_block, repr=False)
    is_inherited: bool = False
    """Whether an earlier process signed it: nobody waits for its facts."""
    outcome: Outcome | None = None
    """What has been recorded of it."""
    is_visible: bool = False
    """Whether a node knew it at the last look: then it needs no resending."""
    block_slot: Slot | None = None
    """What `tell_block` heard last: planned with, never recorded."""
    is_as_recorded: bool = False
    """Whether it was then in the very block that is recorded, confirmed at least."""
    was_looked_at: bool = False
    is_forgotten: bool = False
    """Finalized: nothing can change it."""
    is_queued: bool = False
    is_sending: bool = False
    was_sent: bool = False
    is_spent: bool = False
    """Whether its blockhash has expired, as a node saw it: no leader takes it any more, its end is only waited for."""
    is_superseded: bool = False
    """Whether one of its jobs has been signed anew since it ended."""
    is_hopeless: bool = False
    """Whether every endpoint refused it for a reason that time does not cure."""
    refusal: str | None = None
    history_again_s: float = -float("inf")
    """Before then no node's history is searched for it again."""
    is_unprovable: bool = False
    """Whether it can no longer land, and no node's history reaches far enough back to prove that it has not."""
    has_facts: bool = False
    is_learning: bool = False
    facts_tries: int = 0
    is_told: bool = False
    """Whether those who wait may go on: its end is recorded, and its facts are known or late."""
    _news: trio.Event | None = field(default=None, repr=False)

    @property
    def needs_sending(self) -> bool:
        """Whether its bytes may still have to go out; also of an end that a fork undid, failures too.

        A failure that no block holds any more could land as long as its blockhash lives: in a block it is over sooner. Not
        when its job was signed anew before that was seen: the newer one is to do the work.
        """
        has_heir = self.is_superseded and isinstance(self.outcome, Failed)
        return not (self.is_visible or self.is_spent or self.is_forgotten or has_heir)

    @property
    def is_undone_failure(self) -> bool:
        """Whether it failed in a block that no node shows any more: as good as on its way."""
        return isinstance(self.outcome, Failed) and not (self.is_visible or self.is_forgotten)

    @property
    def lacks_facts(self) -> bool:
        """Whether a node should be asked what it used."""
        return (
            not (self.has_facts or self.is_learning or self.is_inherited)
            and self.outcome is not None
            and not isinstance(self.outcome, Expired)
            and self.facts_tries < _FACTS_TRIES_MAX
        )

    def note_status(self, status: SignatureStatus | None) -> None:
        """Take in what a node shows of it now."""
        self.is_visible = status is not None
        slot = None if status is None or status.err is not None else status.slot
        if slot != self.block_slot:
            self.block_slot = slot
            self.tell_block(slot)

    async def wait_ended(self, until: Literal["confirmed", "finalized"]) -> Outcome:
        """Wait until the chain has said how it ended, and as firmly as asked."""
        while True:
            outcome = self.outcome
            is_firm = outcome is not None and (until == "confirmed" or outcome.is_finalized)
            if outcome is not None and is_firm and self.is_told:
                break
            if self._news is None:
                self._news = trio.Event()
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        return outcome

    def tell(self) -> None:
        """Wake whoever waits."""
        self.is_told = True
        if self._news is not None:
            self._news.set()
            self._news = None
