"""All accounts of a program: long replies, which are believed only as a whole.

Shell. What is refused: a body that is cut or longer than the bound (rpc_transport.py), a page that says there is more, an
address twice, an account of another program (rpc_replies.py), and a list that has shrunk without a second word
(completeness.py).
"""

import json
from collections.abc import Sequence
from typing import Final

from solders.pubkey import Pubkey

from programs.account_columns import OtherShape, rows_of_body
from programs.completeness import Census
from programs.rpc import Commitment, Filter, ProgramAccounts, ProgramRows, RpcIncomplete
from programs.rpc_pool import Pool
from programs.rpc_question import Question
from programs.rpc_reads import read
from programs.rpc_replies import has_twins, parse_reply, read_program_accounts
from programs.rpc_transport import read_body

_METHOD: Final = "getProgramAccounts"
_CENSUSES_MAX: Final = 256
"""Questions whose count is remembered."""


class ProgramReader:
    """Reads lists of accounts, and remembers how long they were."""

    def __init__(self, pool: Pool) -> None:
        """Begin without any memory."""
        self._pool = pool
        self._censuses: dict[str, Census] = {}

    async def accounts(
        self,
        program: Pubkey,
        commitment: Commitment,
        filters: Sequence[Filter],
        data_slice: tuple[int, int] | None,
    ) -> ProgramAccounts:
        """Read a program's accounts; `data_slice` is (offset, length)."""
        options = _options(commitment, filters)
        if data_slice is not None:
            options["dataSlice"] = {"offset": data_slice[0], "length": data_slice[1]}

        def count(found: ProgramAccounts, number: int) -> None:
            self._count(program, filters, len(found.accounts), number)

        return await read(
            self._pool,
            Question(
                method=_METHOD,
                params=(str(program), options),
                commitment=commitment,
                parse=lambda found: read_program_accounts(found, program),
                check=count,
                timeout_s=self._pool.settings.scan_timeout_s,
                is_bulky=True,
            ),
        )

    async def rows(
        self, program: Pubkey, commitment: Commitment, filters: Sequence[Filter], row_bytes: int
    ) -> ProgramRows:
        """Read a program's accounts of one length, of which there may be a million."""

        def read_rows(body: bytes, request_id: int, where: str) -> ProgramRows:
            try:
                rows = rows_of_body(body, request_id, row_bytes, owner=str(program))
            except OtherShape:
                found = read_body(body, request_id, where)
                accounts = parse_reply(
                    lambda reply: read_program_accounts(reply, program), _METHOD, found
                )
                return ProgramRows.of(accounts, row_bytes)
            if has_twins(rows.addresses):
                raise RpcIncomplete(
                    f"{where}: an address stands twice among {len(rows.data)} accounts"
                )
            return rows

        def count(found: ProgramRows, number: int) -> None:
            self._count(program, filters, len(found.data) + found.other_lengths, number)

        return await read(
            self._pool,
            Question(
                method=_METHOD,
                params=(str(program), _options(commitment, filters)),
                commitment=commitment,
                parse=_as_rows,
                check=count,
                timeout_s=self._pool.settings.scan_timeout_s,
                is_bulky=True,
                read=read_rows,
            ),
        )

    def _count(self, program: Pubkey, filters: Sequence[Filter], count: int, number: int) -> None:
        """Refuse a list that has become implausibly short.

        Raises:
            RpcIncomplete: it has, and nobody has confirmed it.

        """
        asked = json.dumps([str(program), [dict(each) for each in filters]])
        census = self._censuses.pop(asked, Census())
        if len(self._censuses) >= _CENSUSES_MAX:
            del self._censuses[next(iter(self._censuses))]
        self._censuses[asked], reason = census.take(count, number)
        if reason is not None:
            name = self._pool.endpoints[number].name
            raise RpcIncomplete(f"{_METHOD} at {name}: {reason}; believed when said again")


def _as_rows(found: ProgramRows) -> ProgramRows:
    return found


def _options(commitment: Commitment, filters: Sequence[Filter]) -> dict[str, object]:
    options: dict[str, object] = {
        "commitment": commitment,
        "encoding": "base64",
        "withContext": True,
    }
    if filters:
        options["filters"] = [dict(each) for each in filters]
    return options
