"""How fast virtual hours pass, and whether the keeper's memory stays flat over them.

    python -m bench.virtual_hours

Plays an hour and a half of a venue that works, in this process, and takes stock every quarter of an hour of what is allocated
outside the drill's own modules (tracemalloc, by the allocating line). What libraries allocate on the drill's behalf is within:
its log of requests and notices, and the chain's records, grow by some 300 KiB an hour; the limit is that and a little more.
"""

import gc
import resource
import sys
import time
import tracemalloc
from dataclasses import replace

from keeper.drills.model import PhaseName
from keeper.drills.scenarios.long_silences import ROTATION_FOR_AN_HOUR
from keeper.drills.scenarios.unhurried import close_calmly, open_calmly
from keeper.drills.virtual_machine import play_to_end

QUARTER_S = 900.0
QUARTERS = 5
GROWTH_BYTES_MAX = 512 * 1024
"""Between the first stock taking and the last one: counters get longer, caches fill."""
OTHERS = ("*/keeper/drills/*", "*/keeper/sandbox/*", "*/programs/localnet/*", "*/tracemalloc.py")


def held_bytes():
    """Return what is allocated by all but the drill itself."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(inclusive=False, filename_pattern=one) for one in OTHERS]
    )
    return sum(stat.size for stat in snapshot.statistics("filename"))


def main():
    """Play, and take stock."""
    stock = []

    async def work_for_hours(stage):
        await open_calmly(stage)
        stage.begin(PhaseName.DURING, "nothing")
        tracemalloc.start()
        for _ in range(QUARTERS + 1):
            await stage.hold(QUARTER_S)
            stock.append(held_bytes())
        tracemalloc.stop()
        await close_calmly(stage)

    scenario = replace(ROTATION_FOR_AN_HOUR, name="hours-of-work", play=work_for_hours, expects=())
    before_s = time.process_time()
    result = play_to_end(scenario, seed=1)
    took_s = time.process_time() - before_s
    virtual_h = result.phases[-1].ends_s / 3_600
    growth = stock[-1] - stock[0]
    print(f"{virtual_h:.2f} virtual hours in {took_s:.0f} CPU s, memory traced: {result.passed=}")
    print("held by the keeper, KiB every quarter of an hour:", *(each // 1024 for each in stock))
    print(
        f"peak of the whole process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"
    )
    print(f"growth {growth / 1024:.0f} KiB in {QUARTERS / 4:g} hours")
    return 0 if result.passed and growth <= GROWTH_BYTES_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
