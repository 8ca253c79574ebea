"""A wallet on the command line, which the shell completes from the ledger."""

from contextlib import suppress
from typing import Final

import click
from click.shell_completion import CompletionItem

from incentives.cli.config_options import ledger_path
from incentives.cli.ledger_options import reading, wallets_from
from incentives.ledger.errors import LedgerError
from state.errors import StateError

_OFFERED: Final = 50


class _Wallet(click.ParamType[str]):
    name = "wallet"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Offer the wallets of the ledger that the command names."""
        with suppress(click.ClickException, LedgerError, StateError):  # a shell is told nothing
            path = ctx.params.get("ledger_file") or ledger_path(ctx.params.get("config_path"))
            with reading(path) as db:
                found = wallets_from(db, incomplete, limit=_OFFERED)
            return [CompletionItem(wallet) for wallet in found]
        return []


WALLET: Final = _Wallet()
