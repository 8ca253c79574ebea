"""What the command line adds to the configuration of a run."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from keeper.config import Config
from keeper.prices.recorder import Recorder
from keeper.rehearsal import Rehearsal
from keeper.shadow import Shadow
from keeper.surroundings import Surroundings
from keeper.view import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How this run differs from one that goes on until it is interrupted."""

    path: Path = Path("keeper.toml")
    """The file that the configuration came from, for the other services of a sandbox."""
    for_s: float | None = None
    """End after this many seconds of work; None runs until interrupted."""
    console: Console | None = None
    """Where the live view is drawn; None draws none."""
    notices: deque[Notice] = field(default_factory=deque)
    """The newest warnings, for the live view."""
    recorder: Recorder | None = None
    """Told of all that is heard and believed of prices; None records nothing."""
    is_once: bool = False
    """End after one round."""
    rehearsal: Rehearsal | None = None
    """Stands where transactions are sent; None: they are sent."""
    shadow: Shadow | None = None
    """Told of what the keeper at work lands; with a rehearsal that tells it the rest."""
    reread: Callable[[], Config] | None = None
    """Reads the configuration anew, with what the command line adds; None: SIGHUP changes nothing."""
    set_log_level: Callable[[str], None] = lambda _level: None
    """Tells whoever writes the log what the least severe level is from now on."""
    surroundings: Surroundings = field(default_factory=Surroundings)
    """Disk, clock and signals, where they are not the machine's."""
