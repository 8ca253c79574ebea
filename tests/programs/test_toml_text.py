"""programs/toml_text.py: what TOML may hold, and what is said of the rest."""

import pytest

from programs.toml_text import TomlError, read_toml


def test_integers_of_64_bits_are_read_and_nothing_else_is_changed():
    text = f"a = {2**63 - 1}\nb = [{-(2**63)}, 1.5, true]\nc.d = 'x'\n"
    assert read_toml(text) == {"a": 2**63 - 1, "b": [-(2**63), 1.5, True], "c": {"d": "x"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"a = {2**63}", "a is longer than 64 bits"),
        (f"[a]\nb = [1, {-(2**63) - 1}]", "a.b.1 is longer than 64 bits"),
        (f"[[a]]\nb = {10**30}", "a.0.b is longer than 64 bits"),
        ("a = " + "9" * 5_000, "an integer is longer than 64 bits"),
        ("a = " + "[" * 20_000, "nested too deeply"),
        ("a." * 2_000 + "a = 1", "nested too deeply"),
        ("a = ", "is no TOML: "),
    ],
)
def test_what_is_no_toml_is_said_in_words_that_follow_a_files_name(text, words):
    with pytest.raises(TomlError, match=words):
        read_toml(text)
