"""What a chain has before its first request: programs deployed for good, accounts paid."""

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction

from programs import instructions, loader
from programs.deploy import (
    DeploymentFailed,
    ProgramImage,
    Rent,
    plan_deployment,
)
from programs.genesis import MINT_BYTES, create_mint
from programs.localnet.admission import TransactionRefused
from programs.localnet.bank import Bank
from programs.localnet.window import derive_hash
from programs.proof import DeploymentProof, prove_deployment
from programs.step import Step
from programs.units import MMT_DECIMALS, QUOTE_DECIMALS


def program_keypair(seed: int, number: int = 0) -> Keypair:
    """The keypair whose address is the id of a network's program, the `number`th, unless one is given."""
    return Keypair.from_seed(bytes(derive_hash(seed, "program", number)))


def deploy_immutable(bank: Bank, image: ProgramImage) -> DeploymentProof:
    """Deploy `image` on an in-process chain, paid by its faucet; the chain moves on by one slot.

    Raises:
        DeploymentFailed: A transaction failed, or the proof does not hold.
    """
    payer = bank.faucet
    plan = plan_deployment(image, payer, Rent.of(len(image.code), bank.rent_exempt_lamports))
    for step in (plan.first, *plan.writes, plan.last):
        _land(bank, image, step)
    # The loader answers in the slot of a deployment that it is too early, not that the program is immutable.
    bank.advance_slot()
    blockhash = bank.block_at("processed").blockhash
    return prove_deployment(
        image,
        bank.account(image.program.pubkey()),
        bank.account(loader.program_data_address(image.program.pubkey())),
        [(probe.name, bank.simulate(probe.step.sign(blockhash)).error) for probe in plan.probes],
    )


def found_platform(bank: Bank, program: Keypair) -> None:
    """Let the platform's genesis happen on an in-process chain; the chain's faucet pays, and is every authority.

    Raises:
        DeploymentFailed: genesis was refused.
    """
    faucet = bank.faucet.pubkey()
    quote, mmt = (
        Keypair.from_seed(bytes(derive_hash(bank.config.seed, name))) for name in ("quote", "mmt")
    )
    rent = bank.rent_exempt_lamports(MINT_BYTES)
    made: list[Instruction] = []
    for mint, decimals in ((quote, QUOTE_DECIMALS), (mmt, MMT_DECIMALS)):
        made += create_mint(faucet, mint.pubkey(), faucet, decimals, rent)
    authorities = instructions.Authorities(
        market=faucet, oracle=faucet, incentives=faucet, fee_treasury_owner=faucet, halt=faucet
    )
    founded = instructions.initialize(
        program.pubkey(), faucet, quote.pubkey(), mmt.pubkey(), authorities
    )
    for listed, signers in ((made, (quote, mmt)), ([founded], (program,))):
        blockhash = bank.block_at("processed").blockhash
        message = Message.new_with_blockhash(listed, faucet, blockhash)
        try:
            record = bank.execute(VersionedTransaction(message, [bank.faucet, *signers]))
        except TransactionRefused as refused:
            raise DeploymentFailed(f"genesis of {program.pubkey()}: {refused}") from refused
        if record.error is not None:
            raise DeploymentFailed(f"genesis of {program.pubkey()} failed with {record.error}")


def _land(bank: Bank, image: ProgramImage, step: Step) -> None:
    program = image.program.pubkey()
    try:
        record = bank.execute(step.sign(bank.block_at("processed").blockhash))
    except TransactionRefused as refused:
        raise DeploymentFailed(f"deploying {program}: {refused}") from refused
    if record.error is not None:
        last_log = (record.meta.logs() or ["no log"])[-1]
        raise DeploymentFailed(
            f"deploying {program} failed with {record.error} ({last_log});"
            " check that the file is an sBPF v3 program and that the program id is new"
        )
