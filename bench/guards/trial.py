"""One guard removed from a copy of the project, and the drills played in it."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.guards.guard import Guard

ROOT: Final = Path(__file__).resolve().parents[2]
_PARTS: Final = ("keeper", "programs", "state", "incentives", "bench/guards")
_TIMEOUT_S: Final = 240.0
"""A drill without its guard may hang: that is noticed too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one guard."""

    guard: Guard | None
    """None: the whole project, as the measure of the others."""
    drill: str
    """The drill that noticed, or the last one that did not."""
    is_caught: bool
    missed: str
    """What the drill missed first; empty when it missed nothing."""


def try_guard(guard: Guard) -> Trial:
    """Play the drills of a guard without it, until one notices."""
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        root = Path(folder)
        _copy(root)
        guard.remove(root)
        for drill in guard.drills:
            missed = _play(root, drill)
            if missed:
                return Trial(guard=guard, drill=drill, is_caught=True, missed=missed[0])
    return Trial(guard=guard, drill=guard.drills[-1], is_caught=False, missed="")


def try_whole(drill: str) -> Trial:
    """Play a drill with every guard in place: one that fails here proves nothing."""
    missed = _play(ROOT, drill)
    return Trial(guard=None, drill=drill, is_caught=bool(missed), missed="; ".join(missed[:1]))


def _copy(root: Path) -> None:
    for part in _PARTS:
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))


def _play(root: Path, drill: str) -> Sequence[str]:
    """Return what a drill missed; nothing when it passed."""
    # The working directory leads the path of -m: the copy's packages come before those that are installed.
    command = [sys.executable, "-m", "bench.guards.play", drill]
    try:
        ended = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [f"no end within {_TIMEOUT_S:.0f} s"]
    lines = ended.stdout.splitlines()
    if ended.returncode or not lines:
        told = ended.stderr.strip().splitlines()
        return [f"broke off: {told[-1] if told else ended.returncode}"]
    result = json.loads(lines[-1])
    return [] if result["passed"] else result["missed"] or ["failed"]
