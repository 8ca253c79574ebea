"""keeper/monitor/heads.py: requests, judged before any server code sees them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.monitor import heads

TOKEN = "correct-horse-battery"
GOOD = b"GET /live HTTP/1.1\r\nHost: localhost:9184\r\n\r\n"


def head(*lines, first=b"GET / HTTP/1.1", host=b"Host: localhost"):
    return b"\r\n".join([first, *([host] if host else []), *lines, b"", b""])


def reason(found, token=None):
    refusal = heads.judge(found, token)
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize(
    "name", [b"localhost", b"127.0.0.1:9184", b"[::1]", b"[::1]:1", b"LOCALHOST"]
)
def test_this_machines_own_names_are_answered(name):
    assert reason(head(host=b"Host: " + name)) is None
    assert reason(head(first=b"HEAD /metrics HTTP/1.1")) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (head(first=b"POST / HTTP/1.1"), "method"),
        (head(first=b"DELETE /live HTTP/1.1"), "method"),
        (head(b"Content-Length: 1"), "body"),
        (head(b"Content-Length: 99999999999"), "body"),
        (head(b"Transfer-Encoding: chunked"), "body"),
        (head(b"Upgrade: h2c", b"Connection: upgrade"), "upgrade"),
        (head(b"Upgrade: websocket", b"Connection: upgrade"), "upgrade"),
        (head(first=b"GET /" + b"a" * 1_024 + b" HTTP/1.1"), "long_target"),
        (head(first=b"GET http://localhost/ HTTP/1.1"), "malformed"),
        (head(*(b"x-%d: y" % number for number in range(70))), "long_head"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "method"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "malformed"),
        (b"\r\n\r\n", "malformed"),
        (head(host=None), "malformed"),
        (head(host=b"Host: evil.example"), "host"),
        (head(host=b"Host: localhost.evil.example:9184"), "host"),
        (head(host=b"Host: evil.example:127.0.0.1"), "host"),
        (head(b"Host: evil.example"), "malformed"),
    ],
)
def test_what_is_no_plain_question_to_this_machine_is_refused(found, expected):
    assert expected == reason(found)


def basic(password):
    return b"Authorization: Basic " + base64.b64encode(b"anyone:" + password)


@pytest.mark.parametrize(
    "line", [b"Authorization: Bearer " + TOKEN.encode(), basic(TOKEN.encode())]
)
def test_whoever_knows_the_token_is_answered_by_any_name(line):
    assert reason(head(line, host=b"Host: monitor.example"), TOKEN) is None


@pytest.mark.parametrize(
    "line",
    [
        b"X-Nothing: 1",
        b"Authorization: Bearer",
        b"Authorization: Bearer " + TOKEN[:-1].encode(),
        b"Authorization: Bearer \xff\xfe",
        b"Authorization: Digest " + TOKEN.encode(),
        b"Authorization: Basic !!!",
        basic(b""),
        basic(b"wrong"),
    ],
)
def test_whoever_does_not_know_the_token_is_asked_for_it(line):
    refusal = heads.judge(head(line), TOKEN)
    assert (401, "token") == (refusal.status, refusal.reason)
    assert b'www-authenticate: Basic realm="keeper"' in heads.answer(refusal)
    assert TOKEN.encode() not in heads.answer(refusal)


@given(st.binary(max_size=300), st.integers(0, len(GOOD)))
def test_no_bytes_break_the_judge(noise, at):
    for found in (noise, GOOD[:at] + noise + GOOD[at:]):
        refusal = heads.judge(found, None)
        assert refusal is None or refusal.status >= 400
        assert 0 <= heads.end_of(found) <= len(found)


def test_a_refusal_is_a_whole_reply_that_ends_the_connection():
    reply = heads.answer(heads.CROWDED)
    before, body = reply.split(b"\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 503 ")
    assert f"content-length: {len(body)}".encode() in before
    assert b"connection: close" in before
    assert b"retry-after: 5" in before
