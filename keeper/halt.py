"""The platform's halt, once and for good: read whether there is anything to halt, halt it, and see that it stands.

Shell. The chain is the only record: a halt sent twice is refused by the program, whose halt authority is gone with the first.
After a kill the same order reads what is there and goes on.
"""

from dataclasses import dataclass
from typing import Final

import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.sysvar import RENT

from keeper.deployment import FINALITY_TIMEOUT_S
from keeper.errors import HaltError
from keeper.land_steps import land_steps, why_not
from keeper.survey import read_rent, sol
from programs import instructions
from programs.accounts import Global, MalformedAccountError
from programs.addresses import global_address
from programs.in_flight import Pace
from programs.rpc import Account, Commitment, Rpc
from programs.step import NO_BID, Step
from programs.units import ComputeUnits, Lamports, MicroLamports

_HALT_CU: Final = ComputeUnits(2_000)
"""It uses 796 (`keeper profile halt`), and what bids asks for its own limit: two instructions of 150."""
_FINALITY_POLL_S: Final = 0.1
_ROUNDS_MAX: Final = 5
"""One transaction is all there is; a blockhash may expire, a fork may take it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltOrder:
    """What is to be halted, by whom, and who pays for it."""

    program: Pubkey
    authority: Keypair
    payer: Keypair
    """May be the authority itself."""
    cu_price: MicroLamports = NO_BID

    @property
    def step(self) -> Step:
        """The transaction that halts."""
        also = () if self.payer.pubkey() == self.authority.pubkey() else (self.authority,)
        return Step(
            instructions=(instructions.halt(self.program, self.authority.pubkey()),),
            signers=(self.payer, *also),
            cu_limit=_HALT_CU,
            cu_price_micro_lamports=self.cu_price,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltSurvey:
    """What there is to halt, as confirmed."""

    is_halted: bool
    market_count: int
    balance_lamports: Lamports
    """The payer's."""
    needed_lamports: Lamports
    """What he must have: the fee, and what keeps his own account alive."""


async def survey_halt(rpc: Rpc, order: HaltOrder) -> HaltSurvey:
    """Read whether the platform can be halted by this order.

    Raises:
        RpcFailure: the cluster cannot be read.
        HaltError: there is no platform, somebody else halts it, or the payer cannot pay.
    """
    wanted = (global_address(order.program)[0], order.payer.pubkey(), RENT)
    genesis, payer, rent = (await rpc.get_multiple_accounts(wanted, "confirmed")).accounts
    platform = _platform(order.program, genesis)
    found = HaltSurvey(
        is_halted=bool(platform.halted),
        market_count=platform.market_count,
        balance_lamports=Lamports(0) if payer is None else payer.lamports,
        needed_lamports=Lamports(order.step.fee_lamports + read_rent(rent).exempt_lamports(0)),
    )
    if not found.is_halted:
        _check(order, platform, found)
    return found


async def halt(rpc: Rpc, order: HaltOrder, pace: Pace) -> None:
    """Halt the platform, unless it is, and wait until that is final.

    Raises:
        RpcFailure: the cluster cannot be read; running again goes on from here.
        HaltError: it cannot be halted by this order, the transaction was refused again and again, or nothing becomes final.
    """
    reason = ""
    for _ in range(_ROUNDS_MAX):
        if (await survey_halt(rpc, order)).is_halted:
            await _wait_finalized(rpc, order.program)
            return
        reason = why_not(await land_steps(rpc, [order.step], pace))
    raise HaltError(f"the platform is not halted: {reason}; run it again to go on")


def _platform(program: Pubkey, account: Account | None) -> Global:
    if account is None or account.owner != program:
        raise HaltError(
            f"there is no platform of program {program} on this cluster: correct --program, --url or keeper.toml"
        )
    try:
        return Global.from_bytes(account.data)
    except MalformedAccountError as error:
        raise HaltError(
            f"the genesis account of program {program} is not of this release ({error}): use the release that founded it"
        ) from error


def _check(order: HaltOrder, platform: Global, found: HaltSurvey) -> None:
    """Refuse what the program or the cluster would."""
    if platform.halt_authority != order.authority.pubkey():
        raise HaltError(
            f"--authority is the key {order.authority.pubkey()}, and the halt authority of this platform is "
            f"{platform.halt_authority}: give the keypair of that address"
        )
    if found.balance_lamports < found.needed_lamports:
        raise HaltError(
            f"payer {order.payer.pubkey()} has {sol(found.balance_lamports)} SOL, expected at least "
            f"{sol(found.needed_lamports)} for the fee and its own rent: fund it, or name another with --payer"
        )


async def _wait_finalized(rpc: Rpc, program: Pubkey) -> None:
    """Wait until no fork can undo it."""
    with trio.move_on_after(FINALITY_TIMEOUT_S):
        while not await _is_halted(rpc, program, "finalized"):  # noqa: ASYNC110 - finality has no event
            await trio.sleep(_FINALITY_POLL_S)
        return
    raise HaltError(
        f"the halt is confirmed, but not final within {FINALITY_TIMEOUT_S:g} s: run it again when the cluster finalizes"
    )


async def _is_halted(rpc: Rpc, program: Pubkey, commitment: Commitment) -> bool:
    account = await rpc.get_account(global_address(program)[0], commitment)
    return bool(_platform(program, account).halted)
