"""A file of JSON objects, one a line, that may end early and never hurts the run that writes it.

Shell. Recordings and shadows are written beside a keeper at work: neither a full disk nor a forgotten file may reach it.
"""

import json
import os
from io import FileIO
from pathlib import Path
from typing import Any, Final

import structlog

log = structlog.get_logger()


class JsonLines:
    """Appends objects to a file, each in it when the call returns."""

    def __init__(self, path: Path, *, bytes_max: int, ended: str) -> None:
        """Open the file for appending.

        Args:
            path: is made if it is not there.
            bytes_max: of the whole file, what was in it before included.
            ended: the name of the warning that says why nothing more is written.

        Raises:
            OSError: it cannot be opened.
        """
        self.path: Final = path
        self._ended = ended
        # Unbuffered: nothing is left to fail, or to lose, when the process is killed.
        self._file: FileIO | None = FileIO(path, "ab")
        self._bytes_left = bytes_max - os.fstat(self._file.fileno()).st_size

    def write(self, line: dict[str, Any]) -> None:
        """Append one object; the first that does not fit, or fails, ends the file."""
        if self._file is None:
            return
        text = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        self._bytes_left -= len(text)
        if self._bytes_left < 0:
            self._end("it has reached its size limit")
            return
        try:
            written = self._file.write(text)
        except OSError as error:
            self._end(error.strerror or str(error))
        else:
            if written != len(text):
                self._end("the disk took half a line")

    def close(self) -> None:
        """Close it; what comes later is not written."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _end(self, reason: str) -> None:
        log.warning(self._ended, path=str(self.path), reason=reason)
        self.close()
