import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from keeper.prices.errors import MalformedError, TooLargeError
from keeper.prices.websocket_frames import FrameDecoder, Opcode

MAX = 1_000
texts = st.text(max_size=300)
messages = st.lists(
    st.tuples(st.just(Opcode.TEXT), st.lists(st.text(max_size=80), min_size=1, max_size=4))
    | st.tuples(st.just(Opcode.BINARY), st.lists(st.binary(max_size=80), min_size=1, max_size=4))
    | st.tuples(st.just(Opcode.PING), st.binary(max_size=125).map(lambda payload: [payload])),
    max_size=6,
)


def taken(decoder):
    found = []
    while (received := decoder.take()) is not None:
        found.append((received.opcode, received.payload))
    return found


def written(server, opcode, parts):
    """Let wsproto's server write a message in parts; a ping comes as it is."""
    if opcode is Opcode.PING:
        return server.send(Ping(payload=parts[0]))
    kind = TextMessage if opcode is Opcode.TEXT else BytesMessage
    return b"".join(
        server.send(kind(data=part, message_finished=number == len(parts)))
        for number, part in enumerate(parts, 1)
    )


@given(messages, st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_whatever_a_server_writes_is_read_however_its_bytes_are_cut(sent, cuts):
    server = Connection(ConnectionType.SERVER)
    wire = b"".join(written(server, opcode, parts) for opcode, parts in sent)
    expected = [
        (opcode, "".join(parts).encode() if opcode is Opcode.TEXT else b"".join(parts))
        for opcode, parts in sent
    ]
    decoder, found, at = FrameDecoder(MAX), [], 0
    for number in range(len(wire) + 1):
        step = cuts[number % len(cuts)]
        if at < len(wire):
            decoder.feed(wire[at : at + step])
            at += step
        found += taken(decoder)
    assert found == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_frames_or_refused(wire):
    decoder = FrameDecoder(MAX)
    decoder.feed(wire)
    try:
        taken(decoder)
    except (MalformedError, TooLargeError):
        return


@pytest.mark.parametrize("length", [0, 125, 126, 127, 999, 1_000])
def test_every_form_of_length_is_read(length):
    decoder = FrameDecoder(MAX)
    decoder.feed(Connection(ConnectionType.SERVER).send(TextMessage(data="x" * length)))
    assert taken(decoder) == [(Opcode.TEXT, b"x" * length)]


def test_a_long_message_is_refused_at_its_header():
    decoder = FrameDecoder(MAX)
    decoder.feed(b"\x81\x7e" + (MAX + 1).to_bytes(2, "big"))
    with pytest.raises(TooLargeError, match="more than 1000 bytes"):
        decoder.take()
    decoder = FrameDecoder(2**40)
    decoder.feed(b"\x81\x7f" + (2**62).to_bytes(8, "big"))
    with pytest.raises(TooLargeError):
        decoder.take()


def test_fragments_are_counted_together_and_even_empty_ones_come_to_an_end():
    half = b"\x7e" + (MAX // 2).to_bytes(2, "big") + b"x" * (MAX // 2)
    decoder = FrameDecoder(MAX)
    decoder.feed(b"\x01" + half + b"\x00" + half)
    with pytest.raises(TooLargeError):
        decoder.take()
    decoder = FrameDecoder(MAX)
    decoder.feed(b"\x01\x00" + b"\x00\x00" * MAX)
    with pytest.raises(TooLargeError):
        decoder.take()


@pytest.mark.parametrize(
    "wire",
    [
        b"\x83\x00", b"\xc1\x00", b"\x81\x81", b"\x80\x00", b"\x09\x00", b"\x89\x7e\x00\xff", b"\x01\x00\x01\x00",
    ],
    ids=["unknown opcode", "reserved bit", "masked", "continues nothing", "ping in parts", "long ping", "begins twice"],
)  # fmt: skip
def test_what_breaks_the_protocol_is_refused(wire):
    decoder = FrameDecoder(MAX)
    decoder.feed(wire)
    with pytest.raises(MalformedError):
        taken(decoder)


def test_a_close_frame_is_passed_on():
    decoder = FrameDecoder(MAX)
    decoder.feed(Connection(ConnectionType.SERVER).send(CloseConnection(code=1012, reason="bye")))
    assert taken(decoder) == [(Opcode.CLOSE, b"\x03\xf4bye")]
