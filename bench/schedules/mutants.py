"""Whether the net has holes: mistakes that other keepers made, put into a copy of the engine, must break an invariant.

`python -m bench.schedules.mutants [WORD ...]` tries those whose name has a word, or all. A seed that breaks one without any mistake
proves nothing, and is left out.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.guards.guard import Guard

ROOT: Final = Path(__file__).resolve().parents[2]
_PARTS: Final = ("keeper", "programs", "state", "incentives", "bench", "tests")
_SEEDS: Final = "200"
_TIMEOUT_S: Final = 900.0


def _mutant(name: str, file: str, found: str, replacement: str) -> Guard:
    return Guard(name=name, file=file, found=found, replacement=replacement, drills=())


_SUBMIT: Final = "programs/submit.py"
_IN_FLIGHT: Final = "programs/in_flight.py"
_OUTCOMES: Final = "programs/outcomes.py"
_ATTEMPTS: Final = "state/attempts.py"

MUTANTS: Final = (
    _mutant(
        "expiry judged by slot instead of block height",
        _SUBMIT,
        "if status is None and flight.last_valid_block_height < settled.finalized_block_height\n",
        "if status is None and flight.last_valid_block_height < settled.finalized_block_height + 500\n",
    ),
    _mutant(
        "expired and unexpired the wrong way round",
        _SUBMIT,
        "    overdue = [flight for flight in absent if flight.last_valid_block_height < height]\n",
        "    overdue = [flight for flight in absent if flight.last_valid_block_height >= height]\n    expired = overdue\n    return [], expired\n",
    ),
    _mutant(
        "absent from the recent statuses taken for absent from history",
        _SUBMIT,
        "        if status is None and flight.last_valid_block_height < settled.finalized_block_height\n",
        "        if flight.last_valid_block_height < settled.finalized_block_height\n",
    ),
    _mutant(
        "sent before it is recorded",
        _SUBMIT,
        "    await attempts.record_attempt(batch)\n",
        "",
    ),
    _mutant(
        "confirmed without reading the error",
        _OUTCOMES,
        "    if status.err is None:\n        return Landed(",
        "    if status.commitment != 'processed':\n        return Landed(",
    ),
    _mutant(
        "what is open is not settled at the start",
        _SUBMIT,
        "    for attempt in await attempts.open_attempts():\n",
        "    for attempt in (await attempts.open_attempts())[:0]:\n",
    ),
    _mutant(
        "confirmed taken for final",
        _IN_FLIGHT,
        "            if flight.outcome is not None and flight.outcome.is_finalized:\n",
        "            if flight.outcome is not None:\n",
    ),
    _mutant(
        "one job may be in two open attempts",
        "state/schema.py",
        "CREATE UNIQUE INDEX attempt_job_open ON attempt_job (job_id) WHERE is_open = 1;",
        "CREATE INDEX attempt_job_open ON attempt_job (job_id) WHERE is_open = 1;",
    ),
)


def main(words: Sequence[str]) -> int:
    """Try the mutants named, or all; return the exit status."""
    chosen = [one for one in MUTANTS if not words or any(word in one.name for word in words)]
    broken = _broken_whole()
    if broken:
        print(f"left out, for they break an invariant without a mistake: {', '.join(broken)}")
    caught = sum(bool(_told(mutant, broken)) for mutant in chosen)
    print(f"{caught} of {len(chosen)} mistakes break an invariant")
    return 0 if caught == len(chosen) else 1


def _broken_whole() -> list[str]:
    command = [sys.executable, "-m", "bench.schedules", "--seeds", _SEEDS, "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return list(json.loads(ended.stdout)["broken"])


def _told(mutant: Guard, without: Sequence[str]) -> str:
    why = try_mutant(mutant, without)
    print(
        f"{'caught  ' if why else 'SURVIVED'}  {mutant.name}: {why or 'nobody noticed'}", flush=True
    )
    return why


def try_mutant(mutant: Guard, without: Sequence[str]) -> str:
    """Put one mistake into a copy of the project and play; return what broke first, empty if nothing did."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        for part in _PARTS:
            shutil.copytree(ROOT / part, root / part, ignore=ignored)
        mutant.remove(root)
        # The working directory leads the path of -m: the copy's packages come before those that are installed.
        command = [sys.executable, "-m", "bench.schedules", "--seeds", _SEEDS, "--stop"]
        command += ["--without", *without]
        try:
            ended = subprocess.run(
                command, cwd=root, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"no end within {_TIMEOUT_S:.0f} s"
    told = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    if not ended.returncode:
        return ""
    broken = [line for line in told if line.startswith(("seed", "BROKEN"))]
    return (
        " ".join(broken[:2]) if broken else f"broke off: {told[-1] if told else ended.returncode}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
