"""programs/toml_mistakes.py, by what both readers of keeper.toml say of files with secrets at the wrong places."""

import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner
from solders.keypair import Keypair

from incentives.cli.commands import cli as incentives_command
from incentives.config import ConfigError as IncentivesConfigError
from incentives.config import load_settings
from keeper.cli.commands import cli as keeper_command
from keeper.config import load_config
from keeper.errors import ConfigError
from programs.toml_mistakes import TomlMistake, decode_toml, shown

SECRET = "5f0c1d2e3b4a69788796a5b4c3d2e1f0"
PROGRAM = "11111111111111111111111111111112"
GOOD = f"""
[cluster]
rpc_urls = ["https://rpc.example"]
program_id = "{PROGRAM}"
[keys]
keeper = "keeper.json"
[state]
folder = "state"
"""
SECRET_URLS = (
    f"https://rpc.example/v2/{SECRET}",
    f"https://rpc.example/?api-key={SECRET}",
    f"https://{SECRET}@rpc.example/",
    f"https://me:{SECRET}@rpc.example/",
    f"https://me:{SECRET[:9]}/{SECRET}@rpc.example/",
    f"https://rpc.example:{SECRET}/",
    f"https://[{SECRET}",
    f"https://{SECRET}\\u2100@rpc.example",
    f"rpc.example/?api-key={SECRET}",
    f"https:/rpc.example/?api-key={SECRET}",
    f"ftp://rpc.example/{SECRET}",
    f"https:// rpc.example/{SECRET}",
    f" https://rpc.example/{SECRET}",
)
PLACES = (
    'rpc_urls = ["URL", 5]',
    'rpc_urls = ["URL", "URL", ""]',
    'rpc_urls = "URL"',
    'rpc_urls = [["URL"]]',
    'ws_urls = ["URL"]',
    'ws_urls = "URL"',
    'program_id = "URL"',
    'slot_ms = "URL"',
    'subscribe = "URL"',
    '"URL" = 1',
    'rpc_url = "URL"',
    'rpc_urls = ["URL',
    'rpc_urls = ["URL"] x',
    "rpc_urls = [URL]",
    "URL",
    '"URL".a = 1\n"URL".a = 2',
    '["URL"]\n["URL"]',
    '"URL" = 1\n["URL".b]',
    'x = {"URL" = 1, "URL" = 2}',
    'slot_ms = 1979-05-27\n"URL" = 2',
)
ELSEWHERE = (
    '[monitor]\nhost = "URL"',
    '[monitor]\nexplorer_url = "URL"',
    '[[monitor.sinks]]\nkind = "webhook"\nurl = "URL"\nurl_file = "x"',
    '[[monitor.sinks]]\nkind = "URL"',
    '[[monitor.sinks]]\nkind = "log"\npage_url = "URL"\nshape = "slack"',
    '[polymarket]\nclob_url = ["URL"]',
    '[polymarket]\nclob_url = "URL"\nslot_ms = 3',
    '[log]\nlevel = "URL"',
    '[sandbox]\nfaults = ["URL"]\nseed = "URL"',
    '[incentives]\nrpc_urls = "URL"',
    '[incentives]\nrpc_urls = ["URL", 1]',
    '[incentives]\nepoch_slots = "URL"',
    '[incentives]\n"URL" = "URL"',
    'incentives = "URL"',
)


def refusals_of(tmp_path, text):
    """Return what both readers refuse it by; one of them may find nothing to refuse."""
    path = tmp_path / "keeper.toml"
    path.write_text(text)
    found = []
    for load, error in ((load_config, ConfigError), (load_settings, IncentivesConfigError)):
        try:
            load(path)
        except error as refused:
            found.append(refused)
    return found


def shown_of(tmp_path, text):
    """Return all that could be seen of these refusals, were they to end in a traceback."""
    refusals = refusals_of(tmp_path, text)
    return "\n".join(line for each in refusals for line in traceback.format_exception(each))


@pytest.mark.parametrize("url", SECRET_URLS)
def test_no_mistake_in_keeper_toml_shows_what_a_url_hides(tmp_path, url):
    for place in PLACES:
        text = GOOD.replace("[cluster]\n", f"[cluster]\n{place.replace('URL', url)}\n", 1)
        if "rpc_urls = " in place:
            text = text.replace('rpc_urls = ["https://rpc.example"]\n', "", 1)
        told = shown_of(tmp_path, text)
        assert SECRET[:9] not in told, (place, told)
    for place in ELSEWHERE:
        told = shown_of(tmp_path, f"{place.replace('URL', url)}\n{GOOD}")
        assert SECRET[:9] not in told, (place, told)


