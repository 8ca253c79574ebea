"""An address on the command line."""

from typing import Final

import click
from solders.pubkey import Pubkey


class _Address(click.ParamType[Pubkey]):
    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Pubkey:
        """Read it."""
        try:
            return Pubkey.from_string(str(value))
        except ValueError:
            self.fail(f"{str(value)!r} is no address in base58", param, ctx)


ADDRESS: Final = _Address()
