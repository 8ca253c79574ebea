"""A stress run as it is written: how large the world is, what is done to it, and what is stated beforehand.

Shell, but for its judge: the script waits. To add one: a file in `scenarios/` with a `Scenario`, and its name in `scenarios/catalog.py`. It has

    settings(scale)   the world: markets, liquidity, positions, users, faults of the network, keys of keeper.toml
    play(stage)       one short async function: `stage.begin("load")`, then whatever is done, until all has come to rest.
                      The stage has the chain (`bank`), the venue (`house`), the users (`crowd`), and waits for conditions.
    judge(evidence)   a pure function: the chain's records, the keeper's database and its last word, the users' own clocks ->
                      `Judged`: verdicts, measures, curves. `verdicts.py` has those that every run is held to
                      (`verdicts.sound(evidence)`), and the figures that every run prints (`measures.usual(evidence)`).

At scale 1 a run is as large as the origin's claim (SPEC.md, section 8) and ends within some two minutes; tests play the same
at a twentieth. Slots have the length of a cluster's. The keeper is the real command in a process of its own, over real sockets.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from keeper.stress.evidence import Evidence
from keeper.stress.model import Judged
from keeper.stress.settings import Settings
from keeper.stress.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One stress run."""

    name: str
    """What `keeper stress run` calls it: words joined by dashes."""
    title: str
    """One sentence: what is loaded with what."""
    settings: Callable[[float], Settings]
    """The world at a scale."""
    play: Callable[[Stage], Awaitable[None]]
    judge: Callable[[Evidence], Judged]
    alarms: frozenset[str] = frozenset()
    """Rules of the monitor that its load rightly sets off; every other one that fires fails the run."""
    has_rival: bool = False
    """Played a second time with a keeper without priorities, for the judge to compare."""
