"""Logs: structlog, one JSON object per line, or coloured text for a terminal."""

import logging
import sys
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Literal, TextIO

import structlog

from keeper.cli.log_outlet import open_outlet
from keeper.view import Notice

_FIRST_KEYS: Final = ("timestamp", "level", "event")
_NOTICES_KEPT: Final = 50


@contextmanager
def open_logs(
    stream: TextIO, *, form: Literal["json", "text"], least: int = logging.INFO
) -> Generator[None]:
    """Send the log to a stream until the block ends; nothing that happens to the stream stops the process.

    Args:
        stream: where to.
        form: how.
        least: the least severe level that is told; a command with progress of its own tells warnings only.
    """
    with open_outlet(stream) as outlet:
        renderers: list[structlog.typing.Processor] = (
            [_first_things_first, structlog.processors.JSONRenderer(default=str)]
            if form == "json"
            else [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        )
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                *renderers,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(least),
            logger_factory=structlog.WriteLoggerFactory(outlet),  # type: ignore[arg-type]  # all of a TextIO that it uses
            cache_logger_on_first_use=False,
        )
        _adopt_libraries()
        yield


def set_log_level(name: str) -> None:
    """Tell lines of this severity and above from now on; one of debug, info, warning, error."""
    least = logging.getLevelNamesMapping()[name.upper()]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(least))


@contextmanager
def keep_notices() -> Generator[deque[Notice]]:
    """Keep the newest warnings for the live view, which owns the terminal until the block ends."""
    notices: deque[Notice] = deque(maxlen=_NOTICES_KEPT)

    def keep(
        _logger: object, level: str, entry: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        notices.append(Notice.from_entry(level, entry))
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, keep],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=False,
    )
    _adopt_libraries()
    yield notices


class _IntoOurs(logging.Handler):
    """What libraries log through `logging` joins our log, in its form."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, "library.said", logger=record.name, text=record.getMessage()
        )


def _adopt_libraries() -> None:
    logging.basicConfig(level=logging.WARNING, handlers=[_IntoOurs()], force=True)


def _first_things_first(
    _logger: object, _name: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Begin each line with when, how bad and what: a person reads it too."""
    return {key: entry[key] for key in _FIRST_KEYS if key in entry} | dict(entry)


def stderr_form(*, as_json: bool) -> Literal["json", "text"]:
    """Choose the form of a log on stderr: text for a person, JSON for a pipe."""
    return "text" if sys.stderr.isatty() and not as_json else "json"
