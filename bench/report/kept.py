"""Results of benchmarks, kept as one JSON file each, with when and on what they were measured.

Shell. A run that is interrupted keeps what it has: a benchmark is measured anew only when asked for.
"""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.report.figure import Beside, Figure, Goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One benchmark's last result."""

    benchmark: str
    measured: str
    """When: UTC, ISO 8601."""
    commit: str
    took_s: float
    machine: str
    load: float
    """Processes that were ready to run when it ended, mean of a minute: above the number of CPUs, others took turns with it."""
    figures: tuple[Figure, ...]


def now_kept(benchmark: str, told: Sequence[dict[str, Any]], took_s: float) -> Kept:
    """Return a result as of now, on this machine."""
    return Kept(
        benchmark=benchmark,
        measured=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        commit=_commit(),
        took_s=round(took_s, 1),
        machine=machine(),
        figures=tuple(figure_of(each) for each in told),
        load=round(os.getloadavg()[0], 1),
    )


def write_kept(kept: Kept, folder: Path) -> None:
    """Write one result into a folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kept.benchmark}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(kept), indent=1) + "\n")
    part.replace(path)


def read_kept(folder: Path) -> dict[str, Kept]:
    """Return all results of a folder, by benchmark."""
    return {path.stem: kept_of(json.loads(path.read_text())) for path in folder.glob("*.json")}


def kept_of(told: dict[str, Any]) -> Kept:
    """Return a result out of its JSON."""
    return Kept(**told | {"figures": tuple(figure_of(each) for each in told["figures"])})


def figure_of(told: dict[str, Any]) -> Figure:
    """Return a figure out of its JSON; what is derived from the runs is derived again."""
    rest = {key: value for key, value in told.items() if key not in {"value", "is_met"}}
    rest["runs"] = tuple(rest["runs"])
    for name, kind in (("goal", Goal), ("baseline", Beside), ("limit", Beside)):
        rest[name] = None if rest.get(name) is None else kind(**rest[name])
    return Figure(**rest)


def machine() -> str:
    """Say on what is measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} CPUs ({model}), {memory_gb:.0f} GB, Python {platform.python_version()}"
    )


def _commit() -> str:
    ended = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return ended.stdout.strip() or "unknown"
