"""What a drill takes of the machine it runs on: a wall clock, keys by chance, and a way to run a keeper.

Shell. Real sockets with the keeper as a process of its own; `virtual_machine.py` has the other.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import trio
from solders.keypair import Keypair

from keeper.drills.alarms import DrillMonitor
from keeper.drills.attempts import AttemptsRead, read_attempts
from keeper.drills.child import KeeperChild
from keeper.drills.model import Notice
from keeper.prices.unix_time import unix_ms

PLAY_TIMEOUT_S: Final = 120.0
"""Against hanging only: a scenario bounds its own waits."""
_GENESIS_BITS: Final = 63


class KeeperUnderDrill(Protocol):
    """One keeper, through all its lives in a drill."""

    @property
    def notices(self) -> Sequence[Notice]:
        """What an operator would have read."""
        ...

    @property
    def reports(self) -> Sequence[dict[str, Any]]:
        """What each life that ended in order said last."""
        ...

    @property
    def exit_status(self) -> int | None:
        """Of the last life; None while it lives, or when it was killed."""
        ...

    async def live(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run one life to its end; started once its feed runs."""
        ...

    async def kill(self) -> None:
        """End this life with -9."""
        ...

    async def end(self) -> None:
        """Interrupt, and wait for an orderly end."""
        ...


class MakeKeeper(Protocol):
    """How a keeper comes to be."""

    def __call__(self, *, config: Path, recording: Path, monitor: DrillMonitor) -> KeeperUnderDrill:
        """Return a keeper that is not alive yet; the monitor has the drill's own clock."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a drill is played."""

    wall_ms: Callable[[], int]
    """Unix milliseconds, for the venue, the chain and the keeper."""
    genesis_seed: int
    """Decides the chain."""
    keeper: Keypair
    """The keeper's key, the oracle authority."""
    make_keeper: MakeKeeper
    read_attempts: Callable[[Path], AttemptsRead]
    """What the keeper left in its state folder."""
    play_timeout_s: float
    is_virtual: bool


def real_machine() -> Machine:
    """Return this machine, with a new chain and a new key."""
    return Machine(
        wall_ms=unix_ms,
        genesis_seed=secrets.randbits(_GENESIS_BITS),
        keeper=Keypair(),
        make_keeper=KeeperChild,
        read_attempts=read_attempts,
        play_timeout_s=PLAY_TIMEOUT_S,
        is_virtual=False,
    )
