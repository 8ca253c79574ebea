"""Tokens that are asked for and left out of the answer, again and again: which of them to ask Gamma about, and when.

Core. One omission is nothing: a book may be empty for a moment. A market that is over has no book for ever.
"""

from collections.abc import Collection, Iterable
from typing import Final

from keeper.prices.price import TokenId

OMISSIONS_TOLD: Final = 3
"""Answers in a row without a token after which it is asked about; after that at twice as many, and so on."""


class Omissions:
    """How often in a row each token was left out."""

    __slots__ = ("_in_a_row",)

    def __init__(self) -> None:
        self._in_a_row: dict[TokenId, int] = {}

    def note(self, told: Iterable[str], omitted: Iterable[TokenId]) -> tuple[TokenId, ...]:
        """Take in one answer, and return the tokens that are to be asked about now."""
        for token_id in told:
            self._in_a_row.pop(TokenId(token_id), None)
        due = []
        for token_id in omitted:
            in_a_row = self._in_a_row.get(token_id, 0) + 1
            self._in_a_row[token_id] = in_a_row
            if in_a_row % OMISSIONS_TOLD == 0 and _is_power_of_two(in_a_row // OMISSIONS_TOLD):
                due.append(token_id)
        return tuple(due)

    def forget_all_but(self, tokens: Collection[TokenId]) -> None:
        """Drop what is asked for no longer."""
        self._in_a_row = {one: count for one, count in self._in_a_row.items() if one in tokens}


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
