"""Sign and send as anyone would: bytes to an RPC endpoint, then ask what became of them.

Shell. The actors' convenience, not the keeper's: nothing is persisted, and a transaction that does not land is
forgotten.
"""

from collections.abc import Sequence
from typing import Final

import trio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.signature import Signature

from keeper.errors import SandboxError
from programs.errors import describe
from programs.rpc import LatestBlockhash, Rpc
from programs.transaction import Budget, compile_message, sign
from programs.units import ComputeUnits, MicroLamports

LAND_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.005
_LOADED_BYTES: Final = 4 << 20
_CU_MAX: Final = ComputeUnits(1_400_000)


async def post(
    rpc: Rpc,
    latest: LatestBlockhash,
    instructions: Sequence[Instruction],
    signers: Sequence[Keypair],
    *,
    cu: ComputeUnits = _CU_MAX,
) -> Signature:
    """Sign with a blockhash and send; the first signer pays.

    Raises:
        RpcFailure: no endpoint took it.
    """
    budget = Budget(
        cu_limit=cu, cu_price_micro_lamports=MicroLamports(0), loaded_bytes=_LOADED_BYTES
    )
    message = compile_message(signers[0].pubkey(), instructions, budget, latest.blockhash)
    signed = sign(message, signers)
    await rpc.send_transaction(signed.wire)
    return signed.signature


async def land(rpc: Rpc, instructions: Sequence[Instruction], signers: Sequence[Keypair]) -> None:
    """Send, and wait until it is processed.

    Raises:
        RpcFailure: the network did not answer.
        SandboxError: the program refused, or it never landed.
    """
    signature = await post(rpc, await rpc.get_latest_blockhash("processed"), instructions, signers)
    with trio.move_on_after(LAND_TIMEOUT_S):
        while True:
            (status,) = await rpc.get_signature_statuses([signature])
            if status is None:
                await trio.sleep(_POLL_S)
            elif status.err is None:
                return
            else:
                raise SandboxError(f"the sandbox's set-up was refused: {refusal_of(status.err)}")
    raise SandboxError(
        f"a transaction of the sandbox's set-up did not land within {LAND_TIMEOUT_S:g} s: "
        "the machine is too busy, or slot_ms too short"
    )


def refusal_of(err: object) -> str:
    """Say what refused a transaction: the program's words where it was the program."""
    match err:
        case {"InstructionError": [_, {"Custom": int(code)}]}:
            return describe(code)
        case _:
            return str(err)
