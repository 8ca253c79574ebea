"""`keeper verify`: a fresh platform has no differences, and every tampering is told in its own words."""

import json

import pytest
from click.testing import CliRunner
from quiet_world import PROGRAM, quiet_world
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.cli.commands import cli
from programs import addresses, loader
from programs.accounts import Global
from programs.addresses import SYSTEM_PROGRAM
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.differences import probe_differences
from programs.findings import ProbeAnswer
from programs.genesis import MMT_SUPPLY, SINK_MMT, TREASURY_MMT
from programs.layout import GLOBAL_DTYPE, VAULT_DTYPE
from programs.localnet.genesis import deploy_immutable
from tests.deployment.conftest import SOL, Operator, open_chain

THIEF = Pubkey.from_string("Th1efAdress11111111111111111111111111111111")


@pytest.fixture(scope="module")
def chain():
    with open_chain() as found:
        yield found


@pytest.fixture(scope="module")
def platform(chain, tmp_path_factory):
    """A founded platform, and what its accounts were, so that each test begins with them."""
    operator = Operator(chain, tmp_path_factory.mktemp("keys"), Keypair(), Keypair())
    operator.path("program", operator.program)
    operator.path("payer", operator.payer)
    chain.do(chain.bank.airdrop, operator.payer.pubkey(), 5 * SOL)
    image = ProgramImage(program=operator.program, code=PROGRAM_SO.read_bytes())
    chain.do(deploy_immutable, chain.bank, image)
    payer = operator.payer.pubkey()
    code, _out, told = operator.run("genesis", "--new-quote-mint", "--authority", payer)
    assert code == 0, told
    return operator


class Tampered:
    """A platform on which accounts were written as no transaction could."""

    def __init__(self, operator):
        self.operator = operator
        program = operator.program.pubkey()
        self.program = program
        self.code = loader.program_data_address(program)
        self.state = addresses.global_address(program)[0]
        self.vault = addresses.vault_address(program)[0]
        self.vault_tokens = addresses.vault_tokens_address(program)[0]
        self.sink = addresses.sink_tokens_address(program)[0]
        self.treasury = addresses.treasury_tokens_address(program)[0]
        parameters = Global.from_bytes(operator.chain.account(self.state).data)
        self.mmt, self.quote = parameters.mmt_mint, parameters.quote_mint
        self._before = {}

    def write(self, address, offset, data):
        old = self.operator.chain.account(address)
        self._keep(address, old)
        data = bytes(data)
        new = old.data[:offset] + data + old.data[offset + len(data) :]
        self.operator.chain.edit(address, data=new)

    def cut(self, address):
        self._keep(address, self.operator.chain.account(address))
        self.operator.chain.edit(address, data=bytes(10))

    def remove(self, address):
        self._keep(address, self.operator.chain.account(address))
        self.operator.chain.edit(address, data=b"", lamports=0, owner=SYSTEM_PROGRAM)

    def give(self, address, owner):
        self._keep(address, self.operator.chain.account(address))
        self.operator.chain.edit(address, owner=owner, executable=False)

    def _keep(self, address, account):
        self._before.setdefault(address, account)

    def mend(self):
        for address, account in self._before.items():
            self.operator.chain.do(self.operator.chain.bank.set_account, address, account)
        # Confirmed is what is read.
        self.settle()

    def settle(self):
        self.operator.chain.do(self.operator.chain.bank.advance_slot, 2)

    def differences(self):
        self.settle()
        code, found = self.operator.json("verify")
        assert code == (1 if found["differences"] else 0)
        return {each["subject"]: each for each in found["differences"]}, found


@pytest.fixture
def tampered(platform):
    found = Tampered(platform)
    yield found
    found.mend()


def u64(number):
    return number.to_bytes(8, "little")


SOMEBODY = b"\1\0\0\0" + bytes(THIEF)
"""A COption with somebody in it."""


def test_a_fresh_platform_has_no_differences(platform):
    code, found = platform.json("verify")
    assert code == 0
    assert found["differences"] == []
    assert found["immutable"] is True
    assert found["upgrade_authority"] is None
    assert found["entropy_sink_base_units"] == 90_000_000_000_000_000
    assert found["treasury_base_units"] == 10_000_000_000_000_000
    assert found["mmt_supply_base_units"] == 100_000_000_000_000_000
    assert (found["mint_authority"], found["freeze_authority"]) == (None, None)
    assert (found["fee_base_bps"], found["fee_slope_bps"]) == (3, 25)
    assert (found["season_slots"], found["halted"]) == (38_880_000, False)
    assert found["code_sha256"] == found["expected_sha256"]
    assert found["probes"] == dict.fromkeys(("Upgrade", "SetAuthority", "Close"), "Immutable")
    assert set(found["vault"].values()) == {0}


