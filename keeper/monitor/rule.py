"""A rule: what is asked of the figures, how long it has to hold, how bad it is, and what a person is told.

Core. Texts are templates: `{lane}` is a label's value, `{value:.1f}` the expression's; the same text is printed for
Prometheus, whose templates are Go's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Final

from keeper.monitor.expressions import Expression
from keeper.monitor.level import Level

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DIGITS: Final = re.compile(r"\.\df")
ESCALATE_AFTER_S: Final[Mapping[Level, float]] = {
    Level.WARNING: 4 * 3_600,
    Level.CRITICAL: 900,
    Level.EMERGENCY: 600,
}
"""How long an alert may go unacknowledged before it rises one step; an emergency is told again each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One condition that operators are told of."""

    name: str
    level: Level
    expression: Expression
    """Whatever it has a value for is in trouble."""
    summary: str
    """Template: what is wrong."""
    already_did: str
    """Template: what the keeper does about it by itself."""
    for_s: float = 0.0
    """How long it has to hold before anybody is told."""
    keep_s: float = 60.0
    """How long it has to be over before that is told: what comes and goes is one alert."""

    def __post_init__(self) -> None:
        """Refuse what could not be shown: names that are none, labels that are not there."""
        assert _NAME.fullmatch(self.name), self.name
        for template in (self.summary, self.already_did):
            for _text, field, spec, _conversion in Formatter().parse(template):
                assert field is None or field in {*self.expression.labels(), "value"}, (
                    f"{self.name}: {field}"
                )
                assert field != "value" or _DIGITS.fullmatch(spec or ""), f"{self.name}: {spec}"

    @property
    def runbook(self) -> str:
        """Return where it stands what to do."""
        return f"docs/alerts/{self.name}.md"


def filled(template: str, labels: Mapping[str, str], value: float) -> str:
    """Return a template's text."""
    return template.format(**labels, value=value)


def go_template(template: str) -> str:
    """Return a template as Prometheus fills it in."""
    return "".join(
        _escaped(text) + ("" if field is None else _go_field(field, spec or ""))
        for text, field, spec, _conversion in Formatter().parse(template)
    )


def _go_field(field: str, spec: str) -> str:
    if field == "value":
        return '{{ printf "%' + spec + '" $value }}'
    return "{{ $labels." + field + " }}"


def _escaped(text: str) -> str:
    assert "{{" not in text, "would be a template of Go's"
    return text
