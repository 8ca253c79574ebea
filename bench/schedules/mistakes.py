"""Whether the net has holes: mistakes that other keepers made, put into a copy of the engine, must break an invariant.

`python -m bench.schedules.mistakes [WORD ...]` tries those whose name has a word, or all. A seed that breaks one without any mistake
proves nothing, and is left out.
"""

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
_PARTS: Final = ("keeper", "programs", "state", "incentives", "bench", "tests")
_SEEDS: Final = "320"
_TIMEOUT_S: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake, as it is made in the source."""

    name: str
    edits: tuple[Guard, ...]


def _mistake(name: str, *edits: tuple[str, str, str]) -> Mistake:
    return Mistake(
        name=name,
        edits=tuple(
            Guard(name=name, file=file, found=found, replacement=replacement, drills=())
            for file, found, replacement in edits
        ),
    )


_SUBMIT: Final = "programs/submit.py"
_EXPIRY: Final = "programs/expiry.py"
_IN_FLIGHT: Final = "programs/in_flight.py"
_RECORDING: Final = "programs/recording.py"
_OVERDUE: Final = "            if flight.last_valid_block_height < self._finalized and flight.history_again_s <= now_s\n"
_PROOF: Final = "    if flight.last_valid_block_height >= settled.finalized_block_height:\n"
_RECORDED: Final = "    await attempts.record_attempt(batch)\n"
_WAITED: Final = "    return await flight.wait_ended(until)\n"
_JOB_INDEX: Final = "CREATE UNIQUE INDEX attempt_job_open ON"
_EFFECT_INDEX: Final = "CREATE UNIQUE INDEX attempt_job_held ON"

MISTAKES: Final = (
    _mistake(
        "expired and unexpired the wrong way round",
        (_EXPIRY, _OVERDUE, _OVERDUE.replace("height <", "height >=")),
        (_EXPIRY, _PROOF, _PROOF.replace(">=", "<")),
    ),
    _mistake(
        "expiry judged by slot instead of block height",
        (_EXPIRY, 'get_block_height("confirmed")', 'get_slot("confirmed")'),
        (_EXPIRY, 'get_block_height("finalized")', 'get_slot("finalized")'),
        (_EXPIRY, _PROOF, "    if flight.last_valid_block_height < 0:\n"),
    ),
    _mistake(
        "absent among recent statuses taken for absent from history",
        (
            _EXPIRY,
            "            if status is not None:\n",
            "            if status is not None and flight.is_forgotten:\n",
        ),
    ),
    _mistake(
        "expiry never looked for: a loop that looks healthy",
        (_EXPIRY, _OVERDUE, "            if flight.last_valid_block_height < 0\n"),
    ),
    _mistake(
        "sent before it is recorded",
        (_SUBMIT, _RECORDED, ""),
        (_SUBMIT, _WAITED, f"    await trio.sleep(0.1)\n{_RECORDED}{_WAITED}"),
    ),
    _mistake(
        "confirmed without reading the error",
        (
            "programs/outcomes.py",
            "    if status.err is None:\n        return Landed(",
            "    if status.commitment:\n        return Landed(",
        ),
    ),
    _mistake(
        "what is open is not settled at the start",
        (
            "programs/settling.py",
            "page := await attempts.open_attempts(after_id=after_id, at_most=_PAGE):",
            "page := (await attempts.open_attempts(after_id=after_id, at_most=_PAGE))[:0]:",
        ),
    ),
    _mistake(
        "confirmed taken for final",
        (
            _IN_FLIGHT,
            "            if flight.outcome is not None and flight.outcome.is_finalized:\n",
            "            if flight.outcome is not None:\n",
        ),
    ),
    _mistake(
        "what a fork moved is left where it was",
        (
            _RECORDING,
            "        if not is_same_end(flight.outcome, status)\n",
            "        if flight.outcome is None\n",
        ),
    ),
    _mistake(
        "an effect not held until it is final",
        ("state/schema.py", _EFFECT_INDEX, _EFFECT_INDEX.replace("UNIQUE ", "")),
    ),
    _mistake(
        "a job signed anew while its transaction is on its way",
        ("state/schema.py", _JOB_INDEX, _JOB_INDEX.replace("UNIQUE ", "")),
        ("state/schema.py", _EFFECT_INDEX, _EFFECT_INDEX.replace("UNIQUE ", "")),
        ("keeper/post.py", "        address in memory.posting\n", "        address is None\n"),
    ),
    _mistake(
        "a timeout taken for an expiry",
        (
            _SUBMIT,
            _WAITED,
            "    with trio.move_on_after(2):\n    "
            + _WAITED
            + '    expired = Expired(signature=flight.signature, reason="timeout")\n'
            "    await attempts.record_ends([end_row(expired)])\n"
            "    return expired\n",
        ),
        (
            _SUBMIT,
            "from programs.outcomes import Move, Outcome, SignedBatch\n",
            "from programs.outcomes import Expired, Move, Outcome, SignedBatch, end_row\n",
        ),
    ),
)


def main(words: Sequence[str]) -> int:
    """Try the mistakes named, or all; return the exit status."""
    chosen = [one for one in MISTAKES if not words or any(word in one.name for word in words)]
    broken = _broken_whole()
    print(f"{_SEEDS} schedules without a mistake: {len(broken)} break an invariant", flush=True)
    if broken:
        print(f"left out, for they break an invariant without a mistake: {', '.join(broken)}")
    caught = sum(bool(_told(mutant, broken)) for mutant in chosen)
    print(f"{caught} of {len(chosen)} mistakes break an invariant")
    return 0 if caught == len(chosen) else 1


def _broken_whole() -> list[str]:
    command = [sys.executable, "-m", "bench.schedules", "--seeds", _SEEDS, "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return list(json.loads(ended.stdout)["broken"])


def _told(mistake: Mistake, without: Sequence[str]) -> str:
    why = try_mistake(mistake, without)
    print(
        f"{'caught  ' if why else 'SURVIVED'}  {mistake.name}: {why or 'nobody noticed'}",
        flush=True,
    )
    return why


def try_mistake(mistake: Mistake, without: Sequence[str]) -> str:
    """Put one mistake into a copy of the project and play; return what broke first, empty if nothing did."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        for part in _PARTS:
            shutil.copytree(ROOT / part, root / part, ignore=ignored)
        for edit in mistake.edits:
            edit.remove(root)
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
