"""Each kind of failure on a real loopback socket, as the operating system, ssl, trio and httpx really tell it."""

import gzip
import socket
import ssl
import struct
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from keeper.prices.board import PriceBoard
from keeper.prices.endpoints import Endpoint
from keeper.prices.errors import VenueError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.venue_http import open_venue

CERTIFICATE = Path(__file__).with_name("self_signed.pem")
"""Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost
-addext subjectAltName=DNS:localhost,IP:127.0.0.1`; it guards nothing."""
JSON = b"Content-Type: application/json\r\n"


def reply(body, head=JSON, status=b"200 OK"):
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + head + length + b"\r\n" + body


async def send_bytes(stream, sent):
    await stream.send_all(sent)


async def reset(stream, sent):
    await stream.send_all(sent)
    # Closing with a linger of nothing sends RST in place of FIN.
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def drip(stream, sent):
    for at in range(len(sent)):
        await stream.send_all(sent[at : at + 1])
        await trio.sleep(0.02)


@asynccontextmanager
async def serving(behave, sent=b"", context=None):
    """Serve one behaviour to every request, and count the requests."""
    requests = []

    async def talk(stream):
        raw = stream
        try:
            if context is not None:
                stream = trio.SSLStream(stream, context, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request:
                received = await stream.receive_some(65_536)
                if not received:
                    return
                request += received
            requests.append(request)
            await behave(stream, sent)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(raw)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, talk, 0, host="127.0.0.1"))
            yield listener.socket.getsockname()[1], requests
            nursery.cancel_scope.cancel()


async def failure_at(url, **settings):
    board = PriceBoard()
    config = FeedConfig(clob_url=url, response_bytes_max=100_000, **settings)
    async with open_venue(config, board) as venue:
        with pytest.raises(VenueError) as caught:
            async with venue.reading(Endpoint.TIME) as answer:
                answer.json()
        return caught.value


WHOLE = reply(b"1782670540")
BOMB = gzip.compress(bytes(32 << 20))

