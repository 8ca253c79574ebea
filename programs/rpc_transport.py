"""One checked call to one endpoint: nothing is data until status, type, id and error have been looked at.

Why not solana-py's client: an error without `data` panics through it, unknown codes come back as the value,
and one unknown transaction error loses a whole batch (SOLANA.md section 4).
"""

import itertools
import json
import re
import reprlib
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlsplit

import httpx
import trio

from programs.endpoint_urls import shown_url
from programs.plain_text import with_whole_characters
from programs.rpc import RpcBadReply, RpcError, RpcFailure, RpcTimeout, RpcUnreachable

_EXCERPT_CHARS: Final = 120
_PARSE_INLINE_BYTES_MAX: Final = 1 << 20
"""About 10 ms of JSON; a longer body is parsed off the loop, so that prices and sends go on."""
_READ_INLINE_BYTES_MAX: Final = 64 << 10
"""Some hundred accounts."""
_DIGITS_MAX: Final = 9
_WORDS_MAX: Final = 400
"""Characters of what a node says of an error: all of it would go to the log, again and again."""
_ENCODING: Final = "gzip"
"""The one compression that is undone. A piece of 64 kB unpacks to 64 MB at most, and only then is the cap looked at: gzip
within gzip would make that 64 GB."""
_SECRET_CHARS_MIN: Final = 8
"""Shorter parts of a url are names, not keys."""

ReadBody = Callable[[bytes, int, str], Any]
"""Takes the body of a reply, the id of the request, and who was asked for what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one call brought."""

    result: Any
    """The `result` member: JSON, of any shape; or whatever the caller's reader made of the body."""
    body_bytes: int

    @property
    def is_large(self) -> bool:
        """Whether reading it would hold up the loop."""
        return self.body_bytes > _READ_INLINE_BYTES_MAX


@dataclass(slots=True, eq=False)
class Endpoint:
    """One JSON-RPC server."""

    url: str = field(repr=False)
    client: httpx.AsyncClient = field(repr=False)
    try_timeout_s: float
    """For one call, from the first byte out to the last byte in."""
    body_bytes_max: int
    connections: int = 0
    """Connections that answered so far: whoever answers on a new one may be somebody else."""
    _template: httpx.Request | None = field(default=None, repr=False)
    """What every request has in common, as the client builds it."""
    _ids: Iterator[int] = field(default_factory=itertools.count, repr=False)
    _streams: "weakref.WeakSet[object]" = field(default_factory=weakref.WeakSet, repr=False)

    @property
    def name(self) -> str:
        """What logs and errors may say of it."""
        return shown_url(self.url)

    async def call(
        self,
        method: str,
        params: Sequence[object],
        *,
        timeout_s: float | None = None,
        read: ReadBody | None = None,
    ) -> Reply:
        """Call once.

        Args:
            method: of JSON-RPC.
            params: its parameters.
            timeout_s: instead of `try_timeout_s`.
            read: takes the body of the reply instead, and raises as `read_body` does.

        Raises:
            RpcError: the node answered with an error member.
            RpcUnreachable, RpcTimeout, RpcBadReply: it gave no answer that can be believed.
        """
        request_id = next(self._ids)
        request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": list(params)}
        where = f"{method} at {self.name}"
        limit_s = timeout_s or self.try_timeout_s
        try:
            # httpx's own timeouts are per operation: one byte per 0.1 s would outlive them.
            with trio.fail_after(limit_s):
                response, body = await self._post(request, where)
        except trio.TooSlowError as error:
            raise RpcTimeout(f"{where}: no complete answer in {limit_s:g} s") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            reason = _without(self.url, str(error)) or type(error).__name__
            raise RpcUnreachable(f"{where}: {reason}") from error
        self._note_connection(response)
        try:
            return await self._read(response, body, request_id, where, read or read_body)
        except RpcFailure:
            # Some providers quote the key, or the path it stands in, in their refusals.
            hidden = _without_secrets(self.url, body)
            if hidden == body:
                raise
        return await self._read(response, hidden, request_id, where, read or read_body)

    async def _read(
        self, response: httpx.Response, body: bytes, request_id: int, where: str, read: ReadBody
    ) -> Reply:
        _check_envelope(response, body, where)
        if len(body) <= _PARSE_INLINE_BYTES_MAX:
            result = read(body, request_id, where)
        else:
            result = await trio.to_thread.run_sync(read, body, request_id, where)
        return Reply(result=result, body_bytes=len(body))

    def _note_connection(self, response: httpx.Response) -> None:
        # A transport without sockets has no stream: it counts as one connection.
        stream = response.extensions.get("network_stream", self)
        if stream is self:
            self.connections = max(self.connections, 1)
        elif stream not in self._streams:
            self._streams.add(stream)
            self.connections += 1

    async def _post(self, request: object, where: str) -> tuple[httpx.Response, bytes]:
        response = await self.client.send(self._request(request), stream=True)
        try:
            encoding = response.headers.get("content-encoding", "").strip().lower()
            if encoding not in ("", "identity", _ENCODING):
                raise RpcBadReply(
                    f"{where}: content encoding {encoding[:40]!r}, {_ENCODING} or none was asked for",
                    status=response.status_code,
                )
            body = bytearray()
            # An async generator, whatever httpx's annotation says: left half-read it must be closed here.
            reading = cast("AsyncGenerator[bytes, None]", response.aiter_bytes())
            async with aclosing(reading) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > self.body_bytes_max:
                        raise RpcBadReply(
                            f"{where}: the answer is longer than {self.body_bytes_max} bytes",
                            status=response.status_code,
                        )
            return response, bytes(body)
        finally:
            await response.aclose()

    def _request(self, body: object) -> httpx.Request:
        """Build a request as the client does, but for what is the same in each of them: 45 us of 110 a call."""
        headers = {"accept-encoding": _ENCODING}
        if self.client.cookies:  # whoever balances load may have set one
            return self.client.build_request("POST", self.url, json=body, headers=headers)
        template = self._template
        if template is None:
            template = self.client.build_request("POST", self.url, json=None, headers=headers)
            template.headers.pop("content-length", None)
            template.headers["content-type"] = "application/json"
            self._template = template
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return httpx.Request(
            template.method,
            template.url,
            headers=template.headers,
            content=content.encode(),
            extensions=template.extensions,
        )


