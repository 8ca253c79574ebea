"""Chains to test on: one in process, one behind sockets."""

import itertools

import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.system_program import (
    CreateAccountParams,
    TransferParams,
    create_account,
    transfer,
)
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import (
    create_associated_token_account,
    get_associated_token_address,
    initialize_mint,
    mint_to,
)
from spl.token.models import InitializeMintParams, MintToParams

from programs.localnet.bank import Bank, BankConfig
from programs.localnet.node import Node
from programs.localnet.server import LocalnetConfig, serve

SOL = 10**9


@pytest.fixture
def bank():
    return Bank(BankConfig(confirmed_slots=1, finality_slots=3))


@pytest.fixture
def node(bank):
    return Node(bank)


@pytest.fixture
def payer(bank):
    keypair = Keypair.from_seed(bytes([1] * 32))
    bank.airdrop(keypair.pubkey(), 1_000 * SOL)
    return keypair


@pytest.fixture
def pay(payer):
    """Builds signed transfers, each different from those before."""
    amounts = itertools.count(1_000_000)

    def build(bank, to, lamports=None, blockhash=None, extra=()):
        lamports = next(amounts) if lamports is None else lamports
        params = TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports)
        blockhash = blockhash or bank.block_at("processed").blockhash
        message = Message.new_with_blockhash([transfer(params), *extra], payer.pubkey(), blockhash)
        return VersionedTransaction(message, [payer])

    return build


@pytest.fixture
def new_token():
    """Builds what makes a mint of 6 decimals and gives its owner some, with spl's own builders."""

    def build(rent_lamports, owner, mint, amount):
        holder = get_associated_token_address(owner, mint)
        account = CreateAccountParams(
            from_pubkey=owner,
            to_pubkey=mint,
            lamports=rent_lamports,
            space=82,
            owner=TOKEN_PROGRAM_ID,
        )
        new_mint = InitializeMintParams(
            decimals=6, program_id=TOKEN_PROGRAM_ID, mint=mint, mint_authority=owner
        )
        gift = MintToParams(
            program_id=TOKEN_PROGRAM_ID,
            mint=mint,
            dest=holder,
            mint_authority=owner,
            amount=amount,
        )
        instructions = [
            create_account(account),
            initialize_mint(new_mint),
            create_associated_token_account(owner, owner, mint),
            mint_to(gift),
        ]
        return instructions, holder

    return build


@pytest.fixture
async def network(nursery):
    """A network over sockets with slots of 20 ms."""
    bank = BankConfig(slot_ms=20, confirmed_slots=1, finality_slots=3)
    return await nursery.start(serve, LocalnetConfig(port=0, bank=bank))
