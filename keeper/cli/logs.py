"""Logs: structlog, one JSON object per line, or coloured text for a terminal."""

import logging
import sys
from typing import Literal, TextIO

import structlog


def configure_logs(stream: TextIO, *, form: Literal["json", "text", "none"]) -> None:
    """Send the log to a stream; `none` while a live view owns the terminal."""
    # Libraries log through logging; what they say of warning and above joins ours, on the same stream.
    logging.basicConfig(
        stream=stream, level=logging.WARNING, format="%(name)s: %(message)s", force=True
    )
    if form == "none":
        logging.disable(logging.CRITICAL)
        structlog.configure(processors=[_drop], cache_logger_on_first_use=False)
        return
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _drop(
    _logger: object, _name: str, _event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    raise structlog.DropEvent


def stderr_form(*, as_json: bool) -> Literal["json", "text"]:
    """Choose the form of a log on stderr: text for a person, JSON for a pipe."""
    return "text" if sys.stderr.isatty() and not as_json else "json"
