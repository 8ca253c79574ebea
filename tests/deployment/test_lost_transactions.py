"""Deployment and genesis over a cluster that loses what it is sent."""

import pytest
import trio
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from keeper.deployment import deploy
from keeper.genesis import found
from keeper.survey import Order
from programs import loader
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import DeploymentFailed, ProgramImage
from programs.founding import Charter, derived_mint
from programs.in_flight import Pace
from programs.instructions import Authorities
from programs.localnet.bank import BankConfig
from programs.localnet.genesis import deploy_immutable
from programs.localnet.server import LocalnetConfig, serve
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from tests.programs.test_deploy import RETURN_ZERO, elf

CODE = elf(RETURN_ZERO + RETURN_ZERO[8:] * 800)
"""Seven chunks."""
PACE = Pace(poll_interval_s=0.02, resend_interval_s=0.05)


class Lossy:
    """A cluster whose network drops what it is told to."""

    def __init__(self, inner, is_lost):
        self._inner = inner
        self._is_lost = is_lost
        self.sends = {}

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def send_transaction(self, wire):
        transaction = VersionedTransaction.from_bytes(wire)
        signature = transaction.signatures[0]
        self.sends[signature] = self.sends.get(signature, 0) + 1
        if not self._is_lost(list(self.sends).index(signature), self.sends[signature]):
            await self._inner.send_transaction(wire)


@pytest.fixture
async def network(nursery):
    bank = BankConfig(slot_ms=10, confirmed_slots=1, finality_slots=2)
    return await nursery.start(serve, LocalnetConfig(port=0, bank=bank))


@pytest.fixture
def order(network):
    payer = Keypair()
    network.bank.airdrop(payer.pubkey(), 5 * 10**9)
    network.bank.advance_slot(2)  # a deployment counts confirmed lamports only
    return Order(image=ProgramImage(program=Keypair(), code=CODE), payer=payer, pace=PACE)


async def test_the_same_bytes_are_sent_again_until_they_land(network, order):
    async with open_rpc([network.url], RpcSettings()) as real:
        rpc = Lossy(real, lambda _number, sends: sends == 1)
        proven = await deploy(rpc, order, lambda _: None)
    assert proven.proof.code_bytes == len(CODE)
    assert len(rpc.sends) == 9, "buffer, seven chunks, deployment: nothing was signed twice"
    assert min(rpc.sends.values()) > 1


async def test_a_chunk_whose_blockhash_expired_is_signed_again(network, order):
    told = []
    async with open_rpc([network.url], RpcSettings()) as real:
        # The third and the fourth chunk of the first round never arrive.
        rpc = Lossy(real, lambda number, _sends: number in {3, 4})
        with trio.fail_after(20):
            proven = await deploy(rpc, order, told.append)
    assert proven.proof.upgrade_authority is None
    assert len(rpc.sends) == 11
    assert told[1:4] == [f"{n} of 7 chunks written" for n in (0, 5, 5)]


async def test_two_operators_deploying_the_same_program_end_with_one(network, order):
    proofs = []

    async def one():
        async with open_rpc([network.url], RpcSettings()) as rpc:
            proofs.append((await deploy(rpc, order, lambda _: None)).proof)

    async with trio.open_nursery() as both:
        both.start_soon(one)
        both.start_soon(one)
    assert proofs[0] == proofs[1]


async def test_a_deployment_that_fails_again_and_again_gives_up_with_the_reason(network, order):
    bad = Order(
        image=ProgramImage(program=order.image.program, code=elf(b"\xff" * 16)),
        payer=order.payer,
        pace=PACE,
    )
    async with open_rpc([network.url], RpcSettings()) as rpc:
        with pytest.raises(DeploymentFailed, match=r"no progress: transaction \w+ failed with"):
            await deploy(rpc, bad, lambda _: None)
    address = loader.program_data_address(bad.image.program.pubkey())
    assert network.bank.account(address) is None


async def test_genesis_lands_once_over_a_cluster_that_loses_the_first_send(network, order):
    image = ProgramImage(program=order.image.program, code=PROGRAM_SO.read_bytes())
    deploy_immutable(network.bank, image)
    payer = order.payer.pubkey()
    quote = derived_mint(image.program, "quote")
    charter = Charter(
        program=image.program,
        payer=order.payer,
        quote_mint=quote.pubkey(),
        new_quote_mint=quote,
        mmt_mint=derived_mint(image.program, "MMT"),
        authorities=Authorities(
            market=payer, oracle=payer, incentives=payer, fee_treasury_owner=payer, halt=payer
        ),
    )
    async with open_rpc([network.url], RpcSettings()) as real:
        rpc = Lossy(real, lambda _number, sends: sends == 1)
        assert await found(rpc, charter, PACE) == 2
        assert await found(rpc, charter, PACE) == 0
    assert len(rpc.sends) == 2
