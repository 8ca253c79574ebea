"""Read all of the program's accounts at one slot: one call, so that sums and books are of the same moment.

Shell.
"""

from typing import Final

from solders.pubkey import Pubkey

from keeper.errors import ClusterError
from keeper.saved.accounts import Accounts, take_accounts
from programs.rpc import Commitment, Rpc
from state.snapshots.piece import Origin

COMMITMENT: Final[Commitment] = "finalized"
"""What is saved must never be taken back: a restart relies on it (docs/snapshots.md)."""


async def capture(rpc: Rpc, program: Pubkey) -> tuple[Origin, Accounts]:
    """Read everything the program owns.

    Raises:
        RpcFailure: the cluster did not answer.
        ClusterError: it left accounts out, or the program has none.
    """
    genesis_hash = bytes(await rpc.get_genesis_hash())
    found = await rpc.get_program_accounts(program, COMMITMENT)
    if found.skipped:
        raise ClusterError(
            f"{found.skipped} of {len(found.accounts) + found.skipped} accounts came without address or data: "
            "a snapshot has all of them or is none; ask another endpoint"
        )
    if not found.accounts:
        raise ClusterError(
            f"program {program} has no account that is finalized on this cluster: "
            "check program_id and the RPC endpoint, or wait for genesis to be final"
        )
    origin = Origin(genesis_hash=genesis_hash, program=bytes(program), slot=found.slot)
    return origin, take_accounts(found.accounts)