CASES = {
    "reset before an answer": (reset, b"", "reset", 2),
    "reset inside the head": (reset, WHOLE[:20], "reset", 2),
    "reset inside the body": (reset, WHOLE[:-4], "reset", 2),
    "ended before an answer": (send_bytes, b"", "truncated", 2),
    "ended inside the head": (send_bytes, WHOLE[:20], "truncated", 2),
    "ended inside the body": (send_bytes, WHOLE[:-4], "truncated", 2),
    "ended inside a chunk": (
        send_bytes,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + JSON + b"\r\n9\r\n1234",
        "truncated",
        2,
    ),
    "dripped without end": (drip, WHOLE, "timeout", 1),
    "no HTTP at all": (send_bytes, b"\x16\x03\x01 what is this\r\n\r\n" * 20, "malformed", 1),
    "404": (send_bytes, reply(b"{}", status=b"404 Not Found"), "status_4xx", 1),
    "403 of a firewall": (
        send_bytes,
        reply(b"<b>error code: 1010</b>", b"Content-Type: text/html\r\n", b"403 Forbidden"),
        "status_403",
        1,
    ),
    "425": (send_bytes, reply(b"service not ready", status=b"425 Too Early"), "status_425", 1),
    "429": (send_bytes, reply(b"slow down", status=b"429 Too Many Requests"), "status_429", 1),
    "500": (send_bytes, reply(b"oops", status=b"500 Internal Server Error"), "status_5xx", 1),
    "503 cut off inside its body": (
        send_bytes,
        reply(b"x" * 90, status=b"503 Service Unavailable")[:-20],
        "status_5xx",
        1,
    ),
    "302": (
        send_bytes,
        reply(b"", b"Location: http://127.0.0.1:1/\r\n", b"302 Found"),
        "status",
        1,
    ),
    "204": (send_bytes, b"HTTP/1.1 204 No Content\r\n\r\n", "status", 1),
    "HTML with 200": (send_bytes, reply(b"<b>wait</b>", b"Content-Type: text/html\r\n"), "not_json", 1),
    "HTML that says it is JSON": (send_bytes, reply(b"<b>wait</b>"), "not_json", 1),
    "not UTF-8": (send_bytes, reply(b'"\xff"'), "not_json", 1),
    "NaN": (send_bytes, reply(b"NaN"), "not_json", 1),
    "a nested bomb": (send_bytes, reply(b"[" * 90_000), "not_json", 1),
    "too large": (send_bytes, reply(b"[" + b"1," * 60_000 + b"1]"), "too_large", 1),
    "a gzip bomb": (send_bytes, reply(BOMB, JSON + b"Content-Encoding: gzip\r\n"), "too_large", 1),
    "an encoding not asked for": (
        send_bytes,
        reply(b"\x0b\x02\x80{}\x03", JSON + b"Content-Encoding: br\r\n"),
        "malformed",
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("behave", "sent", "kind", "requests"), CASES.values(), ids=CASES.keys())
async def test_a_failure_has_its_own_kind_and_only_a_lost_connection_is_tried_again(
    behave, sent, kind, requests
):
    timeout_ms = 150 if kind == "timeout" else 20_000
    async with serving(behave, sent) as (port, heard):
        error = await failure_at(f"http://127.0.0.1:{port}", request_timeout_ms=timeout_ms)
    assert error.kind == kind, repr(error)
    assert len(heard) == requests
    assert str(error).isprintable()
    assert len(str(error)) < 400


async def test_a_name_that_does_not_resolve_a_port_nobody_listens_on_and_a_false_certificate():
    assert (await failure_at("http://venue.invalid")).kind == "dns"
    assert (await failure_at("http://127.0.0.1:1")).kind == "refused"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    async with serving(send_bytes, WHOLE, context) as (port, heard):
        error = await failure_at(f"https://127.0.0.1:{port}")
        assert error.kind == "tls"
        assert "certificate" in str(error)
    assert heard == []


async def test_a_peer_that_speaks_no_tls_is_told_from_one_that_hangs_up_in_the_handshake():
    async with serving(send_bytes) as (port, _):
        assert (
            await failure_at(f"https://127.0.0.1:{port}", request_timeout_ms=500)
        ).kind == "timeout"

    async def greet(stream):
        await stream.receive_some(1)
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    async def hang_up(stream):
        await stream.receive_some(1)
        await stream.aclose()

    for behave, kinds in ((greet, {"tls"}), (hang_up, {"tls", "reset"})):
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                (listener,) = await nursery.start(
                    partial(trio.serve_tcp, behave, 0, host="127.0.0.1")
                )
                port = listener.socket.getsockname()[1]
                assert (await failure_at(f"https://127.0.0.1:{port}")).kind in kinds
                nursery.cancel_scope.cancel()


async def test_a_connection_lost_once_is_made_up_for_by_one_more_try():
    answers = [(reset, WHOLE[:-4]), (send_bytes, WHOLE)]

    async def fail_once(stream, _):
        behave, sent = answers.pop(0)
        await behave(stream, sent)

    async with serving(fail_once, WHOLE) as (port, heard):
        config = FeedConfig(clob_url=f"http://127.0.0.1:{port}", request_timeout_ms=20_000)
        async with open_venue(config) as venue, venue.reading(Endpoint.TIME) as answer:
            assert answer.json() == 1_782_670_540
    assert len(heard) == 2


async def test_a_packed_reply_of_the_right_size_is_read_and_requests_say_who_asks():
    packed = reply(gzip.compress(b"1782670540"), JSON + b"Content-Encoding: gzip\r\n")
    async with serving(send_bytes, packed) as (port, heard):
        config = FeedConfig(clob_url=f"http://127.0.0.1:{port}", request_timeout_ms=20_000)
        async with open_venue(config) as venue, venue.reading(Endpoint.TIME) as answer:
            assert answer.json() == 1_782_670_540
    assert b"user-agent: betting-keeper" in heard[0].lower()
    assert b"accept-encoding: gzip\r\n" in heard[0].lower()
