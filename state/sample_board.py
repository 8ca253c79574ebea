"""The newest sample of this process, as a line: what readers of the socket are given.

Shell, though it does no I/O: readers wait on it. Nothing queues: a reader that was slow gets the present.
"""

import trio

from state.sample import Sample, to_line


class SampleBoard:
    """One line, the newest wins; written once for all readers."""

    def __init__(self) -> None:
        self._line = b""
        self._sequence = 0
        self._is_last = False
        self._changed = trio.Event()

    @property
    def sequence(self) -> int:
        """Grows by one with every sample."""
        return self._sequence

    @property
    def is_over(self) -> bool:
        """Whether the last sample was published."""
        return self._is_last

    def publish(self, sample: Sample) -> None:
        """Replace the sample and wake every reader."""
        self._line = to_line(sample)
        self._sequence += 1
        self._is_last = sample.is_last
        self._changed.set()
        self._changed = trio.Event()

    async def wait_newer(self, sequence: int) -> tuple[int, bytes]:
        """Wait for a sample published after `sequence`; return its number and its line."""
        await trio.lowlevel.checkpoint()
        while self._sequence <= sequence:
            await self._changed.wait()
        return self._sequence, self._line

    async def wait_over(self) -> None:
        """Wait until the last sample was published."""
        while not self._is_last:
            await self._changed.wait()
