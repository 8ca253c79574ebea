"""Does somebody else sign with our keys? Across machines no lock helps; the chain tells.

Every transaction that a payer signed and that no attempt of ours explains comes from another process: a second keeper that
bids for the same work, a person with a wallet, or whoever found the key. The keeper goes on, for each attempt of its own
still lands once, and says so.

Anybody can name a payer in transactions that he signs himself, as many as he pays for: what is listed is looked into from its
old end on, and what one round leaves waits for the next, so that no flood hides the first theft.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.tally import Tally
from programs.outage import Outage
from programs.rpc import AddressSignature, Rpc, RpcFailure
from programs.units import Slot
from state.progress import beat

_LISTED_MAX: Final = 1_000
"""Source: agave rpc, MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT."""
_PAGES_MAX: Final = 100
"""In one round: more than a hundred thousand transactions that name a payer between two looks are not all seen."""
_READ_MAX: Final = 32
"""Transactions looked into in one round for each payer: who pays us is no signer, so each has to be read."""
_TELL_AGAIN_S: Final = 60.0
log = structlog.get_logger()

Recorded = Callable[[Sequence[str]], Awaitable[frozenset[str]]]
"""Which of these signatures an attempt of ours has."""


@dataclass(slots=True)
class _History:
    """Transactions that name a payer, as far as they have been listed and looked into."""

    payer: Pubkey
    after_slot: Slot
    """Older ones are no news."""
    newest: Signature | None = None
    """Listed last."""
    unread: deque[AddressSignature] = field(default_factory=deque)
    """That are not ours, the oldest first."""

    async def list_new(self, rpc: Rpc, recorded: Recorded) -> None:
        """List what came since the last time.

        Raises:
            RpcFailure: no node could say; nothing is taken.
        """
        found, listed, before = list[AddressSignature](), list[AddressSignature](), None
        for _ in range(_PAGES_MAX):
            page = await rpc.get_signatures_for_address(
                self.payer, limit=_LISTED_MAX, before=before, until=self.newest
            )
            listed += page[:1]
            ours = await recorded([str(each.signature) for each in page])
            found += [
                each
                for each in page
                if str(each.signature) not in ours and each.slot > self.after_slot
            ]
            if len(page) < _LISTED_MAX or page[-1].slot <= self.after_slot:
                break
            before = page[-1].signature
        self.unread.extend(reversed(found))
        if listed:
            # A node that never saw the newest one, for a fork took it, lists beyond it.
            self.newest = listed[0].signature
            self.after_slot = max(self.after_slot, Slot(listed[0].slot - 1))

    async def look_into(self, rpc: Rpc, foreign: list[AddressSignature]) -> None:
        """Read the oldest few of those that are not ours; add what the payer signed.

        Raises:
            RpcFailure: no node could say; the rest waits.
        """
        for _ in range(min(_READ_MAX, len(self.unread))):
            if await _is_signed_by(rpc, self.payer, self.unread[0].signature):
                foreign.append(self.unread[0])
            self.unread.popleft()


async def watch_other_signers(
    rpc: Rpc,
    payers: Sequence[Pubkey],
    from_slot: Slot,
    recorded: Recorded,
    tally: Tally,
    interval_s: float,
) -> None:
    """Look through what every payer signed after `from_slot`, until cancelled; warn once a minute at most.

    Not what landed in that slot itself: it may be what founded the platform, a moment before the keeper started.
    """
    outage = Outage(subject="payer_history")
    histories = [_History(payer, from_slot) for payer in dict.fromkeys(payers)]
    told_s = -_TELL_AGAIN_S
    while True:
        beat()
        await trio.sleep(interval_s)
        foreign = list[AddressSignature]()
        try:
            for history in histories:
                await history.list_new(rpc, recorded)
                await history.look_into(rpc, foreign)
        except RpcFailure as failure:
            outage.note_failure(str(failure))
        else:
            outage.note_success()
        tally.foreign_signatures += len(foreign)
        if foreign and trio.current_time() >= told_s + _TELL_AGAIN_S:
            told_s = trio.current_time()
            log.warning(
                "payer.shared",
                reason=f"another process signs with this key: {foreign[0].signature}",
                slot=foreign[0].slot,
                in_all=tally.foreign_signatures,
            )


async def _is_signed_by(rpc: Rpc, payer: Pubkey, signature: Signature) -> bool:
    """Tell whether it was signed with a key, and does not merely name it."""
    facts = await rpc.get_transaction(signature)
    if facts is None or not facts.wire:
        return False
    message = VersionedTransaction.from_bytes(facts.wire).message
    return payer in message.account_keys[: message.header.num_required_signatures]
