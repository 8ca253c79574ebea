"""Stopped before any call to the cluster, deployment and genesis go on when they are run again.

All that a process leaves behind is what the cluster has, so dying before a call is dying at any line since the one before
it. The real `kill -9` of a whole process is in test_deploy_command.py.
"""

import pytest
from solders.keypair import Keypair

from keeper.deployment import deploy
from keeper.genesis import found
from keeper.survey import Order
from keeper.verification import gather_evidence
from programs.audit import audit
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage, buffer_keypair
from programs.founding import Charter, derived_mint
from programs.in_flight import Pace
from programs.instructions import Authorities
from programs.localnet.bank import BankConfig
from programs.localnet.genesis import deploy_immutable
from programs.localnet.server import LocalnetConfig, serve
from programs.rpc import RpcError
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from tests.programs.test_deploy import RETURN_ZERO, elf

CODE = elf(RETURN_ZERO + RETURN_ZERO[8:] * 150)
"""Two chunks."""
PACE = Pace(poll_interval_s=0.004, resend_interval_s=0.05)


class Killed(Exception):  # noqa: N818 - named after what happened
    """The process is gone."""


class Mortal:
    """A cluster that is asked so many times and then never again."""

    def __init__(self, inner, calls):
        self._inner = inner
        self._calls = calls

    def __getattr__(self, name):
        method = getattr(self._inner, name)

        async def call(*arguments, **named):
            if self._calls == 0:
                raise Killed
            self._calls -= 1
            return await method(*arguments, **named)

        return call


async def dies(work, rpc, calls):
    """Do the work as far as so many calls; whether it died on the way."""
    try:
        await work(Mortal(rpc, calls))
    except Killed:
        return True
    except BaseExceptionGroup as group:
        killed, others = group.split(Killed)
        assert killed is not None, others
        return True
    return False


@pytest.fixture
async def network(nursery):
    bank = BankConfig(slot_ms=10, confirmed_slots=0, finality_slots=1)
    return await nursery.start(serve, LocalnetConfig(port=0, bank=bank))


def new_payer(network):
    payer = Keypair()
    network.bank.airdrop(payer.pubkey(), 5 * 10**9)
    network.bank.advance_slot()  # no node may say any more that it has nothing
    return payer


async def test_a_deployment_killed_at_any_call_goes_on(network):
    calls, died = 0, True
    async with open_rpc([network.url], RpcSettings()) as rpc:
        while died:
            image = ProgramImage(program=Keypair(), code=CODE)
            order = Order(image=image, payer=new_payer(network), pace=PACE)

            async def work(rpc, order=order):
                return await deploy(rpc, order, lambda _: None)

            died = await dies(work, rpc, calls)
            proven = await work(rpc)
            assert proven.proof.refused == ("Upgrade", "SetAuthority", "Close")
            buffer = network.bank.account(buffer_keypair(image).pubkey())
            assert buffer is None or buffer.lamports == 0, "no rent is left behind"
            calls += 1
    assert calls > 15


async def test_a_genesis_killed_at_any_call_goes_on(network):
    code = PROGRAM_SO.read_bytes()
    calls, died = 0, True
    async with open_rpc([network.url], RpcSettings()) as rpc:
        while died:
            image = ProgramImage(program=Keypair(), code=code)
            deploy_immutable(network.bank, image)
            payer = new_payer(network)
            charter = _charter(image.program, payer)

            async def work(rpc, charter=charter):
                return await found(rpc, charter, PACE)

            died = await dies(work, rpc, calls)
            await work(rpc)
            evidence = await gather_evidence(rpc, image.program.pubkey(), payer.pubkey())
            assert audit(evidence, code).differences == ()
            calls += 1
    assert calls > 10


def _charter(program, payer):
    owner = payer.pubkey()
    quote = derived_mint(program, "quote")
    return Charter(
        program=program,
        payer=payer,
        quote_mint=quote.pubkey(),
        new_quote_mint=quote,
        mmt_mint=derived_mint(program, "MMT"),
        authorities=Authorities(
            market=owner, oracle=owner, incentives=owner, fee_treasury_owner=owner, halt=owner
        ),
    )


class Unsimulating:
    """A cluster behind a provider that does not simulate."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def simulate_transaction(self, _wire, **_options):
        raise RpcError(-32601, "Method not found")


async def test_an_endpoint_that_does_not_simulate_leaves_the_probes_out_and_says_why(network):
    image = ProgramImage(program=Keypair(), code=CODE)
    order = Order(image=image, payer=new_payer(network), pace=PACE)
    async with open_rpc([network.url], RpcSettings()) as real:
        proven = await deploy(Unsimulating(real), order, lambda _: None)
    assert proven.proof.refused == ()
    assert proven.proof.upgrade_authority is None
    words = "skipped: the RPC endpoint does not simulate (Method not found (code -32601))"
    assert {answer.words for answer in proven.probes.values()} == {words}
