import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.errors import MalformedReplyError, TooLargeError, TruncatedError
from keeper.prices.inflate import BoundedBody


def read(chunks, encoding="gzip", bytes_max=1_000):
    body = BoundedBody("http://venue/books", encoding, bytes_max)
    for chunk in chunks:
        body.take(chunk)
    return body.end()


@given(
    st.binary(max_size=2_000),
    st.sampled_from(["", "identity", "gzip", " GZIP "]),
    st.integers(1, 50),
)
def test_what_was_packed_comes_out_whole_in_chunks_of_any_size_or_is_too_large(
    content, encoding, size
):
    packed = gzip.compress(content) if "gzip" in encoding.lower() else content
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
    if len(content) <= 1_000:
        assert read(chunks, encoding) == content
    else:
        with pytest.raises(TooLargeError, match="more than 1000 bytes"):
            read(chunks, encoding)


def test_a_bomb_is_stopped_before_it_takes_the_room_it_would_fill():
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 70_000
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        read([bomb], bytes_max=100_000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "x" * 90])
def test_an_encoding_that_was_not_asked_for_is_refused(encoding):
    with pytest.raises(MalformedReplyError, match="content encoding"):
        read([b"{}"], encoding)


@pytest.mark.parametrize(
    ("packed", "error", "match"),
    [
        (b"{}", MalformedReplyError, "no readable gzip"),
        (zlib.compress(b"{}"), MalformedReplyError, "no readable gzip"),
        (gzip.compress(b"{}")[:-1], TruncatedError, "inside its gzip"),
        (b"", TruncatedError, "inside its gzip"),
        (gzip.compress(b"{}") + b"x", MalformedReplyError, "after the end"),
    ],
    ids=["plain", "zlib", "cut", "nothing", "more"],
)
def test_gzip_that_is_none_is_cut_off_or_goes_on_is_refused(packed, error, match):
    with pytest.raises(error, match=match):
        read([packed])
