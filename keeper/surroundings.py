"""What a keeper has of the machine it runs on, besides sockets: a disk, a clock, signals.

Shell. An operator's keeper has the machine's own; a keeper on a virtual clock has others that this clock can see.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import trio

from keeper.interrupt import obey_signals
from keeper.prices.unix_time import unix_ms
from state.store import Store, open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the keeper remembers, what time it is, and who may stop it."""

    open_store: Callable[[Path], AbstractAsyncContextManager[Store]] = open_store
    """The state at a path."""
    wall_ms: Callable[[], int] = unix_ms
    """Unix milliseconds. Durations are never measured by it."""
    obey_signals: Callable[[trio.Event, trio.Event], Awaitable[None]] = obey_signals
    """Sets its first argument, stop, when the keeper is to drain; the second says that work has begun."""
