"""Genesis happens once, completely, and only by the holder of the program's key."""

import re

import pytest
import spl.token.instructions as spl
from harness import Platform, RuntimeRefusalError, keypair, refused, second_address
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from spl.token.models import MintToParams, SetAuthorityParams
from spl.token.models import TransferParams as TokenTransferParams

from programs import addresses, instructions
from programs.addresses import TOKEN_PROGRAM
from programs.betting_platform.build import SOURCE
from programs.event_layout import VAULT_SERIES, EventKind
from programs.genesis import (
    MINT_BYTES,
    MMT_SUPPLY,
    SEASON_SLOTS,
    SINK_MMT,
    TREASURY_MMT,
    create_mint,
)
from programs.layout import LAYOUT_VERSION, AccountKind

SEEDS = {2: b"global", 3: b"vault", 4: b"vault_tokens", 7: b"sink_tokens"} | {
    8: b"entropy_sink",
    9: b"treasury_tokens",
}
"""Seeds of genesis accounts by their place in the instruction; bumps stand in the same order in the data."""


@pytest.fixture
def bare():
    """The program and two mints; genesis has not happened."""
    return Platform()


def genesis(platform: Platform, quote=None, mmt=None, payer=None) -> Instruction:
    people = [keypair(name).pubkey() for name in ("market", "oracle", "mmt owed", "fees", "halt")]
    return instructions.initialize(
        platform.program,
        payer or platform.admin.pubkey(),
        quote or platform.quote_mint.pubkey(),
        mmt or platform.mmt_mint.pubkey(),
        instructions.Authorities(
            market=people[0],
            oracle=people[1],
            incentives=people[2],
            fee_treasury_owner=people[3],
            halt=people[4],
        ),
    )


def new_mint(platform: Platform, name: str, decimals: int, authority: Pubkey | None = None):
    mint = keypair(name)
    rent = platform.svm.minimum_balance_for_rent_exemption(MINT_BYTES)
    payer = platform.admin.pubkey()
    platform.send(
        create_mint(payer, mint.pubkey(), authority or payer, decimals, rent),
        [platform.admin, mint],
    )
    return mint.pubkey()


def with_account(instruction: Instruction, index: int, account: AccountMeta) -> Instruction:
    accounts = list(instruction.accounts)
    accounts[index] = account
    return Instruction(instruction.program_id, instruction.data, accounts)


def mint_state(platform: Platform) -> tuple[int, int]:
    """Supply of MMT and whether anyone may mint."""
    data = platform.data(platform.mmt_mint.pubkey())
    return int.from_bytes(data[36:44], "little"), int.from_bytes(data[:4], "little")


def test_all_mmt_is_minted_and_nobody_can_mint_more(platform):
    assert mint_state(platform) == (MMT_SUPPLY, 0)
    more = spl.mint_to(
        MintToParams(
            program_id=TOKEN_PROGRAM,
            mint=platform.mmt_mint.pubkey(),
            dest=addresses.treasury_tokens_address(platform.program)[0],
            mint_authority=platform.admin.pubkey(),
            amount=1,
        )
    )
    with pytest.raises(RuntimeRefusalError):
        platform.send(more, [platform.admin])


def test_sink_and_treasury_hold_the_whole_supply(platform):
    sink = addresses.sink_tokens_address(platform.program)[0]
    treasury = addresses.treasury_tokens_address(platform.program)[0]
    assert platform.tokens(sink) == SINK_MMT
    assert platform.tokens(treasury) == TREASURY_MMT
    assert SINK_MMT + TREASURY_MMT == MMT_SUPPLY


def test_the_sink_belongs_to_an_address_the_program_never_signs_for(platform):
    data = platform.data(addresses.sink_tokens_address(platform.program)[0])
    owner = addresses.sink_owner_address(platform.program)[0]
    assert data[32:64] == bytes(owner)
    assert data[72:76] == data[129:133] == bytes(4), "a delegate or a close authority"
    assert not owner.is_on_curve()
    mentions = {p.name: p.read_text().count('"entropy_sink"') for p in SOURCE.glob("*.c")}
    assert {name: count for name, count in mentions.items() if count} == {"genesis.c": 1}, (
        "one mention: deriving it"
    )
    headers = "".join(p.read_text() for p in SOURCE.glob("*.h"))
    assert re.sub(r"/\*.*?\*/", "", headers, flags=re.DOTALL).count("entropy_sink") == 0


