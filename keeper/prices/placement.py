"""Which tokens share a socket: as few sockets as the venue allows, and no token moves for another's sake.

Core.
"""

from collections.abc import Iterable

from keeper.prices.price import TokenId


class Placement:
    """The tokens of every socket, by the socket's number."""

    def __init__(self, tokens_per_socket: int) -> None:
        self._most = tokens_per_socket
        self._sockets: list[dict[TokenId, None]] = []
        self._socket_of: dict[TokenId, int] = {}

    def follow(self, tokens: Iterable[TokenId]) -> dict[int, tuple[TokenId, ...]]:
        """Place new tokens where there is room and let go of the others; return the sockets that changed.

        A socket may come out empty; its number is used again. A new number is one more than the largest so far.
        """
        wanted = dict.fromkeys(tokens)
        changed: set[int] = set()
        for token_id in self._socket_of.keys() - wanted.keys():
            number = self._socket_of.pop(token_id)
            del self._sockets[number][token_id]
            changed.add(number)
        number = 0
        for token_id in wanted:
            if token_id in self._socket_of:
                continue
            while number < len(self._sockets) and len(self._sockets[number]) >= self._most:
                number += 1
            if number == len(self._sockets):
                self._sockets.append({})
            self._sockets[number][token_id] = None
            self._socket_of[token_id] = number
            changed.add(number)
        return {number: tuple(self._sockets[number]) for number in sorted(changed)}
