"""Fault profiles: the two that come with the network, files of one's own, and single settings on top."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from programs.localnet.faults import FaultProfile
from programs.toml_mistakes import TomlMistake, decode_toml

PROFILE_NAMES: Final = ("light", "heavy")
_FOLDER: Final = Path(__file__).with_name("profiles")
_SHAPE: Final = TypeAdapter(FaultProfile)


class ProfileError(Exception):
    """A fault profile cannot be used."""


def load_profile(name: str) -> FaultProfile:
    """Load `light`, `heavy`, or the TOML file of that path.

    Raises:
        ProfileError: There is no such file, or what is in it is no profile.
    """
    path = _FOLDER / f"{name}.toml" if name in PROFILE_NAMES else Path(name)
    try:
        found = decode_toml(path.read_text())
    except OSError as error:
        raise ProfileError(
            f"no fault profile at {name} ({error.strerror}): "
            f"give one of {', '.join(PROFILE_NAMES)} or the path of a TOML file"
        ) from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path} is no TOML: {error}") from error
    except TomlMistake as error:
        raise ProfileError(f"{path} is no TOML: {error}") from error
    return _profile(found, str(path))


def with_settings(profile: FaultProfile, settings: tuple[str, ...]) -> FaultProfile:
    """Replace single settings, each written as `section.name=value`.

    Raises:
        ProfileError: There is no such setting, or the value is none it can have.
    """
    tree = _plain(profile)
    for text in settings:
        key, found, value = text.partition("=")
        *sections, name = key.strip().split(".")
        try:
            number = int(value)
        except ValueError:
            found = ""
            number = 0
        if not found or not name:
            raise ProfileError(
                f"{text!r} is no fault setting; write it as sending.lost_bps=500, a whole number after the sign"
            )
        branch = tree
        for section in sections:
            below = branch.setdefault(section, {})
            if not isinstance(below, dict):
                raise ProfileError(f"{text!r}: {section} has no settings of its own")
            branch = below
        branch[name] = number
    return _profile(tree, "the fault settings given")


def _plain(profile: FaultProfile) -> dict[str, object]:
    """What a file would say."""
    return {name: value for name, value in asdict(profile).items() if value is not None}


def _profile(tree: dict[str, object], source: str) -> FaultProfile:
    try:
        return _SHAPE.validate_json(json.dumps(tree, default=str), strict=True, extra="forbid")
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'profile'}: {each['msg']}"
            for each in error.errors()
        )
        raise ProfileError(f"{source}: {mistakes}") from error
