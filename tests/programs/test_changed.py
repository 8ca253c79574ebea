"""programs/changed.py does what dataclasses.replace does."""

from dataclasses import FrozenInstanceError, dataclass, replace

import pytest

from programs.accounts import Position, Vault
from programs.changed import changed
from programs.layout import POSITION_BYTES, AccountKind

POSITION = Position.from_bytes(bytes([AccountKind.POSITION, 1]) + bytes(range(POSITION_BYTES - 2)))


@pytest.mark.parametrize("name", Position.__dataclass_fields__)
def test_each_field_changes_as_replace_changes_it_and_nothing_else_does(name):
    before = hash(POSITION)
    found = changed(POSITION, **{name: 7})
    assert found == replace(POSITION, **{name: 7})
    assert type(found) is Position
    assert hash(POSITION) == before
    assert changed(found, **{name: getattr(POSITION, name)}) == POSITION


def test_several_fields_change_at_once_and_none_is_a_copy():
    assert changed(POSITION, debt=1, shares=2) == replace(POSITION, debt=1, shares=2)
    copy = changed(POSITION)
    assert copy == POSITION
    assert copy is not POSITION


def test_a_changed_record_is_frozen_too():
    with pytest.raises(FrozenInstanceError):
        changed(POSITION, debt=1).debt = 2


def test_a_field_that_is_none_is_refused():
    with pytest.raises(TypeError, match="Position has no field 'dept'"):
        changed(POSITION, dept=1)


def test_a_record_that_checks_itself_is_refused():
    @dataclass(frozen=True, slots=True)
    class Checked:
        low: int
        high: int

        def __post_init__(self):
            assert self.low <= self.high

    with pytest.raises(AssertionError, match="Checked wants to check"):
        changed(Checked(1, 2), low=3)
    assert not hasattr(Vault, "__post_init__")
