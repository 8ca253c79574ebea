"""How far a deployment has come on a cluster, what the rest will cost, and whether its payer can pay.

Shell.
"""

from dataclasses import dataclass
from typing import Final

from solders.keypair import Keypair
from solders.sysvar import RENT

from keeper.errors import ClusterError
from keeper.probing import probe_lamports
from programs import loader
from programs.addresses import SYSTEM_PROGRAM
from programs.deploy import (
    DeploymentFailed,
    DeploymentPlan,
    ProgramImage,
    Rent,
    buffer_keypair,
    plan_deployment,
)
from programs.in_flight import Pace
from programs.rent import MalformedRentError, RentRate, decode_rent
from programs.resume import Begun, Cost, Done, Found, Stage, Unbegun, cost_of, judge_stage
from programs.rpc import Account, Commitment, Rpc
from programs.step import NO_BID
from programs.units import Lamports, MicroLamports, Slot

_LAMPORTS_PER_SOL: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be deployed, and how."""

    image: ProgramImage
    payer: Keypair
    buffer: Keypair | None = None
    """Instead of the derived one."""
    cu_price: MicroLamports = NO_BID
    at_once: int = 32
    """Transactions in flight."""
    pace: Pace

    @property
    def buffer_key(self) -> Keypair:
        """Where the code is written before it is deployed."""
        return self.buffer or buffer_keypair(self.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a cluster has of an order, and what the rest will cost."""

    slot: Slot
    plan: DeploymentPlan
    stage: Stage
    cost: Cost
    rate: RentRate
    program_data: Account | None
    program: Account | None
    buffer: Account | None
    balance_lamports: Lamports
    needed_lamports: Lamports
    """What the payer must have: the cost, what keeps his own account alive, and what the probes want to see."""

    @property
    def chunks_left(self) -> int:
        """How many chunks of the code are still to be written."""
        match self.stage:
            case Begun():
                return len(self.stage.left)
            case Done():
                return 0
            case Unbegun():
                return len(self.plan.writes)


async def survey(rpc: Rpc, order: Order, commitment: Commitment = "confirmed") -> Survey:
    """Read how far a deployment has come, and what is left to pay.

    Raises:
        RpcFailure: the cluster cannot be read.
        DeploymentFailed: the program id, the buffer or the payer cannot be used.
    """
    image, payer = order.image, order.payer.pubkey()
    program = image.program.pubkey()
    if payer == program:
        raise DeploymentFailed(
            f"{payer} is both --program and --payer: the program's address cannot pay, give another keypair for one"
        )
    wanted = (
        program,
        loader.program_data_address(program),
        order.buffer_key.pubkey(),
        payer,
        RENT,
    )
    read = await rpc.get_multiple_accounts(wanted, commitment)
    program_account, program_data, buffer, payer_account, rent_sysvar = read.accounts
    rate = read_rent(rent_sysvar)
    if payer_account is not None and (payer_account.owner != SYSTEM_PROGRAM or payer_account.data):
        raise DeploymentFailed(
            f"payer {payer} is an account of {payer_account.owner}, which cannot pay: give a plain wallet as --payer"
        )
    found = Found(program=program_account, program_data=program_data, buffer=buffer)
    rent = Rent.of(len(image.code), rate.exempt_lamports)
    plan = plan_deployment(
        image,
        order.payer,
        rent,
        buffer=order.buffer_key,
        held=found.held,
        cu_price=order.cu_price,
    )
    stage = judge_stage(image, plan, payer, found)
    cost = cost_of(stage, plan, rent, found.held)
    return Survey(
        slot=read.slot,
        plan=plan,
        stage=stage,
        cost=cost,
        rate=rate,
        program=program_account,
        program_data=program_data,
        buffer=buffer,
        balance_lamports=Lamports(0) if payer_account is None else payer_account.lamports,
        needed_lamports=Lamports(cost.total_lamports + probe_lamports(rate)),
    )


def check_purse(order: Order, now: Survey) -> None:
    """Refuse to begin what the payer cannot finish.

    Raises:
        DeploymentFailed: with what he has and what it takes.
    """
    if now.balance_lamports < now.needed_lamports:
        raise DeploymentFailed(
            f"payer {order.payer.pubkey()} has {sol(now.balance_lamports)} SOL, expected at least "
            f"{sol(now.needed_lamports)}: {sol(now.cost.rent_lamports)} rent, {sol(now.cost.fees_lamports)} fees for "
            f"{now.cost.transactions} transactions, and the rest stays with the payer; fund it and run again"
        )


def sol(lamports: int) -> str:
    """Write lamports as SOL, exactly."""
    whole, fraction = divmod(lamports, _LAMPORTS_PER_SOL)
    return f"{whole}.{fraction:09d}"


def read_rent(sysvar: Account | None) -> RentRate:
    """Read the Rent sysvar.

    Raises:
        ClusterError: there is none, or it is no rent.
    """
    if sysvar is None:
        raise ClusterError(
            "the cluster has no Rent sysvar: check that --url is a Solana RPC endpoint"
        )
    try:
        return decode_rent(sysvar.data)
    except MalformedRentError as error:
        raise ClusterError(f"the cluster's rent cannot be read: {error}") from error
