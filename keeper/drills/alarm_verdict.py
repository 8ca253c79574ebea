"""Whether the right people were woken: the alerts that went off in a drill against those that its scenario states.

Core. A rule that fires where nobody has to do anything teaches people to sleep through it, so what a scenario does not name
is a failure, and so is an alert that goes off before anything is broken or never ends.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from keeper.drills.model import Alarm, Phase, PhaseName, Verdict

OF_THE_MACHINE: Final = frozenset(
    {"event_loop_late", "commits_slow", "disk_low", "disk_full", "task_stuck"}
)
"""Rules that a busy or full machine sets off for real, whatever the script does. On the virtual clock it has no part in them."""


def alarm_verdict(
    expected: frozenset[str],
    alarms: Sequence[Alarm],
    phases: Sequence[Phase],
    *,
    is_virtual: bool,
) -> Verdict:
    """Give the verdict on who was woken.

    Where a drill is at home on the virtual clock exactly the stated rules go off, none of them before the fault, and all are
    over once the world has been quiet. On real sockets a script ends before alerts can be over, and a slow machine may spare
    one: there nothing else goes off.
    """
    fault_s = next(phase.starts_s for phase in phases if phase.name is PhaseName.DURING)
    allowed = expected if is_virtual else expected | OF_THE_MACHINE
    wrong = [
        *(f"{each.rule} went off" for each in alarms if each.rule not in allowed),
        *(
            f"{each.rule} before the fault"
            for each in alarms
            if each.fired_s < fault_s and each.rule in expected
        ),
    ]
    if is_virtual:
        fired = {each.rule for each in alarms}
        wrong += [f"{rule} did not go off" for rule in sorted(expected - fired)]
        wrong += [f"{each.rule} never ended" for each in alarms if each.resolved_s is None]
    return Verdict(
        phase=PhaseName.AFTER,
        expected=f"people are told of {_listed(sorted(expected))}",
        seen=_listed(dict.fromkeys(wrong)) if wrong else _times(alarms),
        passed=not wrong,
    )


def _times(alarms: Sequence[Alarm]) -> str:
    return _listed(
        f"{each.rule} from {each.fired_s:.0f} s"
        + ("" if each.resolved_s is None else f" to {each.resolved_s:.0f} s")
        for each in alarms
    )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "nothing"
