"""keeper/drills/orders.py passing_http.py: what an operator types, and bytes on their way through."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.drills.faults import Blackhole, Cut, Drip, Garbage, Latency, Refuse
from keeper.drills.orders import HELP, OrderError, order_of, schedule_of
from keeper.drills.passing_http import Frames, PassingError, Requests
from keeper.prices.errors import MalformedError

GET = b"GET /book?token_id=1 HTTP/1.1\r\nHost: 127.0.0.1:9\r\nAccept: */*\r\n\r\n"
POST = b"POST /books HTTP/1.1\r\nhost:x\r\nContent-Length: 4\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "wires"),
    [
        ("latency 500ms", (Latency(delay_s=0.5),)),
        ("drip 50", (Drip(bytes_per_s=50),)),
        ("cut 100", (Cut(after_bytes=100),)),
        ("reset", (Cut(after_bytes=0, is_reset=True),)),
        ("reset 9", (Cut(after_bytes=9, is_reset=True),)),
        ("blackhole", (Blackhole(),)),
        ("refuse", (Refuse(),)),
        ("garbage", (Garbage(),)),
        ("none", ()),
        ("latency 2s, drip 7", (Latency(delay_s=2.0), Drip(bytes_per_s=7))),
    ],
)
def test_orders_are_read(line, wires):
    assert order_of(line).wires == wires


def test_statuses_shares_and_freezes_are_read():
    order = order_of("30%  status 429 retry 5,   freeze")
    assert (order.share_percent, order.is_muted, order.status.status) == (30, True, 429)
    assert order.status.headers == (("Retry-After", "5"),)
    assert order_of("status 403").status.content_type == "text/html"
    assert order.text == "30% status 429 retry 5, freeze"


@pytest.mark.parametrize(
    "line",
    ["", "explode", "latency", "latency 2", "drip 0", "status 99", "status 503 later", "0% refuse", "cut -1", "refuse,"],
)  # fmt: skip
def test_what_is_no_order_is_refused(line):
    with pytest.raises(OrderError):
        order_of(line)


@given(st.text(max_size=40))
def test_any_line_is_an_order_or_refused(line):
    with contextlib.suppress(OrderError):
        assert order_of(line).text == " ".join(line.split())


def test_every_order_that_help_lists_is_one():
    listed = [line[:20].strip() for line in HELP.splitlines() if line[18:20] == "  "]
    assert len(listed) == 10
    assert [order_of(line).text for line in listed] == listed


def test_a_schedule_has_a_time_and_an_order_on_each_line():
    timed = schedule_of("# rehearsal\n5s refuse\n\n1m 50% latency 2s # worse\n90s none\n")
    assert [(each.at_s, each.order.text) for each in timed] == [
        (5.0, "refuse"),
        (60.0, "50% latency 2s"),
        (90.0, "none"),
    ]
    with pytest.raises(OrderError, match="line 2: 'soon' is no length of time"):
        schedule_of("1s none\nsoon refuse")
    with pytest.raises(OrderError, match="line 2: 1s is before"):
        schedule_of("5s none\n1s refuse")


@given(st.integers(1, 200))
def test_every_request_of_a_connection_names_the_host_however_its_bytes_come(size):
    requests = Requests(host="clob.example")
    sent = GET + POST + b"body" + GET
    parts = [
        part for at in range(0, len(sent), size) for part in requests.feed(sent[at : at + size])
    ]

    passed = b"".join(part.data for part in parts)
    assert passed.count(b"Host: clob.example\r\n") == 3
    assert b"127.0.0.1" not in passed
    assert b"host:x" not in passed
    assert b"\r\n\r\nbodyGET " in passed
    assert [part.line for part in parts if part.line] == [
        "GET /book?token_id=1 HTTP/1.1",
        "POST /books HTTP/1.1",
        "GET /book?token_id=1 HTTP/1.1",
    ]


def test_a_websocket_is_asked_for_without_compression_and_then_passes_as_it_is():
    requests = Requests(host="h")
    head = GET[:-2] + b"Upgrade: WebSocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    passed = b"".join(part.data for part in requests.feed(head + b"\x81\x80"))
    assert b"deflate" not in passed
    assert passed.endswith(b"\r\n\r\n\x81\x80")
    assert requests.feed(b"GET")[0].data == b"GET"


@pytest.mark.parametrize(
    "sent",
    [
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x" * 70_000,
    ],
)
def test_what_is_no_plain_request_is_refused_with_its_reason(sent):
    with pytest.raises(PassingError):
        Requests(host="h").feed(sent)


@given(st.integers(1, 64))
def test_a_muted_websocket_answers_ping_and_says_nothing_else(size):
    long, huge = b"x" * 300, b"y" * 70_000
    sent = SWITCH + b"\x81\x02hi" + b"\x81\x04PONG" + b"\x8a\x00" + b"\x81\x7e\x01\x2c" + long
    sent += b"\x81\x7f" + (70_000).to_bytes(8, "big") + huge
    chunks = [sent[at : at + size * 100] for at in range(0, len(sent), size * 100)]

    def passed(*, is_muted):
        frames = Frames()
        return b"".join(frames.feed(chunk, is_muted=is_muted) for chunk in chunks)

    assert passed(is_muted=False) == sent
    assert passed(is_muted=True) == SWITCH + b"\x81\x04PONG\x8a\x00"


def test_a_handshake_that_is_refused_passes_and_what_are_no_frames_does_not():
    refused = b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"
    frames = Frames()
    assert (
        frames.feed(refused, is_muted=True) + frames.feed(b"more", is_muted=True)
        == refused + b"more"
    )
    with pytest.raises(MalformedError):
        Frames().feed(SWITCH + b"\xff\xff", is_muted=False)
