from solders.pubkey import Pubkey

from keeper.decoded_page import account_lines, transaction_json, transaction_lines, without_unused
from programs.betting_platform.headers import load_interface
from programs.decoding import Decoded, Row
from programs.landed import Landed, Step
from programs.rpc import TransactionFacts

INTERFACE = load_interface()
SOMEBODY = Pubkey.from_bytes(bytes([9] * 32))


def row(path, value):
    return Row(path=path, struct="create_market_data", field=path.partition("[")[0], value=value)


def facts(err=None):
    return TransactionFacts(slot=7, err=err, fee_lamports=5_000, cu_used=42, logs=())


def test_the_unused_end_of_a_list_is_left_out():
    prices = [row(f"price_e6[{i}]", value) for i, value in enumerate((5, 0, 3, 0, 0))]
    assert without_unused(prices) == prices[:3]
    pair = [row("outstanding[0]", 0), row("outstanding[1]", 0)]
    assert without_unused(pair) == pair
    steps = [row(f"steps[{i}].{f}", i == 3) for i in range(5) for f in ("kind", "leverage")]
    assert [each.path for each in without_unused(steps)][-1] == "steps[3].leverage"


def test_an_identifier_that_is_no_address_is_shown_in_hexadecimal_too():
    struct = INTERFACE.structs["market"]
    decoded = Decoded(
        name="market",
        struct=struct,
        tail=None,
        fields={"condition_id": SOMEBODY, "tokens": SOMEBODY},
    )
    _, condition, tokens = account_lines(INTERFACE, SOMEBODY, decoded)
    assert condition.endswith("0x" + "09" * 32)
    assert tokens.endswith(str(SOMEBODY))


def test_a_failed_transaction_says_why_in_the_programs_words():
    landed = Landed(steps=(), events=(), problem="")
    err = {"InstructionError": [0, {"Custom": 120}]}
    text = "\n".join(transaction_lines(INTERFACE, "signature", facts(err), landed))
    assert "failed: HALTED: the platform is halted for new exposure" in text
    shown = transaction_json(INTERFACE, "signature", facts(err), landed)
    assert (shown["err"], shown["error"][:7]) == (err, "HALTED:")


def test_what_is_missing_is_said_with_its_reason():
    landed = Landed(
        steps=(Step(program=SOMEBODY, decoded=None, problem="found ff"),),
        events=(),
        problem="the runtime truncated the logs",
    )
    lines = list(transaction_lines(INTERFACE, "signature", facts(), landed))
    assert f"instruction 0: found ff ({SOMEBODY})" in lines
    assert lines[-1] == "events are missing: the runtime truncated the logs"
    shown = transaction_json(INTERFACE, "signature", facts(), landed)
    assert shown["instructions"][0]["problem"] == "found ff"
    assert shown["problem"] == "the runtime truncated the logs"