def _check_envelope(response: httpx.Response, body: bytes, where: str) -> None:
    content_type = response.headers.get("content-type", "")
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    status = response.status_code
    if status == httpx.codes.OK and is_json:
        return
    excerpt = _excerpt(body)
    found = f"status {status}, {content_type or 'no content type'}"
    raise RpcBadReply(
        f"{where}: {found}: {excerpt}",
        status=status,
        excerpt=excerpt,
        retry_after_s=_retry_after_s(response.headers.get("retry-after")),
    )


def _retry_after_s(header: str | None) -> float | None:
    """Read a wish in whole seconds, as providers write it; one as a date counts as none, and the breaker's own wait holds."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS_MAX else None


def read_body(body: bytes, request_id: int, where: str) -> Any:  # noqa: ANN401 - JSON
    """Return the `result` member of a reply.

    Raises:
        RpcError: the node answered with an error member.
        RpcBadReply: it is no reply to this request.
    """
    try:
        reply = json.loads(with_whole_characters(body.decode()))
    except (ValueError, RecursionError) as error:
        raise RpcBadReply(f"{where}: not JSON: {_excerpt(body)}", excerpt=_excerpt(body)) from error
    if not isinstance(reply, dict):
        raise RpcBadReply(f"{where}: not an object: {_excerpt(body)}", excerpt=_excerpt(body))
    if reply.get("error") is not None:
        # Before the id: a node that could not read the request answers with id null.
        raise _node_error(reply["error"])
    if reply.get("id") != request_id:
        raise RpcBadReply(f"{where}: answers request {reply.get('id')!r}, not {request_id}")
    if "result" not in reply:
        raise RpcBadReply(f"{where}: neither result nor error: {_excerpt(body)}")
    return reply["result"]


def _node_error(error: object) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(RpcError.NAMELESS, _words(error))
    code = error.get("code")
    return RpcError(
        code if isinstance(code, int) else RpcError.NAMELESS,
        _words(error.get("message", "")),
        error.get("data"),
    )


def _words(found: object) -> str:
    return found[:_WORDS_MAX] if isinstance(found, str) else reprlib.repr(found)


def _excerpt(body: bytes) -> str:
    text = re.sub(r"\s+", " ", body[: 4 * _EXCERPT_CHARS].decode("utf-8", "replace")).strip()
    return text[:_EXCERPT_CHARS]


def _without(url: str, text: str) -> str:
    return text.replace(url, shown_url(url))


def _without_secrets(url: str, body: bytes) -> bytes:
    parts = urlsplit(url)
    values = (value for _, value in parse_qsl(parts.query))
    told = (parts.username or "", parts.password or "", *parts.path.split("/"), *values)
    for secret in sorted(told, key=len, reverse=True):
        if len(secret) >= _SECRET_CHARS_MIN:
            body = body.replace(secret.encode(), b"...")
    return body
