"""Where log lines leave the process, without ever holding it up.

A paused pager, a full disk or a closed pipe must not stop a keeper that has positions to liquidate. Lines go through a
bounded queue to a thread that writes them whole; what finds no room, or cannot be written, is counted and told in the
first line that can be. A pipe whose reader has gone asks this process to end, as a closed terminal does.
"""

import json
import os
import queue
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread, main_thread
from typing import Final, TextIO

_LINES_WAITING_MAX: Final = 10_000
_LAST_WORDS_S: Final = 1.0
"""How long the end of the process may wait for a reader that does not read."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class LogOutlet:
    """A file-like object for loggers: each `write` is one whole line."""

    _stream: TextIO
    _ends_with_reader: bool = True
    """Whether a pipe that nobody reads any more asks this process to end."""
    _lines: "queue.Queue[str | None]" = field(
        default_factory=lambda: queue.Queue(_LINES_WAITING_MAX)
    )
    _lost: int = 0
    """Lines dropped since the last one told of."""
    _is_torn: bool = False
    """The last line was written in part."""

    def write(self, text: str) -> int:
        """Hand over a line; never waits, never raises."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self._lost += 1
        return len(text)

    def flush(self) -> None:
        """Do nothing: lines are not buffered."""

    def isatty(self) -> bool:
        """Tell whether a person reads along."""
        return self._stream.isatty()

    def drain(self) -> None:
        """Write until told to stop, or until nobody reads any more."""
        while (line := self._lines.get()) is not None:
            if self._lost:
                lost, self._lost = self._lost, 0
                line = json.dumps({"event": "log_lines.lost", "count": lost}) + "\n" + line
            try:
                self._write_whole(line.encode(errors="replace"))
            except BrokenPipeError:
                if not self._ends_with_reader:
                    self._lost += 1
                    continue
                # From here on nobody hears us; SIGTERM drains the keeper. Sent to the main thread itself: only there do
                # handlers run, and a signal that another thread takes does not wake it.
                main = main_thread().ident
                assert main is not None, "it runs, or this would not"
                signal.pthread_kill(main, signal.SIGTERM)
                return
            except OSError:
                self._lost += 1

    def close(self) -> None:
        """Let the writer end after the lines it has."""
        try:
            self._lines.put(None, timeout=_LAST_WORDS_S)
        except queue.Full:
            return

    def _write_whole(self, data: bytes) -> None:
        if self._is_torn:
            data = b"\n" + data
        while data:
            # Past the stream's own buffer: what a full disk refused must not come again with the next line.
            written = os.write(self._stream.fileno(), data)
            self._is_torn = written < len(data)
            data = data[written:]


@contextmanager
def open_outlet(stream: TextIO, *, ends_with_reader: bool = True) -> Generator[LogOutlet]:
    """Open an outlet on a stream; at the end, what was logged is written, as far as somebody reads it."""
    outlet = LogOutlet(stream, ends_with_reader)
    writer = Thread(target=outlet.drain, name="log-writer", daemon=True)
    writer.start()
    try:
        yield outlet
    finally:
        outlet.close()
        writer.join(_LAST_WORDS_S)