def test_nobody_else_can_move_the_sink_or_take_its_authority(platform):
    sink = addresses.sink_tokens_address(platform.program)[0]
    move = spl.transfer(
        TokenTransferParams(
            program_id=TOKEN_PROGRAM,
            source=sink,
            dest=addresses.treasury_tokens_address(platform.program)[0],
            owner=platform.admin.pubkey(),
            amount=1,
        )
    )
    take = spl.set_authority(
        SetAuthorityParams(
            program_id=TOKEN_PROGRAM,
            account=sink,
            authority=spl.AuthorityType.ACCOUNT_OWNER,
            current_authority=platform.admin.pubkey(),
            new_authority=platform.admin.pubkey(),
        )
    )
    for attack in (move, take):
        with pytest.raises(RuntimeRefusalError):
            platform.send(attack, [platform.admin])


def test_genesis_writes_the_parameters_it_was_given_and_says_so(bare):
    receipt = bare.send(genesis(bare), [bare.admin, bare.program_key])
    state, vault = bare.global_(), bare.vault()
    assert bare.data(addresses.global_address(bare.program)[0])[:2] == bytes(
        [AccountKind.GLOBAL, LAYOUT_VERSION]
    )
    assert [
        state.market_authority,
        state.oracle_authority,
        state.incentives_authority,
        state.fee_treasury_owner,
        state.halt_authority,
    ] == [keypair(name).pubkey() for name in ("market", "oracle", "mmt owed", "fees", "halt")]
    assert (state.halted, state.market_count, state.trade_count) == (0, 0, 0)
    assert (state.season_start_slot, state.season_slots) == (bare.slot, SEASON_SLOTS)
    assert state.quote_mint == bare.quote_mint.pubkey()
    assert state.mmt_mint == bare.mmt_mint.pubkey()
    assert state.vault == addresses.vault_address(bare.program)[0]
    assert vault.tokens == addresses.vault_tokens_address(bare.program)[0]
    assert (vault.cash, vault.loans, vault.share_supply, vault.equity) == (0, 0, 0, 0)
    (event,) = receipt.events
    assert (event.kind, event.series, event.sequence) == (EventKind.INITIALIZED, VAULT_SERIES, 1)
    assert event.amount("sink_mmt") == SINK_MMT
    assert event.amount("treasury_mmt") == TREASURY_MMT
    assert event.address("sink_tokens") == addresses.sink_tokens_address(bare.program)[0]


def test_a_second_genesis_is_refused(platform):
    again = new_mint(platform, "another mmt", 9)
    with refused("ALREADY_INITIALIZED"):
        platform.send(genesis(platform, mmt=again), [platform.admin, platform.program_key])


def test_a_second_genesis_under_other_bumps_is_refused(platform):
    # Bumps were once taken as given, so a second global account could be made, with an oracle and
    # a vault that every instruction accepted for the markets of the first.
    instruction = genesis(platform, mmt=new_mint(platform, "another mmt", 9))
    data = bytearray(instruction.data)
    for place, (index, seed) in enumerate(SEEDS.items(), start=1):
        other, bump = second_address(platform.program, seed)
        data[place] = bump
        old = instruction.accounts[index]
        instruction = with_account(
            instruction, index, AccountMeta(other, old.is_signer, old.is_writable)
        )
    attack = Instruction(platform.program, bytes(data), instruction.accounts)
    with refused("WRONG_ADDRESS"):
        platform.send(attack, [platform.admin, platform.program_key])


def test_without_the_programs_signature_genesis_is_refused(bare):
    accounts = list(genesis(bare).accounts)
    unsigned = with_account(
        genesis(bare), 1, AccountMeta(accounts[1].pubkey, is_signer=False, is_writable=False)
    )
    with refused("MISSING_SIGNATURE"):
        bare.send(unsigned, [bare.admin])


