"""Gather what an audit judges: every account of a deployment at one slot, and what the loader says to attempts.

Shell. The genesis account is read first, alone, because it names the mints; then everything is read once more together,
so that no transaction falls between two of the accounts that are compared.
"""

from collections.abc import Mapping

from solders.pubkey import Pubkey
from solders.sysvar import RENT

from keeper.probing import probe_lamports, probe_program, skip_probes
from keeper.survey import read_rent
from programs import loader
from programs.accounts import Global, MalformedAccountError
from programs.addresses import SYSTEM_PROGRAM, global_address
from programs.audit import Evidence, addresses_to_read, authorities_of
from programs.findings import ProbeAnswer
from programs.rent import RentRate
from programs.rpc import Account, Rpc
from programs.units import Slot


async def gather_evidence(rpc: Rpc, program: Pubkey, payer: Pubkey | None) -> Evidence:
    """Read a deployment as it is confirmed.

    Args:
        rpc: the cluster.
        program: whose deployment.
        payer: in whose name the probes are simulated; needs no signature and pays nothing. None takes the first of the
            platform's own authorities that has enough.

    Raises:
        RpcFailure: the cluster does not answer.
        ClusterError: it is no Solana cluster.
    """
    genesis_hash = str(await rpc.get_genesis_hash())
    genesis = _genesis(program, await rpc.get_account(global_address(program)[0], "confirmed"))
    wanted = (*addresses_to_read(program, genesis), RENT, *([payer] if payer else []))
    read = await rpc.get_multiple_accounts(wanted, "confirmed")
    accounts = dict(zip(wanted, read.accounts, strict=True))
    candidates = [payer] if payer else [] if genesis is None else authorities_of(genesis).values()
    rate = read_rent(accounts[RENT])
    funded = [each for each in candidates if _can_pay(accounts[each], rate)]
    return Evidence(
        genesis_hash=genesis_hash,
        slot=read.slot,
        program=program,
        accounts=accounts,
        probes=await _probe(rpc, program, accounts, funded[0] if funded else None, rate),
    )


async def _probe(
    rpc: Rpc,
    program: Pubkey,
    accounts: Mapping[Pubkey, Account | None],
    payer: Pubkey | None,
    rate: RentRate,
) -> Mapping[str, ProbeAnswer]:
    deployed_slot = _deployed_slot(accounts[loader.program_data_address(program)])
    if deployed_slot is None:
        return skip_probes("there is no program to change")
    if payer is None:
        return skip_probes("no account to simulate with: name a funded wallet with --payer ADDRESS")
    return await probe_program(rpc, program, deployed_slot, payer, rate)


def _deployed_slot(account: Account | None) -> Slot | None:
    if account is None or account.owner != loader.LOADER:
        return None
    try:
        return loader.decode_program_data(account.data).deployed_slot
    except loader.NotProgramData:
        return None


def _genesis(program: Pubkey, account: Account | None) -> Global | None:
    if account is None or account.owner != program:
        return None
    try:
        return Global.from_bytes(account.data)
    except MalformedAccountError:
        return None


def _can_pay(account: Account | None, rate: RentRate) -> bool:
    is_wallet = account is not None and account.owner == SYSTEM_PROGRAM and not account.data
    return is_wallet and account is not None and account.lamports >= probe_lamports(rate)
