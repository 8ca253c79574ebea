"""Where a running sandbox is, as a value and as the line it prints when it is ready.

Core.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, Self

from solders.pubkey import Pubkey

READY_EVENT: Final = "sandbox.ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxEndpoints:
    """Everything a keeper has to be told of a sandbox."""

    rpc_url: str
    """The first of `rpc_urls`."""
    rpc_urls: tuple[str, ...]
    """Every address of the network."""
    ws_url: str
    """The first of `ws_urls`."""
    ws_urls: tuple[str, ...]
    """Where each address of the network takes subscriptions."""
    clob_url: str
    gamma_url: str
    stream_url: str
    program_id: Pubkey
    keeper_keypair: Path
    """The oracle authority's keypair file."""
    quote_mint: Pubkey
    genesis_hash: str
    markets: int
    """On chain."""

    def to_line(self) -> str:
        """Write the ready line: one JSON object."""
        texts = {
            name: value if isinstance(value, int | tuple) else str(value)
            for name, value in asdict(self).items()
        }
        return json.dumps({"event": READY_EVENT} | texts)

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read a ready line.

        Raises:
            ValueError: it is none.
        """
        found = json.loads(line)
        if not isinstance(found, dict) or found.get("event") != READY_EVENT:
            raise ValueError(f"found {line[:200]!r}, expected the sandbox's ready line")
        try:
            values = {each.name: found[each.name] for each in fields(cls)}
        except KeyError as error:
            raise ValueError(f"the sandbox's ready line lacks {error}") from error
        values["rpc_urls"] = tuple(values["rpc_urls"])
        values["ws_urls"] = tuple(values["ws_urls"])
        values["program_id"] = Pubkey.from_string(values["program_id"])
        values["quote_mint"] = Pubkey.from_string(values["quote_mint"])
        values["keeper_keypair"] = Path(values["keeper_keypair"])
        return cls(**values)
