import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.errors import MalformedError
from keeper.prices.strict_json import load_strict, text_of


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("<b>blocked</b>", "no JSON"),
        ('{"a": 1} x', "after the end"),
        ('{"a": NaN}', "NaN, which is no number"),
        ("[-Infinity]", "-Infinity, which is no number"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
        ('[{"b": {"a": 1, "a": 1}}]', "the key 'a' twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("1" * 41, "an integer of 41 characters"),
        ("-" + "1" * 5_000, "an integer of 5001 characters"),
        ('{"' + "k" * 500 + '": 1, "' + "k" * 500 + '": 1}', "and more twice"),
        ('"\x00"', "no JSON"),
    ],
    ids=lambda one: one[:20],
)
def test_what_is_no_strict_json_is_refused_in_one_short_sentence(text, match):
    with pytest.raises(MalformedError, match=match) as refused:
        load_strict(text)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b'{"a": "\xff"}', "byte 0xff at 7, wanted UTF-8"),
        ('"€"'.encode("utf-16"), "wanted UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'"\xed\xa0\x80"', "wanted UTF-8"),
    ],
)
def test_what_is_no_utf_8_is_refused(body, match):
    with pytest.raises(MalformedError, match=match):
        text_of(body)


def test_a_float_keeps_its_characters():
    assert load_strict(' {"p": 0.1, "q": 1e-7, "n": 3} ') == {"p": "0.1", "q": "1e-7", "n": 3}


def test_a_key_that_comes_twice_is_found_in_one_pass_over_all_of_them():
    # Looked for pair by pair these take half a minute, in which nothing else of the keeper runs.
    keys = ",".join(f'"{number}":0' for number in range(30_000))
    with pytest.raises(MalformedError, match="'29999' twice"):
        load_strict(f'{{{keys},"29999":0}}')


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_what_was_written_is_read_again(value):
    assert load_strict(
        text_of(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    ) == json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    with suppress(MalformedError):
        load_strict(text_of(body))
