import httpx
import trio

from keeper.prices.websocket import Websocket


class FullPipe:
    """A connection on which there is always more to read than is read at once, until it falls silent."""

    def __init__(self, reads):
        self._reads = reads

    async def read(self, max_bytes):
        if not self._reads:
            await trio.sleep_forever()
        self._reads -= 1
        # The beginning of one message longer than all that comes.
        await trio.sleep(1)
        return (b"\x81\x7f" + (10**9).to_bytes(8, "big")).ljust(max_bytes, b" ")


async def test_a_reader_that_never_finds_the_end_has_not_drained_and_a_waiting_one_has(
    autojump_clock,
):
    socket = Websocket("ws://x", FullPipe(20), httpx.Headers(), 2 * 10**9)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(socket.receive_text)
        await trio.sleep(20.2)
        assert not socket.has_drained_since(10.0, trio.current_time())
        await trio.sleep(0.6)
        assert socket.has_drained_since(10.0, trio.current_time())
        nursery.cancel_scope.cancel()
