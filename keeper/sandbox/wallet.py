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
_DEEDS_AT_ONCE: Final = 64
"""Sent with one blockhash, which 150 slots later no longer serves."""
_LOADED_BYTES: Final = 4 << 20
_CU_MAX: Final = ComputeUnits(1_400_000)
_FREE: Final = MicroLamports(0)

Deed = tuple[Sequence[Instruction], Sequence[Keypair]]
"""The instructions and signers of one transaction; the first signer pays."""


async def post(
    rpc: Rpc,
    latest: LatestBlockhash,
    instructions: Sequence[Instruction],
    signers: Sequence[Keypair],
    *,
    cu: ComputeUnits = _CU_MAX,
    cu_price: MicroLamports = _FREE,
) -> Signature:
    """Sign with a blockhash and send; the first signer pays.

    Raises:
        RpcFailure: no endpoint took it.
    """
    budget = Budget(cu_limit=cu, cu_price_micro_lamports=cu_price, loaded_bytes=_LOADED_BYTES)
    message = compile_message(signers[0].pubkey(), instructions, budget, latest.blockhash)
    signed = sign(message, signers)
    await rpc.send_transaction(signed.wire)
    return signed.signature


async def land_all(rpc: Rpc, deeds: Sequence[Deed]) -> None:
    """Send transactions, in no order, and wait until all are processed.

    Raises:
        RpcFailure: the network did not answer.
        SandboxError: the program refused one, or one never landed.
    """
    for at in range(0, len(deeds), _DEEDS_AT_ONCE):
        latest = await rpc.get_latest_blockhash("processed")
        signatures: list[Signature] = []
        async with trio.open_nursery() as nursery:
            for deed in deeds[at : at + _DEEDS_AT_ONCE]:
                nursery.start_soon(_post_into, rpc, latest, deed, signatures)
        await _wait_processed(rpc, signatures)


async def _post_into(
    rpc: Rpc, latest: LatestBlockhash, deed: Deed, signatures: list[Signature]
) -> None:
    signatures.append(await post(rpc, latest, *deed))


async def _wait_processed(rpc: Rpc, signatures: Sequence[Signature]) -> None:
    with trio.move_on_after(LAND_TIMEOUT_S):
        while True:
            statuses = await rpc.get_signature_statuses(signatures)
            refused = [status.err for status in statuses if status is not None and status.err]
            if refused:
                raise SandboxError(f"the sandbox's set-up was refused: {refusal_of(refused[0])}")
            if all(statuses):
                return
            await trio.sleep(_POLL_S)
    raise SandboxError(
        f"a transaction of the sandbox's set-up did not land within {LAND_TIMEOUT_S:g} s: "
        "the machine is too busy, or slot_ms too short"
    )


async def wait_confirmed(rpc: Rpc) -> None:
    """Wait until all that is processed now is confirmed: what a keeper reads at its start.

    Raises:
        RpcFailure: the network did not answer.
        SandboxError: its slots do not advance.
    """
    wanted = await rpc.get_slot("processed")
    with trio.move_on_after(LAND_TIMEOUT_S):
        while True:
            if await rpc.get_slot("confirmed") >= wanted:
                return
            await trio.sleep(_POLL_S)
    raise SandboxError(f"slot {wanted} was not confirmed within {LAND_TIMEOUT_S:g} s")


def refusal_of(err: object) -> str:
    """Say what refused a transaction: the program's words where it was the program."""
    match err:
        case {"InstructionError": [_, {"Custom": int(code)}]}:
            return describe(code)
        case _:
            return str(err)
