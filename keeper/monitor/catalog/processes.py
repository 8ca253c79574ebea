"""Rules about the processes themselves: services, tasks, loops, disks, and the delivery of alerts.

Core.
"""

from typing import Final

from keeper.monitor.expressions import figure, increase, mean
from keeper.monitor.level import Level
from keeper.monitor.rule import Rule
from state import metrics as m

_MIB: Final = 1024 * 1024


def rules(_slot_s: float) -> tuple[Rule, ...]:
    """Return the rules."""
    age = figure(m.TASK_AGE)
    free = figure(m.DISK_FREE_BYTES) / _MIB
    return (
        Rule(  # Source: SPEC section 6, keeper failure
            name="service_failed",
            level=Level.EMERGENCY,
            expression=figure(m.SERVICE_FAILED) > 0,
            keep_s=5.0,
            summary="{service} fell silent without saying that it stops: it was killed, it crashed or it hangs",
            already_did="nothing can: what was signed is in the database, and the next start settles it before anything else",
        ),
        Rule(  # Source: SPEC section 6, keeper failure
            name="task_ended",
            level=Level.EMERGENCY,
            expression=figure(m.TASK_RUNNING) < 1,
            for_s=2.0,
            keep_s=5.0,
            summary="task {task} of {service} has ended while the rest goes on",
            already_did="goes on without it, and does not do what that task did",
        ),
        Rule(
            name="task_stuck",
            level=Level.CRITICAL,
            expression=age > figure(m.TASK_AGE_MAX),
            for_s=2.0,
            keep_s=30.0,
            summary="task {task} of {service} has not moved for {value:.1f} s, longer than it may take",
            already_did="goes on with the other tasks; each call has a deadline of its own",
        ),
        Rule(
            name="event_loop_late",
            level=Level.WARNING,
            expression=figure(m.LOOP_LAG) > 1.0,
            for_s=5.0,
            summary="the event loop of {service} was {value:.2f} s late: everything it does is",
            already_did="nothing is dropped: work waits for its turn",
        ),
        Rule(
            name="commits_slow",
            level=Level.WARNING,
            expression=1000 * mean(m.COMMIT, 60.0) > 50,
            for_s=30.0,
            summary="a commit of {service} takes {value:.0f} ms in the mean of a minute",
            already_did="shares one commit among all that waits; nothing is sent before it is written down",
        ),
        Rule(
            name="disk_low",
            level=Level.WARNING,
            expression=free < 1024,
            for_s=30.0,
            summary="the disk of {service} has {value:.0f} MiB left",
            already_did="goes on; when nothing can be written it sends nothing",
        ),
        Rule(
            name="disk_full",
            level=Level.CRITICAL,
            expression=free < 256,
            for_s=5.0,
            summary="the disk of {service} has {value:.0f} MiB left: soon nothing can be written, and so nothing sent",
            already_did="goes on as long as it can write; then it sends nothing and says so",
        ),
        Rule(
            name="alerts_undelivered",
            level=Level.WARNING,
            expression=increase(m.SINK_FAILURES, 300.0).when(figure(m.SINK_QUEUED) > 0) > 0,
            for_s=60.0,
            keep_s=300.0,
            summary="sink {sink} takes no notices: {value:.0f} failures within 5 minutes",
            already_did="keeps every notice and tries again, ever more slowly; the other sinks are told",
        ),
    )