def test_another_key_in_place_of_the_programs_is_refused(bare):
    thief = keypair("thief")
    instruction = with_account(
        genesis(bare), 1, AccountMeta(thief.pubkey(), is_signer=True, is_writable=False)
    )
    with refused("WRONG_ADDRESS"):
        bare.send(instruction, [bare.admin, thief])


@pytest.mark.parametrize(
    ("which", "decimals"), [("mmt", 6), ("mmt", 8), ("quote", 9), ("quote", 0)]
)
def test_a_mint_of_other_decimals_is_refused(bare, which, decimals):
    wrong = new_mint(bare, "wrong", decimals)
    with refused("WRONG_MINT"):
        bare.send(genesis(bare, **{which: wrong}), [bare.admin, bare.program_key])


def test_an_mmt_that_somebody_else_may_mint_is_refused(bare):
    wrong = new_mint(bare, "wrong", 9, authority=keypair("thief").pubkey())
    with refused("WRONG_MINT"):
        bare.send(genesis(bare, mmt=wrong), [bare.admin, bare.program_key])


def test_an_mmt_with_a_pre_mine_is_refused(bare):
    mint = bare.mmt_mint.pubkey()
    mine = spl.get_associated_token_address(bare.admin.pubkey(), mint)
    bare.send(
        [
            spl.create_associated_token_account(bare.admin.pubkey(), bare.admin.pubkey(), mint),
            spl.mint_to(
                MintToParams(
                    program_id=TOKEN_PROGRAM,
                    mint=mint,
                    dest=mine,
                    mint_authority=bare.admin.pubkey(),
                    amount=1,
                )
            ),
        ],
        [bare.admin],
    )
    with refused("WRONG_MINT"):
        bare.send(genesis(bare), [bare.admin, bare.program_key])


def test_an_mmt_that_can_be_frozen_is_refused(bare):
    mint = keypair("freezable")
    rent = bare.svm.minimum_balance_for_rent_exemption(MINT_BYTES)
    create, initialize = create_mint(
        bare.admin.pubkey(), mint.pubkey(), bare.admin.pubkey(), 9, rent
    )
    frozen = initialize.data[:34] + b"\x01" + bytes(bare.admin.pubkey())
    bare.send([create, Instruction(TOKEN_PROGRAM, frozen, initialize.accounts)], [bare.admin, mint])
    with refused("WRONG_MINT"):
        bare.send(genesis(bare, mmt=mint.pubkey()), [bare.admin, bare.program_key])


def test_an_account_that_is_no_mint_is_refused(bare):
    with refused("WRONG_MINT"):
        bare.send(genesis(bare, mmt=bare.admin.pubkey()), [bare.admin, bare.program_key])


def test_lamports_sent_to_the_addresses_beforehand_do_not_stop_genesis(bare):
    admin = bare.admin.pubkey()
    targets = [genesis(bare).accounts[i].pubkey for i in (2, 3, 4, 7, 9)]
    for lamports, target in zip((1, 10**6, 10**7, 10**9, 890_880), targets, strict=True):
        bare.svm.airdrop(target, lamports)
    bare.send(
        transfer(TransferParams(from_pubkey=admin, to_pubkey=targets[0], lamports=10**6)),
        [bare.admin],
    )
    bare.send(genesis(bare), [bare.admin, bare.program_key])
    assert mint_state(bare) == (MMT_SUPPLY, 0)
    bare.audit()


@pytest.mark.parametrize("length", [0, 1, 7, 167, 169])
def test_data_of_another_length_is_refused(bare, length):
    data = bytes(genesis(bare).data).ljust(200, b"\0")[:length]
    expected = "UNKNOWN_INSTRUCTION" if length == 0 else "BAD_INSTRUCTION_DATA"
    with refused(expected):
        bare.send(
            Instruction(bare.program, data, genesis(bare).accounts), [bare.admin, bare.program_key]
        )


@pytest.mark.parametrize("tag", [23, 255])
def test_an_unknown_tag_is_refused(platform, tag):
    with refused("UNKNOWN_INSTRUCTION"):
        platform.send(Instruction(platform.program, bytes([tag]), []), [platform.admin])
