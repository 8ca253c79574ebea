"""Play seeded schedules of faults: `python -m bench.schedules [--seeds 2000] [--from N] [--seed N] [--json]`.

`--seed N` replays one bit for bit, prints everything that happened in it, and plays it twice to prove that. Exits 0 only when
every invariant held in every world.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from bench.schedules.run import play_seed, replay
from bench.schedules.world import Played

_AT_ONCE: Final = 2
_AT_A_TIME: Final = 8
_HASH_SEED: Final = "PYTHONHASHSEED"
_COUNTED: Final = ("attempts", "landed", "failed", "expired", "lives", "forks", "effects", "slots")


def main() -> int:
    """Play what was asked for, and return the exit status."""
    if os.environ.get(_HASH_SEED) != "0":
        # The order of a set of texts follows from it: the last thing that chance could decide.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, _HASH_SEED: "0"})
    asked = _arguments().parse_args()
    if asked.seed is not None:
        return _replay(asked.seed)
    seeds = range(asked.first, asked.first + asked.seeds)
    chosen = [seed for seed in seeds if seed not in asked.without]
    return _play_all(chosen, as_json=asked.json, stops=asked.stop)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.schedules", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--without", type=int, nargs="*", default=[], help="seeds to leave out")
    parser.add_argument("--stop", action="store_true", help="end at the first that fails")
    parser.add_argument("--json", action="store_true")
    return parser


def _replay(seed: int) -> int:
    found, lines = replay(seed)
    again = play_seed(seed)
    print("\n".join(lines))
    print(_told(found))
    if again.trace != found.trace:
        print(f"NOT REPEATABLE: {found.trace} the first time, {again.trace} the second")
    return 1 if found.broken or again.trace != found.trace else 0


def _play_all(seeds: Sequence[int], *, as_json: bool, stops: bool) -> int:
    started_s, totals, broken, played = time.perf_counter(), Counter[str](), [], 0
    for found in _played(seeds):
        played += 1
        totals.update({name: getattr(found, name) for name in _COUNTED})
        if found.broken:
            broken.append(found)
            print(_told(found), file=sys.stderr, flush=True)
            if stops:
                break
    took_s = time.perf_counter() - started_s
    if as_json:
        broken_by_seed = {found.seed: found.broken for found in broken}
        result = {"worlds": played, "broken": broken_by_seed, "took_s": round(took_s, 1), **totals}
        print(json.dumps(result))
    else:
        counts = ", ".join(f"{totals[name]} {name}" for name in _COUNTED)
        print(f"{played} worlds in {took_s:.0f} s: {counts}")
        print(f"{len(broken)} worlds broke an invariant: {_seeds(broken)}" if broken else "passed")
    return 1 if broken else 0


def _played(seeds: Sequence[int]) -> Iterator[Played]:
    with ProcessPoolExecutor(_AT_ONCE) as pool:
        try:
            yield from pool.map(play_seed, seeds, chunksize=_AT_A_TIME)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _told(found: Played) -> str:
    counts = ", ".join(f"{getattr(found, name)} {name}" for name in _COUNTED)
    lines = [f"seed {found.seed}  trace {found.trace}  {counts}"]
    return "\n".join([*lines, *(f"  BROKEN {sentence}" for sentence in found.broken)])


def _seeds(broken: list[Played]) -> str:
    return ", ".join(f"--seed {found.seed}" for found in broken)


if __name__ == "__main__":
    sys.exit(main())
