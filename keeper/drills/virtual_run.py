"""One drill on the virtual clock, in a process of its own: `python -m keeper.drills.virtual_run NAME`.

Shell. Its own process, so that it goes on beside drills on real sockets, and so that nothing it decides about chance and time
is decided for anybody else.
"""

import os
import sys
from typing import Final

import trio
from pydantic import TypeAdapter, ValidationError

from keeper.drills.model import DrillResult
from keeper.drills.scenario import Scenario
from keeper.drills.scenarios.catalog import SCENARIOS
from keeper.drills.virtual_machine import play_to_end
from keeper.errors import DrillError, KeeperError

SEED: Final = 1
_NICE: Final = 5
"""Drills on real sockets, beside it on the same cores, have deadlines; this one has none."""
REAL_TIMEOUT_S: Final = 600.0
"""Against hanging only: hours of virtual time take less than a minute."""
_RESULT: Final = TypeAdapter(DrillResult)


async def play_in_process(scenario: Scenario, *, seed: int = SEED) -> DrillResult:
    """Play a scenario of the catalog in another process, and return what it ended with.

    Raises:
        DrillError: it could not be played; the message has its last words.
    """
    command = [sys.executable, "-m", "keeper.drills.virtual_run", scenario.name, str(seed)]
    # The order of a set of texts follows from it.
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    with trio.move_on_after(REAL_TIMEOUT_S):
        ended = await trio.run_process(
            command, capture_stdout=True, capture_stderr=True, env=environment, check=False
        )
        try:
            return _RESULT.validate_json(ended.stdout or b"")
        except ValidationError as error:
            raise DrillError(
                f"the drill {scenario.name} ended with status {ended.returncode} and no result: {_last_line(ended.stderr)}"
            ) from error
    raise DrillError(f"the drill {scenario.name} did not end in {REAL_TIMEOUT_S:g} s")


def _last_line(said: bytes | None) -> str:
    lines = (said or b"").decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def main(name: str, seed: int) -> int:
    """Play the scenario of that name; its result is one JSON object on stdout."""
    scenario = next(each for each in SCENARIOS if each.name == name)
    refusal = ""
    try:
        sys.stdout.buffer.write(_RESULT.dump_json(play_to_end(scenario, seed=seed)))
    except* KeeperError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        refusal = str(error)
        sys.stderr.write(f"{refusal}\n")
    return 1 if refusal else 0


if __name__ == "__main__":
    os.nice(_NICE)
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
