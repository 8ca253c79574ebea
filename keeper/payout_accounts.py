"""Where a wallet's MMT goes: its associated token account, if it has a usable one.

Shell. A wallet without one is skipped and looked at again later, ever more rarely, or gets one where the operator has said so.
Rent that is locked in a new account never comes back to us, so accounts are opened for wallets that somebody holds the key
of, and for nothing else: an address off the curve or one that a program owns is still paid once it has an account of its
own making. Whoever closes an account that we opened takes its rent, so none is opened for the same wallet twice.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import structlog
import trio
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from keeper.costs import TOKEN_ACCOUNT_RENT
from keeper.payout_jobs import CREATED, creation_id
from keeper.tally import Tally
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.rpc import Account, Rpc
from programs.spl_token import NotTokenAccountError, decode_token_account
from programs.units import Lamports, Slot

_PAUSE_FIRST_S: Final = 60.0
"""Before a wallet that could not be paid is looked at again; twice as long each time."""
_PAUSE_MAX_S: Final = 3_600.0
_SURVEYED_AT_ONCE: Final = 1_000
"""Between two chances for others to run: deriving an address takes some 20 microseconds."""
CLOSED_AGAIN: Final = "token account closed again"
"""Its owner has the rent of the one that we opened; he opens the next one himself."""
WITHHELD: Final = "token account withheld"
"""The lane has no money for its rent now."""
REFUSED: Final = "token account refused"
"""Opening it fails, whatever the reason."""
log = structlog.get_logger()

Standing = Literal["usable", "missing", "unusable"]
LandedSlots = Callable[[Sequence[str], str], Awaitable[Mapping[str, int]]]
"""When jobs landed last with an effect, of all that this keeper ever sent."""


@dataclass(frozen=True, slots=True)
class Standings:
    """How wallets can be paid, as of one slot."""

    slot: Slot
    of: Mapping[Pubkey, Standing]

    def those(self, standing: Standing) -> list[Pubkey]:
        """Return the wallets that stand so."""
        return [wallet for wallet, found in self.of.items() if found == standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What paying wallets takes beside fees, before anything of it is spent."""

    wallets: int
    with_account: int
    missing: int
    """Accounts that would be opened."""
    refused: int
    """Wallets that no account is opened for, or whose own cannot be used."""

    @property
    def rent_lamports(self) -> Lamports:
        """What opening those accounts locks up."""
        return Lamports(self.missing * TOKEN_ACCOUNT_RENT)


@dataclass(slots=True)
class _Pause:
    length_s: float
    until_s: float


@dataclass(slots=True)
class PayoutAccounts:
    """The wallets that cannot be paid for now."""

    mint: Pubkey
    """Of MMT."""
    tally: Tally
    landed_slots: LandedSlots
    _pauses: dict[Pubkey, _Pause] = field(default_factory=dict)

    def of(self, wallet: Pubkey) -> Pubkey:
        """Return where a wallet is paid."""
        return get_associated_token_address(wallet, self.mint)

    def may_look_at(self, wallet: Pubkey) -> bool:
        """Whether a wallet is not paused."""
        pause = self._pauses.get(wallet)
        return pause is None or trio.current_time() >= pause.until_s

    async def standings(self, rpc: Rpc, wallets: Iterable[Pubkey]) -> Standings:
        """Read the token accounts of wallets.

        Raises:
            RpcFailure: no node could say.
        """
        wanted = list(dict.fromkeys(wallets))
        addresses = [self.of(wallet) for wallet in wanted]
        found = await rpc.get_multiple_accounts(addresses, "confirmed")
        standings = {
            wallet: self._standing(wallet, account)
            for wallet, account in zip(wanted, found.accounts, strict=True)
        }
        return Standings(found.slot, standings)

    async def why_no_account(self, rpc: Rpc, standings: Standings) -> dict[Pubkey, str]:
        """Say for which of the wallets that have no token account none may be opened, and why.

        Raises:
            RpcFailure: no node could say.
        """
        refused, on_curve = await self._closed_again(standings), list[Pubkey]()
        for wallet in standings.those("missing"):
            if wallet in refused:
                continue
            if wallet.is_on_curve():
                on_curve.append(wallet)
            else:
                refused[wallet] = "wallet off curve"
        if on_curve:
            found = await rpc.get_multiple_accounts(on_curve, "confirmed")
            for wallet, account in zip(on_curve, found.accounts, strict=True):
                if account is not None and account.owner != SYSTEM_PROGRAM:
                    refused[wallet] = "wallet owned by a program"
        return refused

    async def _closed_again(self, standings: Standings) -> dict[Pubkey, str]:
        """Find wallets for which we have opened an account that is gone: by then it was seen, for the slot is a later one."""
        ids = {creation_id(self.mint, wallet): wallet for wallet in standings.those("missing")}
        opened = await self.landed_slots([*ids], CREATED) if ids else {}
        return {
            ids[job_id]: CLOSED_AGAIN for job_id, slot in opened.items() if slot < standings.slot
        }

    async def survey(self, rpc: Rpc, wallets: Sequence[Pubkey]) -> Survey:
        """Count what is missing, a part at a time.

        Raises:
            RpcFailure: no node could say.
        """
        with_account = missing = 0
        for start in range(0, len(wallets), _SURVEYED_AT_ONCE):
            part = wallets[start : start + _SURVEYED_AT_ONCE]
            standings = await self.standings(rpc, part)
            refused = await self.why_no_account(rpc, standings)
            missing += len(standings.those("missing")) - len(refused)
            with_account += len(standings.those("usable"))
        return Survey(
            wallets=len(wallets),
            with_account=with_account,
            missing=missing,
            refused=len(wallets) - with_account - missing,
        )

    def skip(self, wallets: Iterable[Pubkey], reason: str) -> None:
        """Pause wallets; each is counted once, and together they are told in one line."""
        now_s, new = trio.current_time(), list[Pubkey]()
        for wallet in wallets:
            if (pause := self._pauses.get(wallet)) is None:
                new.append(wallet)
                self._pauses[wallet] = _Pause(_PAUSE_FIRST_S, now_s + _PAUSE_FIRST_S)
            elif now_s >= pause.until_s:
                pause.length_s = min(2 * pause.length_s, _PAUSE_MAX_S)
                pause.until_s = now_s + pause.length_s
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
