"""Deployment through the real upgradeable loader, on a chain in process."""

import struct
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from solders.account import Account
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from programs import betting_platform, loader
from programs.deploy import (
    DeploymentFailed,
    ProgramImage,
    Rent,
    plan_deployment,
)
from programs.localnet.bank import Bank
from programs.localnet.genesis import deploy_immutable
from programs.proof import prove_deployment
from programs.units import TRANSACTION_BYTES_MAX


def elf(code: bytes) -> bytes:
    """The smallest sBPF v3 program: ELF header, one segment of code, and nothing else."""
    entry = 1 << 32
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<16sHHIQQQIHHHHHH", ident, 3, 247, 1, entry, 64, 0, 3, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 1, 120, entry, entry, len(code), len(code), 0)
    return header + segment + code


RETURN_ZERO = bytes.fromhex("b7000000000000009500000000000000")
"""mov64 r0, 0; exit"""
RETURN_SEVEN = bytes.fromhex("b7000000070000009500000000000000")


@pytest.fixture
def bank():
    return Bank()


@pytest.fixture
def image():
    return ProgramImage(program=Keypair.from_seed(bytes([7] * 32)), code=elf(RETURN_ZERO))


def call(bank, program):
    message = MessageV0.try_compile(
        bank.faucet.pubkey(),
        [Instruction(program, b"", [])],
        [],
        bank.block_at("processed").blockhash,
    )
    return bank.execute(VersionedTransaction(message, [bank.faucet]))


def test_a_deployed_program_runs_and_its_proof_names_the_committed_bytes(bank, image):
    proof = deploy_immutable(bank, image)

    assert proof.program == image.program.pubkey()
    assert proof.code_sha256 == sha256(image.code).hexdigest()
    assert proof.code_bytes == len(image.code)
    assert proof.upgrade_authority is None
    assert proof.refused == ("Upgrade", "SetAuthority", "Close")
    assert call(bank, proof.program).error is None


def test_the_program_that_runs_is_the_one_deployed(bank):
    image = ProgramImage(program=Keypair(), code=elf(RETURN_SEVEN))
    proof = deploy_immutable(bank, image)
    assert call(bank, proof.program).error == {"InstructionError": [0, {"Custom": 7}]}


def test_the_committed_program_deploys(bank):
    path = Path(betting_platform.__file__).with_name("betting_platform.so")
    if not path.exists():
        pytest.skip("the program's bytes are not committed here")
    image = ProgramImage(program=Keypair(), code=path.read_bytes())
    assert deploy_immutable(bank, image).code_sha256 == image.sha256_hex


def test_program_data_has_exactly_the_length_of_the_code(bank, image):
    proof = deploy_immutable(bank, image)
    account = bank.account(proof.program_data)
    assert len(account.data) == loader.PROGRAM_DATA_HEADER_BYTES + len(image.code)
    assert loader.decode_program_data(account.data).code == image.code


def test_the_authority_never_exists_outside_one_transaction(bank, image):
    deploy_immutable(bank, image)
    writers = list(bank.ledger.newest_first(loader.program_data_address(image.program.pubkey())))
    assert len(writers) == 1


def test_burned_code_refuses_a_real_upgrade_retake_and_close(bank, image):
    deploy_immutable(bank, image)
    rent = _rent(bank, image)
    plan = plan_deployment(image, bank.faucet, rent)
    for probe in plan.probes:
        record = bank.execute(probe.step.sign(bank.block_at("processed").blockhash))
        last = len(probe.step.instructions) - 1
        assert record.error == {"InstructionError": [last, "Immutable"]}, probe.name


def test_a_program_of_many_chunks_arrives_whole(bank):
    code = elf(RETURN_ZERO + RETURN_ZERO[8:] * 640)
    image = ProgramImage(program=Keypair(), code=code)
    assert len(plan_deployment(image, bank.faucet, _rent(bank, image)).writes) == 6
    assert deploy_immutable(bank, image).code_sha256 == image.sha256_hex


