"""Faults that a test asks for by name; each happens once, before chance has a say."""

from collections import deque
from collections.abc import Callable
from typing import Final

from programs.localnet.fates import ReplyFate, SendFate, SlotFate
from programs.localnet.spoiled import SPOILAGES

_LOST: Final = SendFate(after_slots=())


class Asked:
    """What is still to happen."""

    def __init__(self, blocks_max: Callable[[], int]) -> None:
        self._blocks_max = blocks_max
        self._sendings: deque[SendFate] = deque()
        self._replies: deque[tuple[int, str | None, str, bool | None]] = deque()
        self._slot: SlotFate | None = None
        self.returning: bool | None = None
        """Whether what the next fork takes back lands again; None leaves it to the dice."""

    def lose_next(self, count: int = 1) -> None:
        """Let the next `count` transactions sent vanish."""
        self._sendings.extend([_LOST] * count)

    def let_arrive_next(self, *after_slots: int) -> None:
        """Let the next transaction sent arrive so many slots later, once for each number."""
        self._sendings.append(SendFate(after_slots=after_slots))

    def fork(self, blocks: int, *, returning: bool | None = None) -> None:
        """Take so many blocks back when the current slot ends.

        Args:
            blocks: How many, the current one included.
            returning: Whether what they held lands again in the slot after; None leaves it to the dice.

        Raises:
            ValueError: A finalized block would be among them.
        """
        most = self._blocks_max()
        if not 1 <= blocks <= most:
            raise ValueError(f"cannot take {blocks} blocks back, expected 1 to {most}")
        self._slot = SlotFate(fork_blocks=blocks)
        self.returning = returning

    def spoil_next(
        self,
        spoilage: str,
        count: int = 1,
        *,
        endpoint: int = 0,
        method: str | None = None,
        is_done: bool | None = None,
    ) -> None:
        """Spoil the next `count` replies of an endpoint.

        Args:
            spoilage: One of `spoiled.SPOILAGES`.
            count: How many replies.
            endpoint: Whose.
            method: To which method; None is any.
            is_done: Whether the requests are carried out; None leaves it to the dice.

        Raises:
            ValueError: There is no such way to spoil a reply.
        """
        if spoilage not in SPOILAGES:
            raise ValueError(f"{spoilage!r} is none of {', '.join(SPOILAGES)}")
        self._replies.extend([(endpoint, method, spoilage, is_done)] * count)

    # What the network takes from it

    def take_sending(self) -> SendFate | None:
        """The fate of the transaction now sent."""
        return self._sendings.popleft() if self._sendings else None

    def take_slot(self) -> SlotFate | None:
        """The fate of the slot now ending."""
        fate, self._slot = self._slot, None
        return fate

    def take_reply(
        self, endpoint: int, method: str, decide: Callable[[str], bool]
    ) -> ReplyFate | None:
        """The fate of a reply; `decide` says whether the request is carried out where nobody has."""
        for place, (where, wanted, spoilage, is_done) in enumerate(self._replies):
            if where == endpoint and wanted in {None, method}:
                del self._replies[place]
                done = decide(spoilage) if is_done is None else is_done
                return ReplyFate(spoilage=spoilage, is_done=done)
        return None
