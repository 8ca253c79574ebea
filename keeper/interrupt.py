"""Signals: the first interrupt drains, a second one does not wait; SIGHUP rereads the settings.

SIGHUP has two meanings, as with every daemon that can also be run by hand. A terminal that closes sends it: then nobody sees
the keeper any more, and it drains. Anyone else who sends it wants keeper.toml read again. The two are told apart by
looking: the terminal that the keeper was started from is gone, or it is not. A service has none; under `nohup` the keeper
is meant to outlive its terminal. Both reread always.
"""

import os
import signal
from dataclasses import dataclass, field

import structlog
import trio

from keeper.errors import AbandonedError
from keeper.newest import Newest

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a run was told to do, by signals or by itself."""

    stop: trio.Event = field(default_factory=trio.Event)
    """Set by whoever ends the run: everything drains."""
    working: trio.Event = field(default_factory=trio.Event)
    """Set once what an earlier process left open is settled and new work begins."""
    faults: Newest[str] = field(default_factory=Newest)
    """Why the run ends, when it is for something that a person has to look into."""
    rereads: Newest[str] = field(default_factory=Newest)
    """Who asked, each time the settings are to be read again."""

    def end_because(self, fault: str) -> None:
        """Drain, and say why."""
        self.faults.publish(fault)
        self.stop.set()


async def obey_signals(orders: Orders) -> None:
    """Pass on what signals ask for, until cancelled.

    Raises:
        AbandonedError: an interrupt came before any work began, or after `stop`.
    """
    is_bound = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and has_terminal()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            name = signal.Signals(number).name
            if number == signal.SIGHUP and not (is_bound and not has_terminal()):
                orders.rereads.publish(name)
                continue
            if not orders.working.is_set():
                raise AbandonedError(
                    number,
                    f"stopped by {name} before any new work began; what an earlier run left open "
                    "is settled at the next start",
                )
            if not orders.stop.is_set():
                log.info("drain.started", signal=name)
                orders.stop.set()
            elif (
                number != signal.SIGHUP
            ):  # whose terminal closes while it drains has not lost patience
                raise AbandonedError(
                    number,
                    f"stopped by {name} without waiting for the transactions in flight; the next start settles them",
                )


def has_terminal() -> bool:
    """Tell whether this process has a controlling terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
