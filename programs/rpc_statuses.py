"""What became of transactions: recent statuses from anybody, and the ones that prove something from one node.

Shell.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from solders.signature import Signature

from programs.rpc import RpcBehind, SettledStatuses, SignatureStatus
from programs.rpc_pool import Pool
from programs.rpc_question import Question
from programs.rpc_reads import in_chunks, read, read_with
from programs.rpc_replies import read_epoch, read_number, read_slot, read_statuses
from programs.units import Slot

STATUSES_PER_CALL: Final = 256
"""Source: agave rpc-client-api/src/request.rs."""

Statuses = tuple[SignatureStatus | None, ...]


async def read_recent(pool: Pool, signatures: Sequence[Signature]) -> Statuses:
    """Read recent statuses, 256 to a call, in the order asked for."""

    async def one(chunk: Sequence[Signature]) -> Statuses:
        return await read(pool, _question(chunk, search_history=False))

    chunks = await in_chunks(one, signatures, STATUSES_PER_CALL)
    return tuple(status for chunk in chunks for status in chunk)


async def read_settled(pool: Pool, signatures: Sequence[Signature]) -> SettledStatuses:
    """Read the finalized height, how far back the ledger goes, and then statuses with all history, from one endpoint.

    One url may be many nodes, so slot and height are those of one reply, and statuses of a node that has not even seen
    that slot prove nothing and are refused.
    """

    async def ask(number: int) -> SettledStatuses:
        slot, height = await pool.ask(number, _EPOCH)
        first_slot = await pool.ask(number, _FIRST_BLOCK)

        def reaches(found: Any) -> None:  # noqa: ANN401 - JSON
            if (at := read_slot(found)) < slot:
                name = pool.endpoints[number].name
                raise RpcBehind(
                    f"getSignatureStatuses at {name}: slot {at}, the height is of slot {slot}"
                )

        async def one(chunk: Sequence[Signature]) -> Statuses:
            return await pool.ask(number, _question(chunk, search_history=True, look=reaches))

        chunks = await in_chunks(one, signatures, STATUSES_PER_CALL)
        return SettledStatuses(
            finalized_block_height=height,
            statuses=tuple(status for chunk in chunks for status in chunk),
            first_available_slot=first_slot,
        )

    calls = 2 + math.ceil(len(signatures) / STATUSES_PER_CALL)
    extra_s = calls * pool.settings.try_timeout_s
    return await read_with(pool, ask, kind="settled statuses", extra_s=extra_s, is_proof=True)


_EPOCH: Final = Question(
    method="getEpochInfo", params=({"commitment": "finalized"},), parse=read_epoch
)
_FIRST_BLOCK: Final = Question(
    method="getFirstAvailableBlock", parse=lambda found: Slot(read_number(found))
)


def _question(
    signatures: Sequence[Signature],
    *,
    search_history: bool,
    look: Callable[[Any], None] = lambda _: None,
) -> Question[Statuses]:
    names = [str(signature) for signature in signatures]

    def parse(found: Any) -> Statuses:  # noqa: ANN401 - JSON
        look(found)
        return read_statuses(found, len(names))

    return Question(
        method="getSignatureStatuses",
        params=(names, {"searchTransactionHistory": search_history}),
        # Source: agave rpc/src/rpc.rs, get_signature_statuses reads the processed bank.
        commitment="processed",
        parse=parse,
    )
