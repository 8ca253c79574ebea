"""What a keeper has of the machine it runs on, besides sockets: a disk, a clock, signals, locks.

Shell. An operator's keeper has the machine's own; a keeper on a virtual clock has others that this clock can see.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import trio
from solders.pubkey import Pubkey

from keeper.interrupt import Orders, obey_signals
from keeper.payer_lock import hold_payers
from keeper.prices.unix_time import unix_ms
from state.process_figures import Process
from state.store import Store, open_store
from state.telling import Gather, tell_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the keeper remembers, what time it is, who may stop it, and who else keeps."""

    open_store: Callable[[Path], AbstractAsyncContextManager[Store]] = open_store
    """The state at a path."""
    wall_ms: Callable[[], int] = unix_ms
    """Unix milliseconds. Durations are never measured by it."""
    obey_signals: Callable[[Orders], Awaitable[None]] = obey_signals
    """Fills in the run's orders, until cancelled."""
    hold_payers: Callable[[str, Sequence[Pubkey]], AbstractContextManager[None]] = hold_payers
    """Keeps others from these payers on the cluster with this genesis hash."""
    tell_samples: Callable[[Path, Gather, Process, trio.Event], Awaitable[None]] = tell_samples
    """Tells the run's figures beside the state, until its end."""


async def tell_nobody(_path: Path, _gather: Gather, _process: Process, _over: trio.Event) -> None:
    """Tell no figures: nobody watches this run, or another keeper beside it is watched there."""