def test_it_is_one_page(platform):
    code, out, told = platform.run("verify")
    assert (code, told) == (0, "")
    assert len(out.splitlines()) <= 40
    assert max(map(len, out.splitlines())) <= 132
    assert out.splitlines()[-1].startswith("no differences")


def test_other_bytes(tampered):
    tampered.write(tampered.code, 45 + 20_000, b"\xff\xff")
    found, audit = tampered.differences()
    assert list(found) == ["program bytes"]
    assert "runs another program" in found["program bytes"]["meaning"]
    assert audit["fee_base_bps"] is None, "decided by bytes that nobody knows"
    assert audit["immutable"] is True


def test_an_authority_that_was_kept(tampered):
    tampered.write(tampered.code, 12, b"\1" + bytes(THIEF))
    found, audit = tampered.differences()
    assert found["upgrade authority"]["found"] == str(THIEF)
    assert audit["immutable"] is False
    assert {"Upgrade of the program", "SetAuthority of the program", "Close of the program"} <= set(
        found
    ), "and the loader does not say Immutable to any attempt"


def test_a_sink_that_is_short(tampered):
    tampered.write(tampered.sink, 64, u64(SINK_MMT - 1))
    found, audit = tampered.differences()
    assert list(found) == ["entropy sink"]
    assert found["entropy sink"]["found"] == "89,999,999.999999999 MMT"
    assert audit["entropy_sink_base_units"] == SINK_MMT - 1


def test_a_mint_authority_that_was_kept(tampered):
    tampered.write(tampered.mmt, 0, SOMEBODY)
    found, audit = tampered.differences()
    assert list(found) == ["MMT mint authority"]
    assert "can mint MMT without limit" in found["MMT mint authority"]["meaning"]
    assert audit["mint_authority"] == str(THIEF)


def of_global(name):
    return GLOBAL_DTYPE.fields[name][1]


def of_vault(name):
    return VAULT_DTYPE.fields[name][1]


FIELDS = [
    ("mmt", 46, SOMEBODY, "MMT freeze authority"),
    ("mmt", 44, b"\6", "MMT mint decimals"),
    ("mmt", 36, u64(MMT_SUPPLY + 1), "MMT supply"),
    ("mmt", 36, u64(MMT_SUPPLY - 1), "MMT supply"),
    ("mmt", 45, b"\0", "MMT mint"),
    ("quote", 44, b"\x09", "quote mint decimals"),
    ("quote", 45, b"\0", "quote mint"),
    ("sink", 32, bytes(THIEF), "entropy sink owner"),
    ("sink", 0, bytes(THIEF), "entropy sink mint"),
    ("sink", 72, SOMEBODY, "entropy sink delegate"),
    ("sink", 129, SOMEBODY, "entropy sink close authority"),
    ("sink", 108, b"\2", "entropy sink"),
    ("sink", 108, b"\0", "entropy sink"),
    ("treasury", 64, u64(TREASURY_MMT + 1), "season treasury"),
    ("treasury", 32, bytes(THIEF), "season treasury owner"),
    ("vault_tokens", 32, bytes(THIEF), "vault tokens owner"),
    ("state", of_global("season_slots"), u64(38_880_001), "season"),
    ("state", of_global("season_start_slot"), u64(10**12), "season start"),
    ("state", 2, b"\0", "genesis account bump"),
    ("state", 1, b"\x63", "genesis account"),
    ("vault", 2, b"\0", "vault bump"),
    ("vault", of_vault("event_sequence"), u64(2) + u64(500), "vault cash"),
    ("vault", of_vault("share_supply"), u64(500), "vault at genesis"),
    ("state", of_global("vault"), bytes(THIEF), "vault"),
    ("vault", of_vault("tokens"), bytes(THIEF), "vault tokens"),
    ("code", 0, b"\x07", "program"),
]


@pytest.mark.parametrize(("account", "offset", "data", "subject"), FIELDS)
def test_every_other_tampering(tampered, account, offset, data, subject):
    tampered.write(getattr(tampered, account), offset, data)
    found, _audit = tampered.differences()
    assert subject in found
    assert len(found) <= 2


def test_more_in_the_sink_is_a_gift_not_a_difference(tampered):
    tampered.write(tampered.sink, 64, u64(SINK_MMT + 5))
    assert tampered.differences()[0] == {}


