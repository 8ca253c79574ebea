"""Remove every guard in turn and see that a drill notices: `python -m bench.guards [WORD ...]`, those whose name has a word.

Prints a table and exits 0 only when every drill passes with all guards in place and fails without its guard.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.guards.guard import Guard
from bench.guards.table import GUARDS
from bench.guards.trial import Trial, try_guard, try_whole

_AT_ONCE = 2
"""A drill on the virtual clock takes one core."""


def main(words: Sequence[str]) -> int:
    """Try the guards named, or all; return the exit status."""
    guards = [one for one in GUARDS if not words or any(word in one.name for word in words)]
    if not guards:
        print(f"no guard has any of these in its name: {', '.join(words)}")
        return 2
    drills = list(dict.fromkeys(drill for guard in guards for drill in guard.drills))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        whole = list(pool.map(_told_whole, drills))
        trials = list(pool.map(_told, guards))
    failing = [trial for trial in whole if trial.is_caught]
    survivors = [trial for trial in trials if not trial.is_caught]
    print()
    print(_table(trials))
    for trial in failing:
        print(f"{trial.drill} fails with every guard in place: {trial.missed}")
    print(f"{len(trials) - len(survivors)} of {len(trials)} guards are missed by a drill")
    return 1 if failing or survivors else 0


def _told_whole(drill: str) -> Trial:
    trial = try_whole(drill)
    print(f"whole     {drill}: {trial.missed or 'passed'}", flush=True)
    return trial


def _told(guard: Guard) -> Trial:
    trial = try_guard(guard)
    print(f"{'caught' if trial.is_caught else 'SURVIVED':<9} {guard.name}", flush=True)
    return trial


def _table(trials: Sequence[Trial]) -> str:
    rows = [("guard removed", "noticed by", "which missed")]
    rows += [
        (trial.guard.name, trial.drill if trial.is_caught else "NOBODY", trial.missed)
        for trial in trials
        if trial.guard is not None
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
