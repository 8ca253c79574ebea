"""Refresh 21_000 markets over REST from a local venue, beside the machine's limit and a plain client.

    python -m bench.price_refresh [--markets 21000] [--levels 168]

Target: 42_000 tokens in at most 10 s within the published limits, under 400 MB. Without `--levels` two depths are
measured: the sandbox venue's own, and 168 levels a book, as many as the recorded one holds.
"""

import argparse
import json
import os
import subprocess
import sys
from urllib.request import urlopen

TARGET_S = 10.0
TARGET_MB = 400.0
_NAMES = {
    "refresh": "the CLOB source, appraised and published",
    "json": "json.loads of the same bytes, thrown away",
    "levels": "level by level into the order-book model",
}


def _measured(what: str, url: str) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, "-m", "bench.price_refresh.measures", what, url],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def _counts(url: str) -> dict[str, int]:
    with urlopen(f"{url}/counts") as reply:
        return json.load(reply)


def measure(markets: int, levels: int) -> bool:
    """Serve, measure and print one depth; tell whether the target was met."""
    command = [sys.executable, "-m", "bench.price_refresh.house"]
    house = subprocess.Popen(
        [*command, "--markets", str(markets), "--levels", str(levels)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert house.stdout is not None
        url = house.stdout.readline().strip()
        before = _counts(url)
        found = {"refresh": _measured("refresh", url)}
        after = _counts(url)
        found |= {what: _measured(what, url) for what in ("json", "levels")}
    finally:
        house.terminate()
        house.wait()
        if house.stdout is not None:
            house.stdout.close()
    megabytes = (after["bytes"] - before["bytes"]) / 1e6
    calls = -(-2 * markets // 500)
    depth = f"{levels} levels a book" if levels else "the sandbox venue's depth"
    print(f"{2 * markets} tokens, {depth}: {megabytes:.0f} MB in {calls} calls; load average {os.getloadavg()[0]:.1f}")  # fmt: skip
    for what, one in found.items():
        print(
            f"  {_NAMES[what]:42} {one['took_s']:6.2f} s {megabytes / one['took_s']:6.1f} MB/s "
            f"{one['cpu_s']:6.2f} s of CPU  {one['peak_mb']:5.0f} MB peak ({one['before_mb']:.0f} before)"
        )
    print(f"  again, without the first word on each price   {found['refresh']['again_s']:6.2f} s")
    print(
        f"  most calls in ten seconds {after['most_in_10_s']} of 500 published, refused {after['refused']}, "
        f"waited for a turn {found['refresh']['delayed_ms']:.0f} ms"
    )
    refresh = found["refresh"]
    is_met = (
        refresh["took_s"] <= TARGET_S and refresh["peak_mb"] < TARGET_MB and not after["refused"]
    )
    print(f"  target {TARGET_S:.0f} s and {TARGET_MB:.0f} MB: {'met' if is_met else 'MISSED'}")
    return is_met


def main() -> int:
    """Measure the chosen depths."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--markets", type=int, default=21_000)
    arguments.add_argument("--levels", type=int)
    chosen = arguments.parse_args()
    depths = (0, 168) if chosen.levels is None else (chosen.levels,)
    met = [measure(chosen.markets, levels) for levels in depths]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
