"""Where a wallet's MMT goes: its associated token account, if it has a usable one.

Shell. A wallet without one is skipped and looked at again later, or gets one where the operator has said so.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import structlog
import trio
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from keeper.tally import Tally
from programs.addresses import TOKEN_PROGRAM
from programs.rpc import Account, Rpc
from programs.spl_token import NotTokenAccountError, decode_token_account

_PAUSE_S: Final = 60.0
"""Before a wallet that could not be paid is looked at again."""
log = structlog.get_logger()

Standing = Literal["usable", "missing", "unusable"]


@dataclass(slots=True)
class PayoutAccounts:
    """The wallets that cannot be paid for now."""

    mint: Pubkey
    """Of MMT."""
    tally: Tally
    _paused_until_s: dict[Pubkey, float] = field(default_factory=dict)

    def of(self, wallet: Pubkey) -> Pubkey:
        """Return where a wallet is paid."""
        return get_associated_token_address(wallet, self.mint)

    def may_look_at(self, wallet: Pubkey) -> bool:
        """Whether a wallet is not paused."""
        return trio.current_time() >= self._paused_until_s.get(wallet, 0.0)

    async def standings(self, rpc: Rpc, wallets: Iterable[Pubkey]) -> dict[Pubkey, Standing]:
        """Read the token accounts of wallets.

        Raises:
            RpcFailure: no node could say.
        """
        wanted = list(dict.fromkeys(wallets))
        addresses = [self.of(wallet) for wallet in wanted]
        found = await rpc.get_multiple_accounts(addresses, "confirmed")
        return {
            wallet: self._standing(wallet, account)
            for wallet, account in zip(wanted, found.accounts, strict=True)
        }

    def skip(self, wallets: Iterable[Pubkey], reason: str) -> None:
        """Pause wallets; each is counted once, and together they are told in one line."""
        until_s, new = trio.current_time() + _PAUSE_S, list[Pubkey]()
        for wallet in wallets:
            if wallet not in self._paused_until_s:
                new.append(wallet)
            self._paused_until_s[wallet] = until_s
        if new:
            self.tally.refusals[f"payouts.{reason.replace(' ', '_')}"] += len(new)
            log.warning(
                "payouts.skipped",
                wallets=len(new),
                first=str(new[0]),
                reason=reason,
                mint=str(self.mint),
            )

    def _standing(self, wallet: Pubkey, account: Account | None) -> Standing:
        if account is None or (account.owner != TOKEN_PROGRAM and not account.data):
            return "missing"
        if account.owner != TOKEN_PROGRAM:
            return "unusable"
        try:
            held = decode_token_account(account.data)
        except NotTokenAccountError:
            return "unusable"
        is_theirs = held.owner == wallet and held.mint == self.mint and not held.is_frozen
        return "usable" if is_theirs else "unusable"
