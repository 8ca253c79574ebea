import pytest
from solders.pubkey import Pubkey

from keeper.profile.measure import build_for_profiling
from keeper.profile.sections import Section, section_names, spent
from keeper.profile.world import ProfileError
from programs.betting_platform.build import PROGRAM_SO, SOURCE, build
from programs.betting_platform.link import syscall_hash

PROGRAM = Pubkey.from_bytes(bytes([1] * 32))
OTHER = Pubkey.from_bytes(bytes([2] * 32))
NAMES = ("calibration", "accounts", "curve")
END = 0xFF


def mark(section, remaining):
    return f"Program log: 0x5ec71075, {section:#x}, {remaining:#x}, 0x0, 0x0"


def units(logs):
    return {name: section.cu for name, section in spent(logs, PROGRAM, NAMES).items()}


def logs(*lines, used, program=PROGRAM):
    return [
        f"Program {program} invoke [1]",
        *lines,
        f"Program {program} consumed {used} of 10000 compute units",
        f"Program {program} success",
    ]


def test_a_section_has_its_own_units_without_inner_sections_and_without_the_marks_own():
    found = units(
        logs(
            mark(0, 9_900),
            mark(END, 9_700),  # a mark costs 200
            mark(1, 9_400),
            mark(2, 9_100),
            mark(END, 8_000),
            mark(END, 7_700),
            used=2_400,
        )
    )
    assert found == {
        "accounts": 100 + 100,  # 9_400 to 9_100 and 8_000 to 7_700, less a mark each
        "curve": 900,
        "rest": 0 + 100,  # before and after, less what is left of the first and the last mark
    }


def test_visits_are_counted_and_share_what_a_section_took():
    lines = [mark(2, 9_900), mark(END, 9_800), mark(2, 9_700), mark(END, 9_499)]
    found = spent(logs(*lines, used=600), PROGRAM, NAMES)
    assert found["curve"] == Section(cu=301, visits=2)
    assert found["curve"].cu_per_visit == 151


def test_without_a_mark_everything_is_rest():
    assert units(logs(used=700)) == {"rest": 700}
    assert units([]) == {}


def test_what_others_log_is_no_mark():
    theirs = logs(mark(2, 9_000), used=1_000, program=OTHER)
    assert units(theirs) == {}
    inner = [f"Program {OTHER} invoke [2]", mark(2, 5_000), f"Program {OTHER} success"]
    assert units(logs("Program log: 0x1, 0x2, 0x3, 0x0, 0x0", *inner, used=9)) == {"rest": 9}


def test_the_last_instruction_of_a_transaction_counts():
    both = [*logs(used=900), *logs(used=300)]
    assert units(both) == {"rest": 300}


def test_the_sections_are_named_in_the_header():
    names = section_names((SOURCE / "sections.h").read_text())
    assert names[0] == "calibration"
    assert {"accounts", "leverage", "curve"} <= set(names)


@pytest.mark.parametrize("name", ["sol_remaining_compute_units", "sol_log_64_"])
def test_the_committed_program_carries_no_mark(name):
    call = syscall_hash(name).to_bytes(4, "little")
    assert call not in PROGRAM_SO.read_bytes()
    assert call in build(defines=("PROFILE",))


def test_the_source_with_its_marks_builds_the_committed_program():
    assert build() == PROGRAM_SO.read_bytes()


def test_without_the_compiler_the_reason_says_what_to_do():
    with pytest.raises(ProfileError, match="not installed: run `make setup` first"):
        build_for_profiling("no_such_compiler")