def test_every_transaction_of_a_plan_fits_the_wire(bank):
    image = ProgramImage(program=Keypair(), code=bytes(3_000))
    plan = plan_deployment(image, bank.faucet, _rent(bank, image))
    steps = [plan.first, *plan.writes, plan.last, *(probe.step for probe in plan.probes)]
    sizes = [len(bytes(step.sign(Hash.default()))) for step in steps]
    assert max(sizes) == TRANSACTION_BYTES_MAX


@pytest.mark.parametrize("code", [b"", b"not a program", elf(b"\xff" * 16), bytes(64)])
def test_bytes_that_are_no_program_are_refused_in_one_sentence(bank, code):
    image = ProgramImage(program=Keypair(), code=code)
    with pytest.raises(DeploymentFailed, match=f"deploying {image.program.pubkey()} failed"):
        deploy_immutable(bank, image)


def test_a_program_cannot_be_deployed_twice(bank, image):
    deploy_immutable(bank, image)
    with pytest.raises(DeploymentFailed, match="program id is new"):
        deploy_immutable(bank, image)


@pytest.fixture
def proven(bank, image):
    proof = deploy_immutable(bank, image)
    refused = [(name, {"InstructionError": [0, "Immutable"]}) for name in proof.refused]
    return image, bank.account(proof.program), bank.account(proof.program_data), refused


def test_no_proof_without_accounts(proven):
    image, program, _data, refused = proven
    with pytest.raises(DeploymentFailed, match="has no account or no ProgramData"):
        prove_deployment(image, program, None, refused)


def test_no_proof_for_other_bytes(proven):
    image, program, data, refused = proven
    with pytest.raises(DeploymentFailed, match="expected 137 bytes"):
        prove_deployment(replace(image, code=image.code + b"\0"), program, data, refused)


def test_no_proof_while_an_authority_is_left(proven):
    image, program, data, refused = proven
    alive = data.data[:12] + b"\x01" + bytes(Pubkey.new_unique()) + data.data[45:]
    with pytest.raises(DeploymentFailed, match="still has upgrade authority"):
        prove_deployment(image, program, _with_data(data, alive), refused)


def test_no_proof_when_an_attempt_was_not_refused(proven):
    image, program, data, refused = proven
    with pytest.raises(DeploymentFailed, match=r"Close of .* the chain said None"):
        prove_deployment(image, program, data, [*refused[:2], ("Close", None)])


def test_no_proof_for_an_account_of_another_owner(proven):
    image, program, data, refused = proven
    stranger = Account(lamports=1, data=data.data, owner=Pubkey.new_unique(), executable=False)
    with pytest.raises(DeploymentFailed, match="not owned by the upgradeable loader"):
        prove_deployment(image, program, stranger, refused)


def test_no_proof_for_a_program_that_points_elsewhere(proven):
    image, program, data, refused = proven
    elsewhere = struct.pack("<I32s", 2, bytes(Pubkey.new_unique()))
    with pytest.raises(DeploymentFailed, match="points to"):
        prove_deployment(image, _with_data(program, elsewhere), data, refused)


@pytest.mark.parametrize("data", [b"", bytes(44), struct.pack("<I", 1) + bytes(60)])
def test_no_proof_from_bytes_that_are_no_program_data(proven, data):
    image, program, account, refused = proven
    with pytest.raises(DeploymentFailed, match="a ProgramData account"):
        prove_deployment(image, program, _with_data(account, data), refused)


def test_set_authority_can_hand_over_as_well_as_burn():
    account, old, new = (Pubkey.new_unique() for _ in range(3))
    handed = loader.set_authority(account, old, new)
    assert handed.accounts[-1] == AccountMeta(new, is_signer=False, is_writable=False)
    assert len(loader.set_authority(account, old, None).accounts) == 2


def _with_data(account, data):
    return Account(account.lamports, data, account.owner, account.executable)


def _rent(bank, image):
    return Rent.of(len(image.code), bank.rent_exempt_lamports)
