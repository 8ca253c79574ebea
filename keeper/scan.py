"""Read the platform's accounts at one slot: what risk judges.

Shell. Four calls: positions and chains, then markets, then the two singletons. Positions come first, so that the prices
they are judged at are never older than they are; the program judges again when it executes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import trio
from solders.pubkey import Pubkey

from keeper.errors import ClusterError
from keeper.kinds import kind_filter
from keeper.platform_state import Filling, PlatformState, Reading
from keeper.position_table import PositionColumns
from keeper.snapshot import Snapshot, Unreadable
from programs.accounts import Global, MalformedAccountError, Vault
from programs.addresses import global_address, vault_address
from programs.layout import POSITION_BYTES, AccountKind
from programs.rpc import Account, Commitment, Rpc

_INLINE_MAX: Final = 20_000
"""Positions that are taken in on the loop, in some ten milliseconds; more of them on a thread."""


class PlatformMissingError(ClusterError):
    """The cluster has no initialized platform at this program id."""


async def scan(rpc: Rpc, program: Pubkey, commitment: Commitment = "processed") -> Snapshot:
    """Read the platform once.

    Raises:
        RpcFailure: the cluster did not answer.
        PlatformMissingError: there is no genesis or vault account, or it is of another layout.
    """
    state = PlatformState()
    reading = await read_platform(rpc, program, commitment)
    filling = state.begin(reading)
    assert filling is not None, "the first reading is older than none"
    await fill(filling)
    state.adopt(filling)
    return state.snapshot(reading.slot)


async def fill(filling: Filling) -> None:
    """Take in the positions of a scan, off the loop where there are many."""
    if len(filling) <= _INLINE_MAX:
        filling.run()
    else:
        await trio.to_thread.run_sync(filling.run)


async def read_platform(rpc: Rpc, program: Pubkey, commitment: Commitment = "processed") -> Reading:
    """Read every position, chain and market, the genesis parameters and the vault.

    Raises:
        RpcFailure: the cluster did not answer.
        PlatformMissingError: there is no genesis or vault account, or it is of another layout.
    """
    found = await rpc.get_program_rows(
        program, commitment, filters=[kind_filter(AccountKind.POSITION)], row_bytes=POSITION_BYTES
    )
    skipped = Counter(
        {Unreadable.WRONG_LENGTH: found.other_lengths, Unreadable.NO_ACCOUNT: found.skipped}
    )
    rest = await read_without_positions(rpc, program, commitment)
    return replace(
        rest,
        positions=PositionColumns(addresses=found.addresses, data=found.data),
        positions_slot=found.slot,
        skipped=+(skipped + rest.skipped),
    )


async def read_without_positions(
    rpc: Rpc, program: Pubkey, commitment: Commitment = "processed"
) -> Reading:
    """Read everything else, as a reading without any position of the slot of its markets.

    Raises:
        RpcFailure: the cluster did not answer.
        PlatformMissingError: there is no genesis or vault account, or it is of another layout.
    """
    opened = await rpc.get_program_accounts(
        program, commitment, filters=[kind_filter(AccountKind.CHAIN)]
    )
    listed = await rpc.get_program_accounts(
        program, commitment, filters=[kind_filter(AccountKind.MARKET)]
    )
    singletons = await rpc.get_multiple_accounts(
        [global_address(program)[0], vault_address(program)[0]], commitment
    )
    global_, vault = _singletons(program, singletons.accounts)
    return Reading(
        positions=PositionColumns.of([]),
        positions_slot=listed.slot,
        chains=opened.accounts,
        chains_slot=opened.slot,
        markets=listed.accounts,
        markets_slot=listed.slot,
        global_=(bytes(global_address(program)[0]), global_),
        vault=(bytes(vault_address(program)[0]), vault),
        singletons_slot=singletons.slot,
        skipped=+Counter({Unreadable.NO_ACCOUNT: opened.skipped + listed.skipped}),
    )


def _singletons(program: Pubkey, accounts: Sequence[Account | None]) -> tuple[bytes, bytes]:
    if any(account is None or account.owner != program for account in accounts):
        raise PlatformMissingError(
            f"program {program} has no genesis account on this cluster: "
            "check program_id and the RPC endpoint, or run genesis first"
        )
    first, second = (account.data for account in accounts if account is not None)
    try:
        Global.from_bytes(first)
        Vault.from_bytes(second)
    except MalformedAccountError as error:
        raise PlatformMissingError(
            f"program {program} holds another layout than this keeper reads: {error}"
        ) from error
    return first, second
