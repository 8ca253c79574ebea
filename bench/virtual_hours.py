"""How fast virtual hours pass, and whether the keeper's memory stays flat over them.

    python -m bench.virtual_hours

Plays an hour and a half of a venue that works, in this process, and takes stock every quarter of an hour of what is allocated
outside the drill's own modules (tracemalloc, by the allocating line). What libraries allocate on the drill's behalf is within:
its log of requests and notices, and the chain's records, grow by some 300 KiB an hour; the limit is that and a little more.
"""

import argparse
import gc
import resource
import sys
import time
import tracemalloc
from dataclasses import replace

from bench.report.figure import Figure, Goal, tell
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
    parser = argparse.ArgumentParser(prog="python -m bench.virtual_hours", description=__doc__)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
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
    held = " ".join(str(each // 1024) for each in stock)
    print(f"held by the keeper, KiB every quarter of an hour: {held}", file=sys.stderr)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = [
        Figure(
            name=f"memory that a keeper grows by in {QUARTERS / 4:g} virtual hours",
            unit="KiB",
            runs=(growth / 1024,),
            goal=Goal(
                value=GROWTH_BYTES_MAX / 1024, source="the drill's own records, and a little"
            ),
        ),
        Figure(
            name=f"processor of {virtual_h:.2f} virtual hours, memory traced",
            unit="s",
            runs=(took_s,),
        ),
        Figure(name="peak of the whole process", unit="MiB", runs=(peak_mib,)),
        Figure(
            name="hours that ended with a verdict missed",
            unit="",
            runs=(float(not result.passed),),
            goal=Goal(value=0.0, source="the drill"),
        ),
    ]
    tell("virtual_hours", figures, as_json=asked.json)
    return int(any(figure.is_met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
