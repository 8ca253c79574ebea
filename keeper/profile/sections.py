"""Where an instruction spends its compute units, from the marks that a profiling build logs."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from solders.pubkey import Pubkey

from programs.c_header import parse_headers

_MAGIC: Final = "0x5ec71075"
_MARK: Final = re.compile(r"Program log: (0x[0-9a-f]+), (0x[0-9a-f]+), (0x[0-9a-f]+), 0x0, 0x0")
_INVOKE: Final = re.compile(r"Program (\w+) invoke \[\d+\]")
_RETURN: Final = re.compile(r"Program \w+ (?:success$|failed: )")
_CONSUMED: Final = re.compile(r"Program (\w+) consumed (\d+) of (\d+) compute units")
CALIBRATION: Final = "calibration"
"""The entry point marks this section twice in a row: what passes in between is what a mark costs."""
ENTRY: Final = "entry"
"""Before the first mark: the accounts are parsed."""


def section_names(header: str) -> tuple[str, ...]:
    """Return the sections in the order of their numbers.

    Raises:
        HeaderError: the header holds something that is not understood.
    """
    without_guards = re.sub(r"#ifdef PROFILE.*?#endif\n", "", header, flags=re.DOTALL)
    found = parse_headers({"sections.h": without_guards})
    return tuple(entry.arguments[0] for entry in found.lists["SECTIONS"].entries)


def spent(logs: Sequence[str], program: Pubkey, names: Sequence[str]) -> dict[str, int]:
    """Return compute units by section, without what the marks themselves cost.

    The last instruction of the program in the transaction counts. The sum is what the committed build uses, as far as
    a compiler that has to log in between writes the same code.
    """
    marks, end = _marks(logs, str(program))
    if end is None:
        return {}
    start, last = end
    overhead = _overhead(marks, names)
    found: Counter[str] = Counter()
    before, section, cost = (
        start,
        ENTRY,
        overhead // 2,
    )  # the first mark has read the rest, not logged it yet
    for number, remaining in marks:
        found[section] += before - remaining - cost
        before, section, cost = remaining, names[number], overhead
    found[section] += before - last - (overhead - overhead // 2 if marks else 0)
    del found[CALIBRATION]
    return {name: cu for name, cu in found.items() if cu > 0}


def _overhead(marks: Sequence[tuple[int, int]], names: Sequence[str]) -> int:
    calibration = [remaining for number, remaining in marks if names[number] == CALIBRATION]
    return calibration[0] - calibration[1] if len(calibration) > 1 else 0


def _marks(
    logs: Sequence[str], program: str
) -> tuple[list[tuple[int, int]], tuple[int, int] | None]:
    """(section, remaining) of each mark, and what remained at the start and at the end."""
    marks: list[tuple[int, int]] = []
    end, stack = None, list[str]()
    for line in logs:
        if invoked := _INVOKE.fullmatch(line):
            stack.append(invoked[1])
            if invoked[1] == program:
                marks, end = [], None
        elif _RETURN.match(line) and stack:
            stack.pop()
        elif (used := _CONSUMED.fullmatch(line)) and used[1] == program:
            limit = int(used[3])
            end = (limit, limit - int(used[2]))
        elif (mark := _MARK.fullmatch(line)) and mark[1] == _MAGIC and stack[-1:] == [program]:
            marks.append((int(mark[2], 16), int(mark[3], 16)))
    return marks, end
