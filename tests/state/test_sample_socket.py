import stat
from contextlib import suppress

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from state.metrics import JOBS_DUE, SLOT
from state.sample import LINE_BYTES_MAX, Figures, Sample, to_line
from state.sample_board import SampleBoard
from state.sample_socket import (
    READERS_MAX,
    SocketTakenError,
    read_samples,
    serve_samples,
    socket_path,
)

_HANG_S = 20.0


def _sample(sequence: int, *, is_last: bool = False, details=None) -> Sample:
    figures = Figures()
    figures.put(SLOT, 100 + sequence)
    figures.put(JOBS_DUE, 2, "prices")
    return Sample(
        service="keeper",
        sequence=sequence,
        is_last=is_last,
        figures=figures.values,
        details={} if details is None else details,
    )


async def test_a_reader_that_came_first_is_told_every_sample_and_which_one_was_the_last(tmp_path):
    path, board, heard = socket_path(tmp_path, "keeper"), SampleBoard(), []
    with trio.fail_after(_HANG_S):
        async with read_samples(path, retry_s=0.01) as samples, trio.open_nursery() as nursery:
            await nursery.start(serve_samples, path, board)
            board.publish(_sample(1))
            heard.append(await anext(samples))
            board.publish(_sample(2, is_last=True))
            heard.append(await anext(samples))
    assert heard == [_sample(1), _sample(2, is_last=True)]
    assert list(tmp_path.iterdir()) == []


async def test_who_reads_again_hears_the_next_process_at_the_same_place(tmp_path):
    path, heard = socket_path(tmp_path, "keeper"), []
    with trio.fail_after(_HANG_S):
        async with read_samples(path, retry_s=0.01) as samples:
            for sequence in (1, 2):
                board = SampleBoard()
                async with trio.open_nursery() as nursery:
                    await nursery.start(serve_samples, path, board)
                    board.publish(_sample(sequence))
                    heard.append((await anext(samples)).sequence)
                    nursery.cancel_scope.cancel(reason="killed")
    assert heard == [1, 2]


async def test_the_socket_is_its_owners_alone_and_replaces_one_that_a_dead_process_left(tmp_path):
    path = socket_path(tmp_path, "keeper")
    left = trio.socket.socket(trio.socket.AF_UNIX)
    await left.bind(str(path))
    left.close()
    with trio.fail_after(_HANG_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_samples, path, SampleBoard())
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert [each.name for each in tmp_path.iterdir()] == ["keeper.sock"]
            with pytest.raises(SocketTakenError, match=r"keeper\.sock: another process"):
                await serve_samples(path, SampleBoard())
            nursery.cancel_scope.cancel(reason="seen")
    assert not path.exists()


async def test_a_path_longer_than_an_address_works(tmp_path):
    folder = tmp_path / ("long-" * 20) / ("longer-" * 20)
    folder.mkdir(parents=True)
    path, board = socket_path(folder, "keeper"), SampleBoard()
    board.publish(_sample(7))
    with trio.fail_after(_HANG_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_samples, path, board)
            async with read_samples(path, retry_s=0.01) as samples:
                assert await anext(samples) == _sample(7)
            nursery.cancel_scope.cancel(reason="read")


async def test_a_reader_that_takes_nothing_delays_nobody_and_then_gets_the_newest(tmp_path):
    path, board = socket_path(tmp_path, "keeper"), SampleBoard()
    big = {"filler": "x" * 1_000_000}
    with trio.fail_after(_HANG_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_samples, path, board)
            stream = await _raw(path)
            async with stream, read_samples(path, retry_s=0.01) as samples:
                for sequence in range(1, 21):
                    board.publish(_sample(sequence, details=big))
                    assert (await anext(samples)).sequence == sequence
                # 20 MB were told meanwhile; the slow one is in the middle of an early line, and then gets the newest.
                received = bytearray()
                while received.count(b"\n") < 2:
                    received += await stream.receive_some(1 << 20)
            assert b'"sequence":20,' in received.split(b"\n")[1]
            nursery.cancel_scope.cancel(reason="read")


async def test_readers_are_bounded_and_what_they_send_is_ignored(tmp_path):
    path, board = socket_path(tmp_path, "keeper"), SampleBoard()
    board.publish(_sample(1))
    with trio.fail_after(_HANG_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_samples, path, board)
            streams = [await _raw(path) for _ in range(READERS_MAX)]
            for stream in streams:
                await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
                assert await stream.receive_some() == to_line(_sample(1))
            async with await _raw(path) as refused:
                assert await refused.receive_some() == b""
            await streams.pop().aclose()
            for sequence in (2, 3):  # it is seen to be gone when it is told something
                board.publish(_sample(sequence))
                for stream in streams:
                    assert await stream.receive_some() == to_line(_sample(sequence))
            await wait_all_tasks_blocked()
            async with await _raw(path) as welcome:
                assert await welcome.receive_some() == to_line(_sample(3))
            for stream in streams:
                await stream.aclose()
            nursery.cancel_scope.cancel(reason="read")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{}\n", "not a sample of figures"),
        (b"\xff\xfe\n", "not a sample of figures"),
        (b"x" * (LINE_BYTES_MAX + 2), "a line of more than 4194304 bytes"),
    ],
    ids=["empty", "no text", "endless"],
)
async def test_what_is_no_sample_is_refused_in_one_sentence_and_read_past(tmp_path, line, words):
    path, refused = socket_path(tmp_path, "keeper"), []
    board = SampleBoard()
    board.publish(_sample(3))

    async def lie_then_serve(hostile: trio.socket.SocketType) -> None:
        with hostile:
            stream = trio.SocketStream((await hostile.accept())[0])
            with suppress(trio.BrokenResourceError):  # it may refuse us before we have said it all
                await stream.send_all(line)
            await stream.aclose()
        await serve_samples(path, board)

    with trio.fail_after(_HANG_S):
        hostile = trio.socket.socket(trio.socket.AF_UNIX)
        await hostile.bind(str(path))
        hostile.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lie_then_serve, hostile)
            async with read_samples(path, refused.append, retry_s=0.01) as samples:
                assert (await anext(samples)).sequence == 3
            nursery.cancel_scope.cancel(reason="read")
    assert len(refused) == 1
    assert words in refused[0]


async def _raw(path) -> trio.SocketStream:
    return await trio.open_unix_socket(path)
