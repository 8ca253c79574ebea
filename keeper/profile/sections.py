"""Where an instruction spends its compute units, from the marks that a profiling build logs."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from solders.pubkey import Pubkey

from programs.c_header import parse_headers

_MAGIC: Final = "0x5ec71075"
_MARK: Final = re.compile(r"Program log: (0x[0-9a-f]+), (0x[0-9a-f]+), (0x[0-9a-f]+), 0x0, 0x0")
_INVOKE: Final = re.compile(r"Program (\w+) invoke \[\d+\]")
_RETURN: Final = re.compile(r"Program \w+ (?:success$|failed: )")
_CONSUMED: Final = re.compile(r"Program (\w+) consumed (\d+) of (\d+) compute units")
CALIBRATION: Final = "calibration"
"""The entry point begins this section and ends it at once: what passes in between is what a mark costs."""
REST: Final = "rest"
"""Outside of every section."""
_END: Final = 0xFF


def section_names(header: str) -> tuple[str, ...]:
    """Return the sections in the order of their numbers.

    Raises:
        HeaderError: the header holds something that is not understood.
    """
    without_guards = re.sub(r"#ifdef PROFILE.*?#endif\n", "", header, flags=re.DOTALL)
    found = parse_headers({"sections.h": without_guards})
    return tuple(entry.arguments[0] for entry in found.lists["SECTIONS"].entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of one call."""

    cu: int
    visits: int

    @property
    def cu_per_visit(self) -> int:
        """What one visit took, rounded up."""
        return -(-self.cu // self.visits)


def spent(logs: Sequence[str], program: Pubkey, names: Sequence[str]) -> dict[str, Section]:
    """Return compute units by section, without what the marks themselves cost.

    A section's own units count, not those of sections inside it. The last instruction of the program in the transaction
    counts. The sum is what the committed build uses, as far as
    a compiler that has to log in between writes the same code.
    """
    marks, end = _marks(logs, str(program))
    if end is None:
        return {}
    before, last = end
    overhead = _overhead(marks, names)
    found: Counter[str] = Counter()
    visits = Counter([REST])
    sections = [REST]
    cost = overhead // 2  # the first mark has read what remains, not logged it yet
    for number, remaining in marks:
        found[sections[-1]] += before - remaining - cost
        before, cost = remaining, overhead
        if number == _END:
            sections.pop()
        else:
            sections.append(names[number])
            visits[names[number]] += 1
    found[sections[-1]] += before - last - (overhead - overhead // 2)
    del found[CALIBRATION]
    return {name: Section(cu=cu, visits=visits[name]) for name, cu in found.items() if cu > 0}


def _overhead(marks: Sequence[tuple[int, int]], names: Sequence[str]) -> int:
    """What one mark costs; nothing where there is none."""
    for (number, begun), (_, ended) in pairwise(marks):
        if number != _END and names[number] == CALIBRATION:
            return begun - ended
    return 0


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
