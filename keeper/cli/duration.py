"""Lengths of time on the command line: `--for 40s`."""

import re

import click

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """A length of time such as 40s, 5m or 2h; a bare number is seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", str(value))
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is no duration: expected e.g. 40s, 5m or 2h", param, ctx)
        return float(match[1]) * _UNITS_S[match[2] or "s"]
