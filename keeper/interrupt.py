"""Signals: the first one drains, a second one does not wait.

A closed terminal (SIGHUP) counts like Ctrl-C, unless the keeper was started to outlive it (`nohup`).
"""

import signal

import structlog
import trio

from keeper.errors import AbandonedError

log = structlog.get_logger()


async def obey_signals(stop: trio.Event, working: trio.Event) -> None:
    """Set `stop` at the first signal that comes while `working` is set; go on until cancelled.

    Raises:
        AbandonedError: a signal came before any work began, or after `stop`.
    """
    heeded = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heeded.append(signal.SIGHUP)
    with trio.open_signal_receiver(*heeded) as signals:
        async for number in signals:
            name = signal.Signals(number).name
            if not working.is_set():
                raise AbandonedError(
                    number,
                    f"stopped by {name} before any new work began; what an earlier run left open "
                    "is settled at the next start",
                )
            if stop.is_set():
                raise AbandonedError(
                    number,
                    f"stopped by {name} without waiting for the transactions in flight; the next start settles them",
                )
            log.info("drain.started", signal=name)
            stop.set()
