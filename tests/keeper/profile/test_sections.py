import pytest
from solders.pubkey import Pubkey

from keeper.profile.sections import section_names, spent
from programs.betting_platform.build import PROGRAM_SO, SOURCE, build
from programs.betting_platform.link import syscall_hash

PROGRAM = Pubkey.from_bytes(bytes([1] * 32))
OTHER = Pubkey.from_bytes(bytes([2] * 32))
NAMES = ("calibration", "checks", "curve")


def mark(section, remaining):
    return f"Program log: 0x5ec71075, {section:#x}, {remaining:#x}, 0x0, 0x0"


def logs(*lines, used, program=PROGRAM):
    return [
        f"Program {program} invoke [1]",
        *lines,
        f"Program {program} consumed {used} of 10000 compute units",
        f"Program {program} success",
    ]


def test_units_between_marks_count_to_the_section_of_the_first_without_the_marks_own():
    found = spent(
        logs(
            mark(0, 9_900),
            mark(0, 9_700),  # a mark costs 200
            mark(1, 9_500),
            mark(2, 9_200),
            mark(1, 8_000),
            used=2_400,
        ),
        PROGRAM,
        NAMES,
    )
    # 9_500 -> 9_200 less a mark, and 8_000 -> 7_600 less what is left of the last one.
    assert found == {"checks": 100 + 300, "curve": 1_000}


def test_without_a_mark_everything_is_entry():
    assert spent(logs(used=700), PROGRAM, NAMES) == {"entry": 700}
    assert spent([], PROGRAM, NAMES) == {}


def test_what_others_log_is_no_mark():
    theirs = logs(mark(2, 9_000), used=1_000, program=OTHER)
    assert spent(theirs, PROGRAM, NAMES) == {}
    inner = [f"Program {OTHER} invoke [2]", mark(2, 5_000), f"Program {OTHER} success"]
    assert spent(logs("Program log: 0x1, 0x2, 0x3, 0x0, 0x0", *inner, used=9), PROGRAM, NAMES) == {
        "entry": 9
    }


def test_the_last_instruction_of_a_transaction_counts():
    both = [*logs(used=900), *logs(used=300)]
    assert spent(both, PROGRAM, NAMES) == {"entry": 300}


def test_the_sections_are_named_in_the_header():
    names = section_names((SOURCE / "sections.h").read_text())
    assert names[0] == "calibration"
    assert {"checks", "leverage", "curve"} <= set(names)


@pytest.mark.parametrize("name", ["sol_remaining_compute_units", "sol_log_64_"])
def test_the_committed_program_carries_no_mark(name):
    call = syscall_hash(name).to_bytes(4, "little")
    assert call not in PROGRAM_SO.read_bytes()
    assert call in build(defines=("PROFILE",))


def test_the_source_with_its_marks_builds_the_committed_program():
    assert build() == PROGRAM_SO.read_bytes()
