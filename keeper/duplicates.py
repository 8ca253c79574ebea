"""Did any effect land twice? Looked up in the database now and then, for it must never be.

Shell. What was final at the last look is not read again.
"""

from functools import partial
from typing import Final

import structlog
import trio

from keeper.tally import Tally
from state.attempts import Attempts
from state.duplicates import duplicates_between
from state.progress import beat
from state.store import Store

INTERVAL_S: Final = 30.0
log = structlog.get_logger()


async def watch_duplicates(store: Store, tally: Tally) -> None:
    """Count landings beyond the first of one effect, from now on, until cancelled."""
    attempts = Attempts(store)
    firm_id, firm = await attempts.final_up_to(), 0
    while True:
        beat()
        await trio.sleep(INTERVAL_S)
        final_id = await attempts.final_up_to()
        firm += await store.read(partial(duplicates_between, after_id=firm_id, up_to_id=final_id))
        firm_id = final_id
        found = firm + await store.read(partial(duplicates_between, after_id=firm_id))
        if found > tally.duplicates:
            log.error("effect.landed_twice", in_all=found)
        tally.duplicates = found
