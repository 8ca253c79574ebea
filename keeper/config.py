"""keeper.toml -> frozen Config, with every mistake reported at once.

Settings live beside what they configure; this module composes them. One file, no ambient environment: what `keeper check`
prints is all there is. Secrets are paths to keypair files, never values.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from keeper.cluster_config import Address, ClusterConfig
from keeper.errors import ConfigError
from keeper.lane_config import LaneConfig, LanesConfig
from keeper.monitor.config import MonitorConfig
from keeper.pay import PayRules
from keeper.posting import PostingRules
from keeper.prices.feed_config import FeedConfig
from keeper.sandbox.config import SandboxConfig
from programs.toml_text import TomlError, read_toml

_FILE_BYTES_MAX: Final = 1 << 20
_LANDING_RANGES: Final = {
    "poll_interval_slots": (0.05, 25),
    "resend_interval_slots": (1, 150),  # a blockhash's life: later there is nothing to send
    "blockhash_interval_slots": (1, 25),  # the ages of prices are counted by it
    "drain_s": (1, 3_600),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysConfig:
    """Keypair files, mode 0600."""

    keeper: Path
    """The program's oracle authority; pays for every lane that has no key of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesisConfig:
    """What `keeper genesis` fixes for ever, unless its options say otherwise; nothing else reads it."""

    quote_mint: Address | None = None
    market_authority: Address | None = None
    oracle_authority: Address | None = None
    """Without it the keeper's own key."""
    incentives_authority: Address | None = None
    fee_treasury_owner: Address | None = None
    halt_authority: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateConfig:
    """Where the keeper remembers."""

    folder: Path
    """One database per cluster, named after its genesis hash: never two clusters in one file."""
    snapshot_slots_max: int = 54_000
    """How old a snapshot of `keeper snapshot write` in the folder may be to start from: six hours; 0 starts from none."""

    def __post_init__(self) -> None:
        """Refuse an age that is none."""
        if self.snapshot_slots_max < 0:
            raise ValueError(
                f"snapshot_slots_max is {self.snapshot_slots_max}, expected 0 (never) or more"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutsConfig:
    """How rewards are paid; what it may cost stands in `lanes.payouts`."""

    folder: Path | None = None
    """Where manifests of reward roots are put; without it `payouts` beside the database."""
    authority: Path | None = None
    """Keypair file of the program's incentives authority, who posts roots that are not on chain yet and locks their accounts'
    rent; without it whoever pays for payouts tries to. Nobody else's root is accepted by the program."""
    creates_token_accounts: bool = False
    """Whether to open a token account for a wallet that has none, 0.00203928 SOL each; else it is skipped until it has one."""
    interval_slots: int = 25
    """Between two looks at the folder and at the chain while nothing is paid."""

    def __post_init__(self) -> None:
        """Refuse an interval that would spin."""
        if self.interval_slots < 1:
            raise ValueError(f"interval_slots is {self.interval_slots}, expected 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingConfig:
    """How eagerly transactions are sent and confirmed."""

    poll_interval_slots: float = 0.25
    """Between two readings of all statuses: a part of a slot, for this is waited for after a transaction is confirmed."""
    resend_interval_slots: int = 4
    """Between two sends of the same bytes while no node has seen them."""
    blockhash_interval_slots: int = 2
    """Between two readings of a blockhash, which also tells the keeper the slot."""
    drain_s: int = 20
    """On interrupt, how long work in flight may take to be confirmed; what remains is settled at the next start."""

    def __post_init__(self) -> None:
        """Refuse intervals that would spin, or would never end: TOML has `inf` and `nan`."""
        for name, (least, most) in _LANDING_RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {least} to {most}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What is told."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level of a log line; a live view shows warnings whatever is set here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything an operator can set."""

    cluster: ClusterConfig
    keys: KeysConfig
    state: StateConfig
    polymarket: FeedConfig = field(default_factory=FeedConfig)
    posting: PostingRules = field(default_factory=PostingRules)
    lanes: LanesConfig = field(default_factory=LanesConfig)
    payouts: PayoutsConfig = field(default_factory=PayoutsConfig)
    landing: LandingConfig = field(default_factory=LandingConfig)
    log: LogConfig = field(default_factory=LogConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    genesis: GenesisConfig = field(default_factory=GenesisConfig)
    monitor: MonitorConfig = field(default_factory=MonitorConfig)
    incentives: dict[str, Any] = field(default_factory=dict)
    """What `incentives follow` reads in the same file, strictly; of it only `enabled` is looked at here."""

    def __post_init__(self) -> None:
        """Refuse a keeper that counts other slots than the sandbox it runs."""
        if self.sandbox.enabled and self.sandbox.slot_ms != self.cluster.slot_ms:
            raise ValueError(
                f"cluster.slot_ms is {self.cluster.slot_ms} and sandbox.slot_ms {self.sandbox.slot_ms}: "
                "expected the same while sandbox.enabled is true"
            )


_ADAPTER: Final = TypeAdapter(Config)


def load_config(path: Path) -> Config:
    """Read keeper.toml; relative paths in it are relative to the file.

    Raises:
        ConfigError: unreadable, no TOML, or with the list of every mistake and its dotted key.
    """
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise ConfigError(f"{path} is larger than {_FILE_BYTES_MAX} bytes: not a configuration")
        text = path.read_text()
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} does not exist: name the file with --config, or run from the folder that has keeper.toml"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        raw = read_toml(text)
    except TomlError as error:
        raise ConfigError(f"{path} {error}") from error
    return parse_config(raw, path)


def parse_config(raw: dict[str, Any], path: Path) -> Config:
    """Validate a decoded keeper.toml.

    Raises:
        ConfigError: with every mistake.
    """
    mistakes: list[str] = []
    polymarket = raw.setdefault("polymarket", {})
    cluster = raw.get("cluster")
    if isinstance(polymarket, dict) and isinstance(cluster, dict):
        # Ages are counted in the cluster's slots: one key for both.
        if "slot_ms" in polymarket:
            mistakes.append("polymarket.slot_ms: unknown key; set cluster.slot_ms")
        slot_ms = cluster.get("slot_ms")
        if type(slot_ms) is int:  # anything else is reported under its own key
            raw = raw | {"polymarket": polymarket | {"slot_ms": slot_ms}}
    try:
        text = json.dumps(raw)
    except TypeError as error:  # TOML has dates and times, no setting is one
        raise ConfigError(f"{path}: a date or time where none is expected ({error})") from error
    try:
        config = _ADAPTER.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        mistakes += [_mistake(dict(detail)) for detail in error.errors(include_url=False)]
    else:
        if not mistakes:
            return _anchored(config, path.parent)
    listed = "\n".join(f"  {mistake}" for mistake in mistakes)
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}"
    raise ConfigError(f"{path} has {count}:\n{listed}")


def _mistake(detail: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in detail["loc"]) or "(file)"
    what = str(detail["msg"])
    if detail["type"] == "unexpected_keyword_argument":
        return f"{where}: unknown key"
    if detail["type"] in {"missing", "missing_argument"}:
        return f"{where}: missing"
    found = detail.get("input")
    shown = f", found {found!r}" if isinstance(found, str | int | float | bool) else ""
    return f"{where}: {what.removeprefix('Value error, ')}{shown}"


def _anchored(config: Config, folder: Path) -> Config:
    return replace(
        config,
        keys=KeysConfig(keeper=folder / config.keys.keeper),
        state=replace(config.state, folder=folder / config.state.folder),
        lanes=_anchored_lanes(config.lanes, folder),
        payouts=replace(
            config.payouts,
            folder=None if config.payouts.folder is None else folder / config.payouts.folder,
            authority=None
            if config.payouts.authority is None
            else folder / config.payouts.authority,
        ),
        sandbox=replace(
            config.sandbox,
            replay=None if config.sandbox.replay is None else folder / config.sandbox.replay,
        ),
        monitor=config.monitor.anchored(folder),
    )


def _anchored_lanes(lanes: LanesConfig, folder: Path) -> LanesConfig:
    def own(lane: LaneConfig) -> LaneConfig:
        return lane if lane.key is None else replace(lane, key=folder / lane.key)

    return replace(
        lanes,
        prices=own(lanes.prices),
        liquidations=own(lanes.liquidations),
        chains=own(lanes.chains),
        payouts=own(lanes.payouts),
        tables=own(lanes.tables),
    )


def pay_rules(config: Config) -> PayRules:
    """Return how rewards are paid."""
    payouts = config.payouts
    return PayRules(
        folder=payouts.folder or config.state.folder / "payouts",
        creates_token_accounts=payouts.creates_token_accounts,
        interval_s=payouts.interval_slots * config.cluster.slot_ms / 1_000,
    )


def effective(config: Config) -> dict[str, Any]:
    """Return the whole configuration, defaults included, as JSON types: what could be written into the file, and nothing else."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(config), default=str))
    del found["polymarket"]["slot_ms"]  # the cluster's
    return found