def test_a_url_is_shown_by_scheme_and_host(tmp_path):
    url = f"ftp://me:{SECRET}@rpc.example:99/{SECRET}?x={SECRET}"
    told = shown_of(tmp_path, GOOD.replace("https://rpc.example", url))
    assert (
        "cluster.rpc_urls.0: expected an http:// or https:// URL, found 'ftp://rpc.example:99/…'"
        in told
    )
    told = shown_of(tmp_path, GOOD.replace("https://rpc.example", f"rpc.example/{SECRET}"))
    assert "URL, found a text of 44 characters" in told


@pytest.mark.parametrize(
    "place",
    ['[keys]\nkeeper = "KEY"', '[lanes.prices]\nkey = "KEY"', '[payouts]\nauthority = "KEY"'],
)
def test_a_keypair_where_its_path_should_be_is_not_shown(tmp_path, place):
    keypair = Keypair()
    for key in (str(keypair), keypair.to_json(), bytes(keypair).hex()):
        base = GOOD.replace('[keys]\nkeeper = "keeper.json"\n', "") if "keys" in place else GOOD
        (told,) = refusals_of(tmp_path, f"{base}\n{place.replace('KEY', key)}\n")
        assert "expected the path of a keypair file, found a keypair" in str(told)
        assert key[:12] not in "".join(traceback.format_exception(told))


def test_harmless_values_are_shown_as_they_are():
    assert [shown(each) for each in ("info", 5, 1.5, True)] == ["'info'", "5", "1.5", "True"]
    assert shown("x" * 1_000) == "a text of 1000 characters"
    assert shown("a\x1b[2Jb") == "a text of 6 characters"


@pytest.mark.parametrize(
    "text",
    [f"x = {'9' * 5_000}", "x = " + "[" * 5_000, "a" + ".a" * 5_000 + " = 1", "x = {a=" * 3_000],
    ids=["a number too long", "lists in lists", "tables in tables", "inline tables"],
)
def test_toml_that_no_person_writes_is_one_sentence_too(tmp_path, text):
    for refusal in refusals_of(tmp_path, text):
        assert all(len(line) < 300 for line in str(refusal).splitlines())


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "keeper.toml").write_bytes(b"\xff")
    for load, error in ((load_config, ConfigError), (load_settings, IncentivesConfigError)):
        with pytest.raises(error, match="cannot be read"):
            load(Path(tmp_path / "keeper.toml"))


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (incentives_command, ["follow", "--once", "--rpc-url"]),
        (incentives_command, ["season", "--program-id", PROGRAM, "--rpc-url"]),
        (keeper_command, ["verify", "--program", PROGRAM, "--url"]),
    ],
    ids=["follow", "season", "verify"],
)
def test_neither_does_the_command_line(command, arguments, url):
    # Those that are URLs are refused before they are asked by the option that is missing.
    end = ["--nothing"] if url in SECRET_URLS[:4] else []
    result = CliRunner().invoke(command, [*arguments, url.replace("\\u2100", "\u2100"), *end])
    assert result.exit_code == 2, result.output
    assert SECRET[:9] not in result.output


def test_integers_of_64_bits_are_read_and_nothing_else_is_changed():
    text = f"a = {2**63 - 1}\nb = [{-(2**63)}, 1.5, true]\nc.d = 'x'\n"
    assert decode_toml(text) == {"a": 2**63 - 1, "b": [-(2**63), 1.5, True], "c": {"d": "x"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"a = {2**63}", "a is longer than 64 bits"),
        (f"[a]\nb = [1, {-(2**63) - 1}]", "a.b.1 is longer than 64 bits"),
        (f"[[a]]\nb = {10**30}", "a.0.b is longer than 64 bits"),
        ("a = " + "9" * 5_000, "an integer is longer than 64 bits"),
        ("a = " + "[" * 20_000, "nested too deeply"),
        ("a." * 2_000 + "a = 1", "nested too deeply"),
        ("a = ", "Invalid value"),
    ],
)
def test_what_is_no_toml_is_said_in_words(text, words):
    with pytest.raises(TomlMistake, match=words):
        decode_toml(text)
