"""Scan the chain at a steady pace and publish the newest snapshot."""

from collections import Counter

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.newest import Newest
from keeper.scan import PlatformMissingError, scan
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
    due_s = trio.current_time()
    while True:
        try:
            snapshot = await scan(rpc, program, previous=chain.get())
        except RpcFailure as failure:
            tally.refusals["scan.unanswered"] += 1
            outage.note_failure(str(failure))
        except PlatformMissingError as missing:
            # A node that lags behind its own answers; a platform that is really gone shows at the next start.
            tally.refusals["scan.platform_missing"] += 1
            outage.note_failure(str(missing))
        else:
            outage.note_success()
            if (newest := chain.get()) is not None and snapshot.slot < newest.slot:
                # Another node answered, which lags: the state would go back in time.
                tally.refusals["scan.older_than_the_last"] += 1
                log.warning("scan.refused", slot=snapshot.slot, newest_slot=newest.slot)
            else:
                chain.publish(snapshot)
                _note(tally, snapshot)
        due_s = max(due_s + interval_s, trio.current_time())
        await trio.sleep_until(due_s)


def _note(tally: Tally, snapshot: Snapshot) -> None:
    tally.scans += 1
    tally.scan_slot = snapshot.slot
    tally.positions_now = len(snapshot.positions)
    tally.positions_scanned += len(snapshot.positions)
    if snapshot.skipped != tally.accounts_skipped:  # told when it changes, not at every scan
        log.warning(
            "accounts.skipped", **{str(why): count for why, count in snapshot.skipped.items()}
        )
        tally.accounts_skipped = Counter(snapshot.skipped)
