"""Compare the program's arithmetic in C with its Python mirror on random inputs, and sweep what loops in C can sweep.

    python -m bench.curve_fuzz                 # a million cases, about a minute and a half
    python -m bench.curve_fuzz --cases 30000 --seed 7

Stops at the first difference and prints its inputs. Undefined behaviour in the C traps.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from programs import leverage
from programs.tables import U_MAX
from tests.programs.curve_cases import check_function_case, check_pool_case, check_risk_case
from tests.programs.native import load_arithmetic


def timed(name: str, count: int, work: Callable[[], object]) -> None:
    """Run the work and print how long it took."""
    start = time.perf_counter()
    work()
    elapsed_s = time.perf_counter() - start
    print(f"{name:42} {count:>12_} cases  {elapsed_s:8.2f} s")


def repeat(check: Callable[[], None], count: int) -> None:
    """Run one comparison so many times; each draws its own inputs."""
    for _ in range(count):
        check()


def main() -> None:
    """Parse the arguments and run every comparison."""
    parser = argparse.ArgumentParser(
        description="Compare curve.h and risk.h with curve.py and leverage.py."
    )
    parser.add_argument(
        "--cases", type=int, default=1_000_000, help="random cases in all (default 1_000_000)"
    )
    parser.add_argument(
        "--seed", type=int, default=2026, help="of the random inputs (default 2026)"
    )
    arguments = parser.parse_args()
    rng = Random(arguments.seed)
    share = arguments.cases // 4
    with tempfile.TemporaryDirectory() as folder:
        native = load_arithmetic(Path(folder))
        for name, count, check in (
            ("trades and liquidity: C == Python", 2 * share, check_pool_case),
            ("functions of u: C == Python", share, check_function_case),
            ("fee, coverage, leverage, health", share, check_risk_case),
        ):
            timed(name, count, partial(repeat, partial(check, native, rng), count))

        def g_everywhere() -> None:
            stride = 2 * U_MAX // (20 * arguments.cases)
            found = native["g_is_monotone"](-U_MAX, 20 * arguments.cases, stride)
            assert found == 0, found

        def fee_everywhere() -> None:
            found = native["fee_is_monotone"](0, leverage.FEE_FLAT_COVERAGE_E6 + 10)
            assert found == 0, found

        timed("g rises by 0 or 1 per quantum", 20 * arguments.cases, g_everywhere)
        timed(
            "the fee never rises, at every millionth", leverage.FEE_FLAT_COVERAGE_E6, fee_everywhere
        )


if __name__ == "__main__":
    main()
