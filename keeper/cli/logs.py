"""Logs: structlog, one JSON object per line, or coloured text for a terminal."""

import logging
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final, Literal, TextIO

import structlog

from keeper.cli.log_outlet import open_outlet
from keeper.config import Config
from keeper.monitor.sink_config import SinkConfig
from keeper.view import Notice
from programs.plain_text import plain_entry
from programs.redaction import Redaction, credentials, redaction_for

_FIRST_KEYS: Final = ("timestamp", "level", "event")
_NOTICES_KEPT: Final = 50
_WHOEVER_TELLS: Final = Redaction()
"""Hides what is secret in itself; the configuration's own secrets are added by whoever has read it."""


@contextmanager
def open_logs(
    stream: TextIO,
    *,
    form: Literal["json", "text"],
    least: int = logging.INFO,
    redaction: Redaction = _WHOEVER_TELLS,
    explorer_url: str | None = None,
    ends_with_reader: bool = True,
) -> Generator[None]:
    """Send the log to a stream until the block ends; nothing that happens to the stream stops the process.

    Args:
        stream: where to.
        form: how.
        least: the least severe level that is told; a command with progress of its own tells warnings only.
        redaction: hides secrets, in every line and last.
        explorer_url: where a signature can be looked at, with `{signature}` in it; lines with one get the link.
        ends_with_reader: whether a pipe that nobody reads any more asks the process to end; not one that is there to tell of it.
    """
    with open_outlet(stream, ends_with_reader=ends_with_reader) as outlet:
        renderers: list[structlog.typing.Processor] = (
            [_first_things_first, structlog.processors.JSONRenderer(default=str)]
            if form == "json"
            else [_plainly, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        )
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                partial(_link, explorer_url),
                partial(_redact, redaction),
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
def keep_notices(redaction: Redaction = _WHOEVER_TELLS) -> Generator[deque[Notice]]:
    """Keep the newest warnings for the live view, which owns the terminal until the block ends."""
    notices: deque[Notice] = deque(maxlen=_NOTICES_KEPT)

    def keep(
        _logger: object, level: str, entry: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        notices.append(Notice.from_entry(level, entry))
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, partial(_redact, redaction), keep],
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


def explorer_of(config: Config) -> str | None:
    """Return where signatures can be looked at; nowhere for a sandbox's, which no explorer has heard of."""
    return None if config.sandbox.enabled else config.monitor.explorer_url


def redaction_of(config: Config, tokens: Iterable[str] = ()) -> Redaction:
    """Return what hides the credentials that stand in keeper.toml.

    Args:
        config: with every URL that is called.
        tokens: secrets out of files that it names.
    """
    cluster, venue = config.cluster, config.polymarket
    found = [text for sink in config.monitor.sinks for text in _secrets_of(sink)]
    urls = (*cluster.rpc_urls, *cluster.ws_urls, *(text for text in found if "://" in text))
    public = credentials(venue.clob_url, venue.gamma_url, venue.stream_url)
    return redaction_for(urls, (*tokens, *public, *(text for text in found if "://" not in text)))


def _secrets_of(sink: SinkConfig) -> Iterator[str]:
    """Yield a sink's URLs and keys; those in files are read, a file that cannot be is its reader's to complain of."""
    for name, value in asdict(sink).items():
        if isinstance(value, Path):
            with suppress(OSError, UnicodeDecodeError):
                yield value.read_text().strip()
        elif isinstance(value, str) and name.endswith(
            ("url", "key", "token", "secret", "password")
        ):
            yield value


def _link(
    explorer_url: str | None, _logger: object, _name: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    signature = entry.get("signature")
    if explorer_url is not None and signature is not None:
        entry["explorer_url"] = explorer_url.replace("{signature}", str(signature))
    return entry


def _redact(
    redaction: Redaction, _logger: object, _name: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: redaction.value(value) for key, value in entry.items()}


def _plainly(
    _logger: object, _name: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return plain_entry(entry)


def _first_things_first(
    _logger: object, _name: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Begin each line with when, how bad and what: a person reads it too."""
    return {key: entry[key] for key in _FIRST_KEYS if key in entry} | dict(entry)


def stderr_form(*, as_json: bool) -> Literal["json", "text"]:
    """Choose the form of a log on stderr: text for a person, JSON for a pipe."""
    return "text" if sys.stderr.isatty() and not as_json else "json"