def test_rewards_that_left_faster_than_the_season_emits(tampered):
    tampered.write(tampered.treasury, 64, u64(TREASURY_MMT // 2))
    found, _audit = tampered.differences()
    assert (
        "more rewards have left than the season has emitted" in found["season treasury"]["meaning"]
    )


def test_holders_may_burn_what_has_left_the_treasury(tampered):
    tampered.write(tampered.treasury, 64, u64(TREASURY_MMT - 1_000))
    tampered.write(tampered.mmt, 36, u64(MMT_SUPPLY - 1_000))
    assert tampered.differences()[0] == {}


@pytest.mark.parametrize(
    ("account", "subject"),
    [("sink", "entropy sink"), ("vault", "vault"), ("mmt", "MMT mint"), ("code", "program")],
)
def test_an_account_that_is_gone(tampered, account, subject):
    tampered.remove(getattr(tampered, account))
    found, _audit = tampered.differences()
    assert subject in found


@pytest.mark.parametrize(
    ("account", "subject"),
    [("sink", "entropy sink"), ("state", "genesis account"), ("program", "program")],
)
def test_an_account_of_another_program(tampered, account, subject):
    tampered.give(getattr(tampered, account), THIEF)
    found, _audit = tampered.differences()
    assert list(found) == [subject]
    assert str(THIEF) in found[subject]["found"]


def test_a_program_that_points_at_other_code(tampered):
    tampered.write(tampered.program, 4, bytes(THIEF))
    assert "code at another address" in tampered.differences()[0]["program"]["found"]


def test_without_genesis_that_is_the_one_difference(operator):
    image = ProgramImage(program=operator.program, code=PROGRAM_SO.read_bytes())
    operator.chain.do(deploy_immutable, operator.chain.bank, image)
    operator.chain.do(operator.chain.bank.advance_slot, 2)
    code, found = operator.json("verify")
    assert code == 1
    assert [each["subject"] for each in found["differences"]] == ["genesis account"]
    assert "run `keeper genesis`" in found["differences"][0]["meaning"]
    assert found["probes"]["Close"].startswith("skipped: no account to simulate with")
    _code, found = operator.json("verify", "--payer", operator.payer.pubkey())
    assert found["probes"]["Close"] == "Immutable"


def test_where_nothing_is_deployed_that_is_told(operator):
    code, out, _told = operator.run("verify")
    assert code == 1
    assert "nothing is deployed under this id on this cluster" in out


def test_other_bytes_that_are_expected_are_no_difference(platform, tmp_path):
    other = tmp_path / "other.so"
    other.write_bytes(b"\x7fELF other")
    code, found = platform.json("verify", "--so", other)
    assert (code, [each["subject"] for each in found["differences"]]) == (1, ["program bytes"])


def test_the_page_ends_with_a_sentence_for_each_difference(tampered):
    tampered.write(tampered.sink, 64, u64(SINK_MMT - 10**9))
    tampered.write(tampered.mmt, 0, SOMEBODY)
    tampered.settle()
    code, out, _told = tampered.operator.run("verify")
    assert code == 1
    assert out.splitlines()[-3:] == [
        "2 differences",
        f"  MMT mint authority: found {THIEF}, expected none: its holder can mint MMT without limit",
        (
            "  entropy sink: found 89,999,999 MMT, expected 90,000,000 MMT: "
            "MMT that was to stay out of circulation for ever is elsewhere"
        ),
    ]


def test_bytes_of_another_length_are_no_token_accounts(tampered):
    tampered.cut(tampered.vault_tokens)
    tampered.cut(tampered.quote)
    found, audit = tampered.differences()
    assert found["vault tokens"]["found"] == "a token account has 165 bytes, found 10"
    assert found["quote mint"]["found"] == "a mint has 82 bytes, found 10"
    assert audit["vault"]["token_balance"] is None


def test_cluster_and_program_may_stand_in_keeper_toml(platform, tmp_path):
    config = tmp_path / "keeper.toml"
    config.write_text(
        f'[cluster]\nrpc_urls = ["{platform.chain.url}", "{platform.chain.url}"]\n'
        f'program_id = "{platform.program.pubkey()}"\n'
        '[keys]\nkeeper = "keeper.json"\n[state]\nfolder = "state"\n'
    )
    ended = CliRunner().invoke(cli, ["verify", "--config", str(config), "--json"])
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["program_id"] == str(platform.program.pubkey())
    ended = CliRunner().invoke(cli, ["verify", "--url", platform.chain.url])
    assert ended.exit_code == 2
    assert "--url needs --program ADDRESS" in ended.stderr


def test_the_sandbox_has_no_differences_either(tmp_path):
    with quiet_world() as world:
        words = ["verify", "--url", f"http://127.0.0.1:{world.rpc_port}", "--program", str(PROGRAM)]
        ended = CliRunner().invoke(cli, [*words, "--json"])
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["differences"] == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ProbeAnswer(), "not refused"),
        (ProbeAnswer(error={"InstructionError": [0, {"Custom": 7}]}), "Custom"),
        (ProbeAnswer(error={"InstructionError": [0, "IncorrectAuthority"]}), "IncorrectAuthority"),
    ],
)
def test_an_attempt_that_was_not_refused_as_immutable_is_a_difference(answer, words):
    (found,) = probe_differences({"Upgrade": answer})
    assert words in found.sentence


def test_an_address_that_is_none_is_refused(platform):
    code, _out, told = platform.run("verify", "--payer", "nobody")
    assert code == 2
    assert "neither an address in base58 nor a keypair file" in told
