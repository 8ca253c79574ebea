"""keeper.toml -> what the incentives need of it, with every mistake reported at once.

Edge. The file is the keeper's too: each reads its own tables, and neither interprets the other's. The tables shared are read
leniently here, for `keeper check` judges them; `[incentives]` is read strictly here, and nowhere else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, PlainValidator, TypeAdapter, ValidationError
from solders.pubkey import Pubkey

from incentives.parameters import CHAIN_EPOCH_SLOTS, LOCK_SLOTS, Parameters, ParametersError, Rules
from programs.endpoint_urls import check_url
from programs.rpc_settings import EndpointKeys, RpcSettings
from programs.toml_mistakes import TomlMistake, as_json, decode_toml, listed, mistake, shown

T = TypeVar("T")

_SANDBOX: Final = "sandbox"
"""Under state.folder: what is remembered of chains that end with the keeper that started them."""
_PAYOUTS: Final = "payouts"
_FILE_BYTES_MAX: Final = 1 << 20


class ConfigError(Exception):
    """The file cannot be used; the message says why, and lists every mistake."""


def _address(value: object) -> Pubkey:
    try:
        return Pubkey.from_string(str(value))
    except ValueError as error:
        raise ValueError(f"{shown(str(value))} is no address in base58") from error


def _http_url(value: str) -> str:
    return check_url(value, "http", "https")


HttpUrl = Annotated[str, AfterValidator(_http_url)]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncentivesConfig:
    """[incentives]."""

    enabled: bool = False
    """Whether `keeper run` starts `incentives follow` beside the sandbox; elsewhere it is a service of its own."""
    ledger: Path | None = None
    """The ledger's file; without it one per cluster, named after its genesis hash, in state.folder."""
    rpc_urls: tuple[HttpUrl, ...] = ()
    """Where history is read, instead of cluster.rpc_urls: nodes that keep all of it, with what programs
    called, and at least 10,000 bytes of a transaction's logs."""
    poll_slots: int = 4
    """Between two looks at what has been finalized."""
    drain_s: int = 60
    """On interrupt, how long reading what has happened so far may take."""
    epoch_slots: int = CHAIN_EPOCH_SLOTS
    """Length of an epoch; divides 9_000."""
    dwell_slots: int = LOCK_SLOTS
    """How long a position or a deposit is held before it counts."""
    rules: tuple[Rules, ...] = (Rules(),)
    """Versions, appended only; each holds from its `from_epoch` on."""

    def __post_init__(self) -> None:
        """Refuse intervals that would spin or never end, and rules that contradict each other."""
        for name, least, most in (("poll_slots", 1, CHAIN_EPOCH_SLOTS), ("drain_s", 1, 3_600)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {least} to {most}")
        try:
            _ = self.parameters
        except ParametersError as error:
            raise ValueError(str(error)) from error

    @property
    def parameters(self) -> Parameters:
        """What decides, besides the events, what is owed."""
        return Parameters(
            epoch_slots=self.epoch_slots, dwell_slots=self.dwell_slots, versions=self.rules
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster(EndpointKeys):
    rpc_urls: tuple[HttpUrl, ...]
    program_id: Annotated[Pubkey, PlainValidator(_address)]
    slot_ms: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Payouts:
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sandbox:
    enabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """The parts of the other tables that matter here."""

    cluster: _Cluster
    state: _State
    payouts: _Payouts = field(default_factory=_Payouts)
    sandbox: _Sandbox = field(default_factory=_Sandbox)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the incentives are told by the file, paths made absolute by its folder."""

    rpc_urls: tuple[str, ...]
    program: Pubkey
    slot_ms: int
    rpc_settings: RpcSettings
    folder: Path
    """Where ledgers are."""
    manifests: Path
    """Where the keeper looks for roots to post and to pay."""
    incentives: IncentivesConfig

    def ledger_path(self, genesis_hash: str) -> Path:
        """Return the file of a cluster's ledger: never two clusters in one."""
        return self.incentives.ledger or self.folder / f"incentives-{genesis_hash[:12]}.db"

    def find_ledger(self) -> Path:
        """Return the ledger to read when no cluster is asked: the one of the file, or the one last written.

        Raises:
            ConfigError: there is none.
        """
        if self.incentives.ledger is not None:
            return self.incentives.ledger
        found = sorted(self.folder.glob("incentives-*.db"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise ConfigError(
                f"there is no ledger in {self.folder}: name one with --ledger, or start `incentives follow`"
            )
        return found[-1]


_SHARED: Final = TypeAdapter(_Shared)
_INCENTIVES: Final = TypeAdapter(IncentivesConfig)


def load_settings(path: Path) -> Settings:
    """Read keeper.toml; relative paths in it are relative to the file.

    Raises:
        ConfigError: unreadable, no TOML, or with the list of every mistake and its dotted key.
    """
    return parse_settings(_read(path), path)


def load_parameters(path: Path, otherwise: Parameters) -> Parameters:
    """Read [incentives] alone, for a season as it might have been.

    Args:
        path: a file that may have nothing else.
        otherwise: for lengths and rules that it does not say.

    Raises:
        ConfigError: unreadable, no TOML, or with the list of every mistake and its dotted key.
    """
    table = _read(path).get("incentives", {})
    if not isinstance(table, dict):
        told = shown(table) if isinstance(table, str | int | float) else "a list or a date"
        raise ConfigError(f"{path}: incentives is {told}, expected a table")
    known = json.loads(otherwise.to_json())
    unsaid = {"epoch_slots": known["epoch_slots"], "dwell_slots": known["dwell_slots"]}
    mistakes: list[str] = []
    given = {"rules": known["versions"], **unsaid, **table}
    found = _checked(_INCENTIVES, given, "forbid", ("incentives",), mistakes)
    if found is None:
        raise ConfigError(listed(path, mistakes))
    return found.parameters


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise ConfigError(f"{path} is larger than {_FILE_BYTES_MAX} bytes: not a configuration")
        return decode_toml(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} does not exist: name another, or run from the folder that has keeper.toml"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except TomlMistake as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None


def parse_settings(raw: dict[str, Any], path: Path) -> Settings:
    """Validate a decoded keeper.toml.

    Raises:
        ConfigError: with every mistake.
    """
    mistakes: list[str] = []
    wanted = {each.name: raw[each.name] for each in fields(_Shared) if each.name in raw}
    shared = _checked(_SHARED, wanted, "ignore", (), mistakes)
    table = raw.get("incentives", {})
    incentives = _checked(_INCENTIVES, table, "forbid", ("incentives",), mistakes)
    if shared is None or incentives is None:
        raise ConfigError(listed(path, mistakes))
    root = path.parent
    folder = root / shared.state.folder
    if shared.sandbox.enabled:
        folder /= _SANDBOX
    return Settings(
        rpc_urls=incentives.rpc_urls or shared.cluster.rpc_urls,
        program=shared.cluster.program_id,
        slot_ms=shared.cluster.slot_ms,
        rpc_settings=shared.cluster.rpc_settings,
        folder=folder,
        manifests=folder / _PAYOUTS
        if shared.payouts.folder is None
        else root / shared.payouts.folder,
        incentives=_anchored(incentives, root),
    )


def _anchored(incentives: IncentivesConfig, root: Path) -> IncentivesConfig:
    if incentives.ledger is None:
        return incentives
    return replace(incentives, ledger=root / incentives.ledger)


def _checked(
    adapter: TypeAdapter[T],
    found: object,
    extra: Literal["ignore", "forbid"],
    prefix: Sequence[str],
    mistakes: list[str],
) -> T | None:
    """Validate a part; None, and what is wrong among the mistakes, if it is no such part."""
    try:
        return adapter.validate_json(as_json(found), strict=True, extra=extra)
    except ValidationError as error:
        mistakes += [mistake(dict(detail), prefix) for detail in error.errors(include_url=False)]
    except TomlMistake as error:
        mistakes.append(str(error))
    return None
