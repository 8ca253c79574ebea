"""A process's samples on a Unix socket beside its database: one line a second, to whoever may open that folder.

Shell. A reader is never waited for: each has a task of its own, gets the newest sample when it is ready for one, and is let
go when it takes nothing. Nothing that a reader sends is read. `socat - UNIX-CONNECT:state/keeper.sock` shows the lines.
"""

import os
import stat
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import trio

from state.sample import LINE_BYTES_MAX, Sample, SampleError, from_line
from state.sample_board import SampleBoard

SAMPLE_INTERVAL_S: Final = 1.0
"""Between two samples of a process."""
READERS_MAX: Final = 16
"""Who comes when so many read is let go at once."""
_TAKES_NOTHING_S: Final = 10.0
"""A reader that takes no byte for so long is let go."""
_LAST_WORDS_S: Final = 1.0
"""For handing the last sample to those who read."""
RETRY_S: Final = 0.5
"""Between two tries to reach a process that tells nothing."""
_CHUNK_BYTES: Final = 256 * 1024
_PATH_BYTES_MAX: Final = 107
"""Of an address, without its closing zero. Source: unix(7), sun_path."""


class SocketTakenError(OSError):
    """Another process tells its samples there."""


def socket_path(folder: Path, service: str) -> Path:
    """Return where a service tells its samples: `keeper.sock` or `incentives.sock` in its folder of state."""
    return folder / f"{service}.sock"


async def serve_samples(
    path: Path,
    board: SampleBoard,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Tell every reader each newest sample, until the last one was told.

    Raises:
        SocketTakenError: another process tells its samples there.
        OSError: the socket cannot be made.
    """
    listener, inode = await _listen(path)
    try:
        async with listener, trio.open_nursery() as readers:
            tell = partial(_tell, board, trio.CapacityLimiter(READERS_MAX))
            async with trio.open_nursery() as welcome:
                listen = partial(trio.serve_listeners, tell, [listener], handler_nursery=readers)
                await welcome.start(listen)
                task_status.started()
                await board.wait_over()
                welcome.cancel_scope.cancel(reason="the last sample is out")
            readers.cancel_scope.deadline = trio.current_time() + _LAST_WORDS_S
    finally:
        _remove(path, inode)


@trio.as_safe_channel
async def read_samples(
    path: Path, refused: Callable[[str], None] | None = None, *, retry_s: float = RETRY_S
) -> AsyncGenerator[Sample]:
    """Yield the samples of whoever tells them at `path`, connecting again whenever that ends; never returns.

    Args:
        path: of the socket; need not exist yet.
        refused: told in one sentence of each line that is no sample.
        retry_s: between two tries to reach it.
    """
    while True:
        try:
            stream = await _connect(path)
        except OSError:
            await trio.sleep(retry_s)
            continue
        async with stream, aclosing(_lines(stream)) as lines:
            try:
                async for line in lines:
                    yield from_line(line)
            except SampleError as error:
                if refused is not None:
                    refused(f"{path}: {error}")
            except trio.BrokenResourceError:
                pass
        await trio.sleep(retry_s)


async def _listen(path: Path) -> tuple[trio.SocketListener, int]:
    """Make the socket, readable by its owner only, in the place of one that a dead process left; return its inode too."""
    if await _is_alive(path):
        raise SocketTakenError(f"{path}: another process tells its figures there")
    _make_folder(path.parent)
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    listening = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    try:
        with _address(aside) as address:
            await listening.bind(address)
        aside.chmod(stat.S_IRUSR | stat.S_IWUSR)
        listening.listen(READERS_MAX)  # nobody could connect before this
        inode = aside.stat().st_ino
        aside.rename(path)
    except BaseException:
        listening.close()
        aside.unlink(missing_ok=True)
        raise
    return trio.SocketListener(listening), inode


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


async def _is_alive(path: Path) -> bool:
    try:
        await (await _connect(path)).aclose()
    except OSError:
        return False
    return True


def _remove(path: Path, inode: int) -> None:
    """Unlink our socket; another process's in its place stays."""
    with suppress(FileNotFoundError):
        if path.stat().st_ino == inode:
            path.unlink()


async def _connect(path: Path) -> trio.SocketStream:
    connecting = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            await connecting.connect(address)
    except BaseException:
        connecting.close()
        raise
    return trio.SocketStream(connecting)


@contextmanager
def _address(path: Path) -> Generator[bytes]:
    """Give a socket's address by its folder's descriptor where the path itself is too long for one."""
    whole = os.fsencode(path)
    if len(whole) <= _PATH_BYTES_MAX:
        yield whole
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield os.fsencode(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


async def _tell(
    board: SampleBoard, readers: trio.CapacityLimiter, reader: trio.SocketStream
) -> None:
    async with reader:
        try:
            readers.acquire_on_behalf_of_nowait(reader)
        except trio.WouldBlock:
            return
        try:
            await _tell_all(board, reader)
        except OSError:
            pass  # it went away
        finally:
            readers.release_on_behalf_of(reader)


async def _tell_all(board: SampleBoard, reader: trio.SocketStream) -> None:
    sequence = 0
    while not (board.is_over and sequence == board.sequence):
        sequence, line = await board.wait_newer(sequence)
        rest = memoryview(line)
        while rest:
            with trio.move_on_after(_TAKES_NOTHING_S) as patience:
                taken = await reader.socket.send(rest)
            if patience.cancelled_caught:
                return
            rest = rest[taken:]


async def _lines(stream: trio.SocketStream) -> AsyncGenerator[bytes]:
    """Yield whole lines.

    Raises:
        SampleError: a line is longer than any sample.
    """
    held = bytearray()
    searched = 0
    while chunk := await stream.receive_some(_CHUNK_BYTES):
        held += chunk
        while (end := held.find(b"\n", searched)) >= 0:
            yield bytes(held[:end])
            del held[: end + 1]
            searched = 0
        searched = len(held)
        if searched > LINE_BYTES_MAX:
            raise SampleError(f"a line of more than {LINE_BYTES_MAX} bytes")
