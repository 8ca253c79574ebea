"""The log of the service: one JSON object a line on stderr, or text for a person."""

import logging
import sys
from functools import partial

import structlog

from programs.plain_text import plain_entry
from programs.redaction import Redaction


def open_logs(redaction: Redaction) -> None:
    """Send the log to stderr, without secrets."""
    is_read_by_people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            partial(_redact, redaction),
            *(
                [_plainly, structlog.dev.ConsoleRenderer()]
                if is_read_by_people
                else [structlog.processors.JSONRenderer(default=str)]
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _plainly(
    _logger: object, _name: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return plain_entry(entry)


def _redact(
    redaction: Redaction, _logger: object, _name: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: redaction.value(value) for key, value in entry.items()}
