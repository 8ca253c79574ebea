import pytest

from programs import errors, event_layout, instructions, layout
from programs.betting_platform.build import SOURCE
from programs.betting_platform.headers import load_interface
from programs.c_header import parse_headers
from programs.c_tokens import HeaderError
from programs.interface import HEADERS, read_interface


@pytest.fixture(scope="module")
def interface():
    return load_interface()


@pytest.fixture
def texts():
    return {name: (SOURCE / name).read_text() for name in HEADERS}


def parsed(text: str):
    return parse_headers({"x.h": text})


def test_every_instruction_is_listed_with_its_tag(interface):
    assert [(shape.tag, shape.name) for shape in interface.instructions] == [
        (tag.value, tag.name.lower()) for tag in instructions.Tag
    ]


def test_a_role_says_what_the_account_must_be_and_how_it_is_passed(interface):
    maker = interface.instruction("remove_liquidity").role("maker")
    assert (maker.rule, maker.is_signer, maker.is_writable, maker.is_owned) == (
        "MAKER",
        False,
        True,
        True,
    )
    vault = interface.instruction("open_position").role("vault")
    assert (vault.is_writable, vault.may_be_written) == (False, True)
    assert vault.docs == "written with leverage"


def test_more_accounts_are_told_apart_from_one_more_account(interface):
    assert interface.instruction("open_position").extra.name == "vault_tokens"
    assert interface.instruction("open_position").extra.is_writable
    assert interface.instruction("liquidate").more.startswith("positions, ")
    assert interface.instruction("stake").extra is None
    assert interface.instruction("stake").more == ""


def test_accounts_events_and_refusals_are_those_of_the_codec(interface):
    assert {a.name: a.kind for a in interface.accounts} == {
        kind.name.lower(): kind.value for kind in layout.AccountKind
    }
    assert {e.name: e.kind for e in interface.events} == {
        kind.name.lower(): kind.value for kind in event_layout.EventKind
    }
    assert {r.name: (r.code, r.text) for r in interface.refusals} == {
        name: (error.code, error.__doc__) for name, error in errors.BY_NAME.items()
    }


def test_what_follows_a_struct_is_known_with_its_count(interface):
    tail = interface.account("market").tail
    assert (tail.count, tail.type) == ("pools", "pool")
    assert interface.account("epoch").tail.type == "bitmap"
    assert interface.event("market_resolved").tail.name == "payout_e6"
    assert interface.instruction("pay_rewards").data.rest.startswith("then, leaf by leaf")


def test_seeds_are_literals_and_typed_fields(interface):
    assert [(s.literal, s.name, s.type) for s in interface.addresses["position"]] == [
        ("position", "", ""),
        ("", "market", "address"),
        ("", "owner", "address"),
        ("", "position_id", "u32"),
    ]
    assert interface.addresses["sink_owner"][0].literal == "entropy_sink"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int x;", "x.h:1: found 'int', expected a struct, an enum or a macro"),
        (
            "\nstruct a { i64 b; };",
            "x.h:2: found 'i64', expected one of u8, u16, u32, u64, or a struct",
        ),
        (
            "struct a { u8 b; u64 c; };",
            "x.h:1: found 'c at byte 1', expected padding with a name",
        ),
        (
            "struct a { u64 b; u8 c; };",
            "x.h:1: found '9', expected a size divisible by 8: name the padding",
        ),
        ("struct a { struct b c; };", "x.h:1: found 'b', expected a struct declared above"),
        ("struct a { u64* b; };", "x.h:1: found '*', expected a member's name"),
        ("struct a { u64 b : 3; };", "x.h:1: found ':', expected ';'"),
        ("struct a { u64 b;", "x.h:1: found 'the end of the file', expected a type"),
        ("#if 1\n#endif", "x.h:1: found '#if 1', expected #define, #undef, #include or a guard"),
        (
            'struct a { u8 b; };\n_Static_assert(sizeof(struct a) == 2, "a");',
            "x.h:2: found '2', expected 1 bytes for struct a",
        ),
        ("enum a { B = C };", "x.h:1: found 'C', expected a number, or a name declared above"),
        ("#define L(A) A(x) y", "x.h:1: found 'y', expected A(...)"),
        ("struct a { u8 b[]; u8 c; };", "x.h:1: found 'c', expected a flexible array last"),
    ],
)
def test_what_is_not_understood_is_named_with_its_file_and_line(text, expected):
    with pytest.raises(HeaderError) as raised:
        parsed(text)
    assert str(raised.value) == expected


def test_offsets_arrays_and_nested_structs_are_laid_out_as_c_does():
    found = parsed(
        """struct pair { /* two */
            u32 low, high; /* both */
        };
        struct a { u8 b, c[7]; struct pair d[2]; u64 rest[]; /* to the end */ };"""
    )
    assert [(f.name, f.type, f.count, f.offset) for f in found.structs["a"].fields] == [
        ("b", "u8", None, 0),
        ("c", "u8", 7, 1),
        ("d", "pair", 2, 8),
        ("rest", "u64", 0, 24),
    ]
    assert found.structs["a"].bytes == 24
    assert found.structs["pair"].docs == "two"
    assert {f.docs for f in found.structs["pair"].fields} == {"low, high: both"}


@pytest.mark.parametrize(
    ("header", "old", "new", "expected"),
    [
        ("instructions.h", "A(market, MARKET", "A(market, MARKETS", "found 'MARKETS"),
        ("instructions.h", "then, writable: one", "then one", "expected `then, writable: ...`"),
        (
            "instructions.h",
            "unstake, liquidate, cancel_chain",
            "cancel_chain",
            "expected struct liquidate_data",
        ),
        ("instructions.h", "I(22, HALT, halt)", "I(22, HALTED, halt)", "expected HALTED_ACCOUNTS"),
        ("events.h", "`pools` struct reading", "`pool` struct reading", "found `pool`"),
        ("events.h", "struct paid_leaf */", "struct leaf */", "found struct leaf"),
        ("events.h", "`step_count` struct", "some struct", "expected `count` and what"),
        ("events.h", "EVENT_HALTED = 25", "EVENT_STOPPED = 25", "expected struct event_stopped"),
        ("layout.h", '["stake", owner]', '["stake", 3]', "found the seed '3'"),
    ],
)
def test_a_comment_that_tools_read_must_be_in_their_grammar(texts, header, old, new, expected):
    assert old in texts[header]
    texts[header] = texts[header].replace(old, new)
    with pytest.raises(HeaderError, match=expected.replace("(", r"\(")):
        read_interface(texts)
