"""The audit of a deployment: accounts in, facts and differences out.

What is state is read and compared. What is code, such as the fee schedule or that the sink's owner never signs, cannot be
read from an account: the program is immutable and its bytes are the committed ones, so the hash is what proves it.

Source: SPEC.md section 3.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, TypeVar

from solders.pubkey import Pubkey

from programs import addresses, differences, loader
from programs.accounts import Global, MalformedAccountError, Vault
from programs.findings import (
    Difference,
    ProbeAnswer,
    missing,
    read_mint,
    read_tokens,
    unreadable,
)
from programs.leverage import FEE_BASE_UBP, FEE_SLOPE_UBP
from programs.rpc import Account
from programs.spl_token import Mint, TokenAccount
from programs.units import Slot

T = TypeVar("T")
_UBP_PER_BP: Final = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was read from a cluster, all of it at one slot but for the probes."""

    genesis_hash: str
    """Which cluster."""
    slot: Slot
    program: Pubkey
    accounts: Mapping[Pubkey, Account | None]
    """By address: those of `addresses_to_read`."""
    probes: Mapping[str, ProbeAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What is there, and where it differs from what should be; None for what cannot be read."""

    genesis_hash: str
    slot: Slot
    program: Pubkey
    expected_sha256: str
    probes: Mapping[str, ProbeAnswer]
    code: loader.ProgramData | None
    parameters: Global | None
    vault: Vault | None = None
    vault_tokens: TokenAccount | None = None
    mmt: Mint | None = None
    sink: TokenAccount | None = None
    treasury: TokenAccount | None = None
    quote: Mint | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def code_sha256(self) -> str | None:
        """Of the deployed bytes."""
        return None if self.code is None else sha256(self.code.code).hexdigest()

    @property
    def is_immutable(self) -> bool:
        """Whether nobody can change the code: no authority, and no attempt that was not refused."""
        is_refused = not any(differences.probe_differences(self.probes))
        return self.code is not None and self.code.authority is None and is_refused

    @property
    def fees_bps(self) -> tuple[int, int] | None:
        """Base and slope of the fee schedule; None when other bytes decide it."""
        if self.code_sha256 != self.expected_sha256:
            return None
        return FEE_BASE_UBP // _UBP_PER_BP, FEE_SLOPE_UBP // _UBP_PER_BP


def addresses_to_read(program: Pubkey, genesis: Global | None) -> tuple[Pubkey, ...]:
    """Name the accounts an audit looks at; `genesis` names the mints and the authorities."""
    found = [
        program,
        loader.program_data_address(program),
        addresses.global_address(program)[0],
        addresses.vault_address(program)[0],
        addresses.vault_tokens_address(program)[0],
        addresses.sink_tokens_address(program)[0],
        addresses.treasury_tokens_address(program)[0],
    ]
    if genesis is not None:
        found += [genesis.mmt_mint, genesis.quote_mint, *authorities_of(genesis).values()]
    return tuple(dict.fromkeys(found))


def authorities_of(genesis: Global) -> dict[str, Pubkey]:
    """Name who may do what."""
    return {
        "market": genesis.market_authority,
        "oracle": genesis.oracle_authority,
        "incentives": genesis.incentives_authority,
        "fee_treasury_owner": genesis.fee_treasury_owner,
        "halt": genesis.halt_authority,
    }


def audit(evidence: Evidence, expected: bytes) -> Audit:
    """Judge a deployment against the spec.

    Args:
        evidence: what was read.
        expected: the program's bytes.
    """
    unread: list[Difference] = []

    def keep(read: T | Difference) -> T | None:
        if isinstance(read, Difference):
            unread.append(read)
            return None
        return read

    program = evidence.program
    found = Audit(
        genesis_hash=evidence.genesis_hash,
        slot=evidence.slot,
        program=program,
        expected_sha256=sha256(expected).hexdigest(),
        probes=evidence.probes,
        code=keep(_read_code(evidence)),
        parameters=keep(
            _read_record(
                evidence, "genesis account", addresses.global_address(program), Global.from_bytes
            )
        ),
    )
    # Without genesis nobody knows what else there should be: that is one difference, not ten.
    if found.parameters is not None:
        vault = addresses.vault_address(program)
        at = evidence.accounts.get
        vault_tokens = at(addresses.vault_tokens_address(program)[0])
        sink = at(addresses.sink_tokens_address(program)[0])
        treasury = at(addresses.treasury_tokens_address(program)[0])
        found = replace(
            found,
            vault=keep(_read_record(evidence, "vault", vault, Vault.from_bytes)),
            vault_tokens=keep(read_tokens("vault tokens", vault_tokens)),
            sink=keep(read_tokens("entropy sink", sink)),
            treasury=keep(read_tokens("season treasury", treasury)),
            mmt=keep(read_mint("MMT mint", at(found.parameters.mmt_mint))),
            quote=keep(read_mint("quote mint", at(found.parameters.quote_mint))),
        )
    return replace(found, differences=(*unread, *_compare(found, evidence, expected)))


def _compare(found: Audit, evidence: Evidence, expected: bytes) -> Iterator[Difference]:
    program, state = found.program, found.parameters
    if found.code is not None:
        yield from differences.code_differences(found.code, expected, program=program)
        yield from differences.probe_differences(found.probes)
    if state is None:
        return
    bump = _bump(evidence, addresses.global_address(program)[0])
    yield from differences.parameter_differences(program, state, bump, found.slot)
    if found.vault is not None:
        bump = _bump(evidence, addresses.vault_address(program)[0])
        yield from differences.vault_differences(program, found.vault, bump, found.vault_tokens)
    if found.vault_tokens is not None:
        tokens = found.vault_tokens
        yield from differences.vault_token_differences(program, state.quote_mint, tokens)
    if found.mmt is not None:
        yield from differences.mmt_differences(found.mmt, found.treasury)
    if found.sink is not None:
        yield from differences.sink_differences(program, state.mmt_mint, found.sink)
    if found.treasury is not None:
        yield from differences.treasury_differences(program, state, found.treasury, found.slot)
    if found.quote is not None:
        yield from differences.quote_differences(found.quote)


def _read_code(evidence: Evidence) -> loader.ProgramData | Difference:
    program = evidence.program
    expected = "a program of the upgradeable loader"
    account = evidence.accounts.get(program)
    if account is None:
        return Difference(
            subject="program",
            found=f"no account at {program}",
            expected=expected,
            meaning="nothing is deployed under this id on this cluster",
        )
    holder = evidence.accounts.get(loader.program_data_address(program))
    if account.owner != loader.LOADER or not account.is_executable:
        return unreadable("program", f"an account of {account.owner} at {program}", expected)
    if holder is None or holder.owner != loader.LOADER:
        return Difference(
            subject="program",
            found="no ProgramData",
            expected=expected,
            meaning="the program was closed: its code is gone, and all it held is out of reach",
        )
    try:
        if loader.decode_program(account.data) != loader.program_data_address(program):
            return unreadable("program", "code at another address than its own", expected)
        return loader.decode_program_data(holder.data)
    except loader.NotProgramData as error:
        return unreadable("program", str(error), expected)


def _read_record(
    evidence: Evidence, subject: str, at: tuple[Pubkey, int], decode: Callable[[bytes], T]
) -> T | Difference:
    account = evidence.accounts.get(at[0])
    if account is None or account.owner == addresses.SYSTEM_PROGRAM:
        return missing(subject, "genesis has not happened: run `keeper genesis`")
    if account.owner != evidence.program:
        return unreadable(subject, f"an account of {account.owner}", "one of the program")
    try:
        return decode(account.data)
    except MalformedAccountError as error:
        return unreadable(subject, str(error), "an account that this release can read")


def _bump(evidence: Evidence, address: Pubkey) -> int:
    """Kind, version, bump: the head of every account of the program."""
    account = evidence.accounts[address]
    assert account is not None
    return account.data[2]
