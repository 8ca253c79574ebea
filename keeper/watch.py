"""Scan the chain at a steady pace and publish the newest snapshot."""

from collections import Counter

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.newest import Newest
from keeper.platform_state import PlatformState
from keeper.scan import PlatformMissingError, fill, read_platform
from keeper.snapshot import Snapshot
from keeper.tally import Tally
from programs.outage import Outage
from programs.rpc import Rpc, RpcFailure

log = structlog.get_logger()


async def watch_chain(
    rpc: Rpc, program: Pubkey, tally: Tally, interval_s: float, chain: Newest[Snapshot]
) -> None:
    """Scan until cancelled; a scan that fails is logged and tried again at the next interval."""
    outage = Outage(subject="scan")
    state = PlatformState()
    due_s = trio.current_time()
    while True:
        try:
            reading = await read_platform(rpc, program)
        except RpcFailure as failure:
            tally.refusals["scan.unanswered"] += 1
            outage.note_failure(str(failure))
        except PlatformMissingError as missing:
            # A node that lags behind its own answers; a platform that is really gone shows at the next start.
            tally.refusals["scan.platform_missing"] += 1
            outage.note_failure(str(missing))
        else:
            outage.note_success()
            filling = state.begin(reading)
            if filling is None:
                # Another node answered, which lags: the state would go back in time.
                tally.refusals["scan.older_than_the_last"] += 1
                log.warning("scan.refused", slot=reading.slot, newest_slot=state.scan_slot)
            else:
                await fill(filling)
                state.adopt(filling)
                chain.publish(state.snapshot(reading.slot))
                _note(tally, state, reading.slot)
        due_s = max(due_s + interval_s, trio.current_time())
        await trio.sleep_until(due_s)


def _note(tally: Tally, state: PlatformState, slot: int) -> None:
    tally.scans += 1
    tally.scan_slot = slot
    tally.positions_now = state.positions
    tally.positions_scanned += state.positions
    if state.skipped != tally.accounts_skipped:  # told when it changes, not at every scan
        log.warning("accounts.skipped", **{str(why): count for why, count in state.skipped.items()})
        tally.accounts_skipped = Counter(state.skipped)
