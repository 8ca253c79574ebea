"""A block with everything its transactions did, or the certainty that its slot has none.

Shell.
"""

from typing import Final

from programs.rpc import Block, Commitment, RpcBehind, RpcError
from programs.rpc_pool import Pool
from programs.rpc_question import Question
from programs.rpc_reads import read_with
from programs.rpc_replies import read_block
from programs.units import Slot

_SKIPPED: Final = frozenset({-32007, -32009})
"""A node's words for both "there is none" and "it is not here": only what every endpoint says alike is believed.
Source: agave rpc-client-api/src/custom_error.rs, SLOT_SKIPPED and LONG_TERM_STORAGE_SLOT_SKIPPED."""
_OPTIONS: Final = {
    # A node of today, asked for accounts only, leaves out the logs: agave transaction-status, build_simple.
    "transactionDetails": "full",
    "encoding": "base64",
    "maxSupportedTransactionVersion": 1,
    "rewards": False,
}


async def read_one_block(pool: Pool, slot: Slot, commitment: Commitment) -> Block | None:
    """Read a block; None if every endpoint that can be asked says its slot was skipped.

    Raises:
        RpcError: nobody has the block any more.
        RpcFailure: nobody answered, or the block has not reached the commitment.
    """

    def parse(found: object) -> Block:
        if found is None:
            # What a node answers that has the slot but has not seen the commitment's votes for it.
            raise RpcBehind(f"getBlock: slot {slot} is not {commitment} there yet")
        return read_block(found, slot)

    question = Question(
        method="getBlock",
        params=(slot, _OPTIONS | {"commitment": commitment}),
        commitment=commitment,
        parse=parse,
        timeout_s=pool.settings.scan_timeout_s,
    )
    skipped: set[int] = set()

    async def ask(number: int) -> Block | None:
        try:
            return await pool.ask(number, question)
        except RpcError as error:
            if error.code not in _SKIPPED:
                raise
            skipped.add(number)
            if skipped.issuperset(pool.book.ready()):
                return None
            raise

    return await read_with(pool, ask, kind=question.method, extra_s=pool.settings.scan_timeout_s)
