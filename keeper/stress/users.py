"""Many users, each with a key and funds, whose transactions go to the node as anybody's do; when each was handed in is kept.

Shell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import trio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
    mint_to,
)
from spl.token.models import MintToParams

from keeper.sandbox.cast import Actor, Cast, Role
from keeper.sandbox.wallet import Deed, land_all, post
from keeper.stress.evidence import UserSend
from programs.addresses import TOKEN_PROGRAM
from programs.localnet.bank import Bank
from programs.rpc import LatestBlockhash, Rpc, RpcFailure
from programs.units import ComputeUnits, MicroLamports

_LAMPORTS: Final = 10 * 10**9
_USERS_PER_TRANSACTION: Final = 4
_USD: Final = 1_000_000
_BLOCKHASH_AGE_MAX_S: Final = 2.0
_UNTAKEN: Final = "untaken"


@dataclass(slots=True, kw_only=True)
class Crowd:
    """Users, and what they handed in."""

    rpc: Rpc
    bank: Bank
    """Of it only the slot is read."""
    started_s: float
    users: tuple[Actor, ...] = ()
    sends: list[UserSend] = field(default_factory=list)
    _latest: LatestBlockhash | None = None
    _latest_s: float = 0.0

    async def send(
        self,
        user: Actor,
        instructions: Sequence[Instruction],
        *,
        cu: int = 200_000,
        cu_price: int = 0,
    ) -> bool:
        """Sign as a user and hand in; tells whether the node took it."""
        latest = await self._blockhash()
        sent_s, slot = trio.current_time() - self.started_s, self.bank.slot
        try:
            signature = await post(
                self.rpc,
                latest,
                instructions,
                [user.key],
                cu=ComputeUnits(cu),
                cu_price=MicroLamports(cu_price),
            )
        except RpcFailure:
            name, is_taken = f"{_UNTAKEN} {len(self.sends)}", False
        else:
            name, is_taken = str(signature), True
        self.sends.append(
            UserSend(
                signature=name,
                sent_s=sent_s,
                sent_slot=slot,
                is_taken=is_taken,
                cu_price_micro_lamports=cu_price,
            )
        )
        return is_taken

    async def _blockhash(self) -> LatestBlockhash:
        if self._latest is None or trio.current_time() - self._latest_s > _BLOCKHASH_AGE_MAX_S:
            self._latest_s = trio.current_time()
            self._latest = await self.rpc.get_latest_blockhash("processed")
        return self._latest


def users_of(count: int, quote_mint: Pubkey) -> tuple[Actor, ...]:
    """Return so many users, the same ones every time."""
    keys = [
        Keypair.from_seed(sha256(f"betting-keeper stress user {number}".encode()).digest())
        for number in range(count)
    ]
    return tuple(
        Actor(
            role=Role.NOISE,
            key=key,
            tokens=get_associated_token_address(key.pubkey(), quote_mint),
        )
        for key in keys
    )


async def fund_users(rpc: Rpc, cast: Cast, users: Sequence[Actor], usd: int) -> None:
    """Give every user lamports, a token account and dollars.

    Raises:
        RpcFailure: the network did not answer.
        SandboxError: a step was refused.
    """
    size = _USERS_PER_TRANSACTION
    await land_all(
        rpc, [_fund(cast, users[at : at + size], usd) for at in range(0, len(users), size)]
    )


def _fund(cast: Cast, users: Sequence[Actor], usd: int) -> Deed:
    admin, mint = cast.admin, cast.quote_mint.pubkey()
    funded: list[Instruction] = []
    for user in users:
        gift = TransferParams(from_pubkey=admin.address, to_pubkey=user.address, lamports=_LAMPORTS)
        issue = MintToParams(
            program_id=TOKEN_PROGRAM,
            mint=mint,
            dest=user.tokens,
            mint_authority=admin.address,
            amount=usd * _USD,
        )
        funded += [
            create_idempotent_associated_token_account(admin.address, user.address, mint),
            transfer(gift),
            mint_to(issue),
        ]
    return funded, [admin.key]
