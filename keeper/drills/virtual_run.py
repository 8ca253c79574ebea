"""One drill on the virtual clock, in a process of its own: `python -m keeper.drills.virtual_run NAME`.

Shell. Its own process, so that it goes on beside drills on real sockets, and so that nothing it decides about chance and time
is decided for anybody else. With `--until-stdin-closes` it reads its stdin until the end, so that a drill killed with -9 takes it down too.
"""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from threading import Thread
from typing import Final

import trio
from pydantic import TypeAdapter, ValidationError

from keeper.drills.model import DrillResult
from keeper.drills.scenario import Scenario
from keeper.drills.scenarios.catalog import SCENARIOS
from keeper.drills.virtual_machine import play_to_end
from keeper.errors import DrillError, KeeperError

SEED: Final = 1
_BOUND: Final = "--until-stdin-closes"
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
    command = [sys.executable, "-m", "keeper.drills.virtual_run", scenario.name, str(seed), _BOUND]
    # The order of a set of texts follows from it.
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    with trio.move_on_after(REAL_TIMEOUT_S), _open_while_we_live() as stdin:
        ended = await trio.run_process(
            command,
            stdin=stdin,
            capture_stdout=True,
            capture_stderr=True,
            env=environment,
            check=False,
        )
        try:
            return _RESULT.validate_json(ended.stdout or b"")
        except ValidationError as error:
            raise DrillError(
                f"the drill {scenario.name} ended with status {ended.returncode} and no result: {_last_line(ended.stderr)}"
            ) from error
    raise DrillError(f"the drill {scenario.name} did not end in {REAL_TIMEOUT_S:g} s")


@contextmanager
def _open_while_we_live() -> Generator[int]:
    """Open a pipe on which nothing ever comes but its end, with this process at the latest; yields the end to read."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _end_with_stdin() -> None:
    """End this process, at once and whatever it does, when nobody holds its stdin any more."""

    def wait() -> None:
        while os.read(0, 1 << 10):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    Thread(target=wait, name="stdin", daemon=True).start()


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
    if _BOUND in sys.argv:
        _end_with_stdin()
    os.nice(_NICE)
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
