"""Does somebody else sign with our keys? Across machines no lock helps; the chain tells.

Every transaction that a payer signed and that no attempt of ours explains comes from another process: a second keeper that
bids for the same work, a person with a wallet, or whoever found the key. The keeper goes on, for each attempt of its own
still lands once, and says so.
"""

from collections.abc import Awaitable, Callable, Sequence
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
_READ_MAX: Final = 10
"""Transactions looked into in one round: who pays us is no signer, so each has to be read."""
_TELL_AGAIN_S: Final = 60.0
log = structlog.get_logger()

Recorded = Callable[[Sequence[str]], Awaitable[frozenset[str]]]
"""Which of these signatures an attempt of ours has."""


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
    seen: dict[Pubkey, Signature | None] = dict.fromkeys(payers)
    told_s = -_TELL_AGAIN_S
    while True:
        beat()
        await trio.sleep(interval_s)
        try:
            foreign = [
                each
                for payer in seen
                for each in await _foreign(rpc, payer, seen, from_slot, recorded)
            ]
        except RpcFailure as failure:
            outage.note_failure(str(failure))
            continue
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


async def _foreign(
    rpc: Rpc,
    payer: Pubkey,
    seen: dict[Pubkey, Signature | None],
    from_slot: Slot,
    recorded: Recorded,
) -> list[AddressSignature]:
    listed = await rpc.get_signatures_for_address(payer, limit=_LISTED_MAX, until=seen[payer])
    ours = await recorded([str(each.signature) for each in listed])
    strange = [each for each in listed if str(each.signature) not in ours and each.slot > from_slot]
    found = [
        each for each in strange[:_READ_MAX] if await _is_signed_by(rpc, payer, each.signature)
    ]
    if listed:
        seen[payer] = listed[0].signature
    return found


async def _is_signed_by(rpc: Rpc, payer: Pubkey, signature: Signature) -> bool:
    """Tell whether it was signed with a key, and does not merely name it."""
    facts = await rpc.get_transaction(signature)
    if facts is None or not facts.wire:
        return False
    message = VersionedTransaction.from_bytes(facts.wire).message
    return payer in message.account_keys[: message.header.num_required_signatures]
