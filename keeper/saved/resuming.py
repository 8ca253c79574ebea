"""Begin from a snapshot instead of a scan: the little is read, the many are proved, the doubtful are read again.

Shell. What comes out is a reading like a scan's, of which every row was on chain at its slot; only positions that were opened, or left
out as too many, since the snapshot are missing. So the scan that follows finds them, and corrects nothing.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog
import trio
from solders.hash import Hash
from solders.pubkey import Pubkey

from keeper.platform_state import Reading
from keeper.position_table import position_fault
from keeper.saved.files import Saved, check_same_platform, load
from keeper.saved.places import newest
from keeper.saved.proved import prove, with_read
from keeper.scan import read_without_positions
from programs.rpc import Rpc
from programs.units import Slot
from state.errors import StateError
from state.snapshots.piece import Origin

_DOUBTFUL_MAX: Final = 10_000
"""Read again, a hundred to a call; what is beyond that waits for the scan."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedStart:
    """Where a snapshot may be, and how old it may be."""

    folder: Path
    genesis_hash: str
    slots_max: int


async def resume(rpc: Rpc, program: Pubkey, start: SavedStart) -> Reading | None:
    """Return what a snapshot in the folder leads to; None, and a line in the log, where there is none to start from.

    Raises:
        RpcFailure: the cluster did not answer.
        PlatformMissingError: there is no platform.
    """
    saved = await _find(program, start)
    if saved is None:
        return None
    rest = await read_without_positions(rpc, program)
    age_slots = rest.markets_slot - saved.header.slot
    if age_slots > start.slots_max:
        _refuse(saved.path, f"it is {age_slots} slots old, at most {start.slots_max} were wanted")
        return None
    proved = await trio.to_thread.run_sync(prove, saved.accounts, rest.markets)
    doubtful = proved.doubtful[:_DOUBTFUL_MAX]
    read, slot = await _read_again(rpc, program, doubtful, rest.markets_slot)
    log.info(
        "snapshot.taken_in",
        path=str(saved.path),
        slot=saved.header.slot,
        age_slots=age_slots,
        positions=len(proved.unchanged.addresses) + len(read),
        positions_read=len(doubtful),
        positions_left=len(proved.doubtful) - len(doubtful),
        markets_changed=proved.markets_changed,
    )
    return replace(
        rest,
        positions=with_read(proved.unchanged, read),
        positions_slot=min(slot, rest.positions_slot),
    )


async def _find(program: Pubkey, start: SavedStart) -> Saved | None:
    """Load the newest snapshot of this platform, if it is one."""
    if not start.slots_max:
        return None
    genesis_hash = bytes(Hash.from_string(start.genesis_hash))
    path, refused = await trio.to_thread.run_sync(newest, start.folder, genesis_hash)
    for other, reason in refused.items():
        _refuse(other, reason)
    if path is None:
        return None
    origin = Origin(genesis_hash=genesis_hash, program=bytes(program), slot=0)
    try:
        saved = await trio.to_thread.run_sync(load, path)
        check_same_platform(path, saved.header, origin)
    except StateError as error:  # a start without a snapshot is only slower
        _refuse(path, str(error))
        return None
    return saved


async def _read_again(
    rpc: Rpc, program: Pubkey, addresses: tuple[bytes, ...], slot: Slot
) -> tuple[list[tuple[bytes, bytes]], Slot]:
    """Read accounts; return those that still are positions, and the oldest slot they were read at."""
    if not addresses:
        return [], slot
    keys = [Pubkey.from_bytes(each) for each in addresses]
    read = await rpc.get_multiple_accounts(keys, "processed")
    found = [
        (address, account.data)
        for address, account in zip(addresses, read.accounts, strict=True)
        if account is not None and account.owner == program and position_fault(account.data) is None
    ]
    return found, min(slot, read.slot)


def _refuse(path: Path, reason: str) -> None:
    log.warning("snapshot.refused", path=str(path), reason=reason)
