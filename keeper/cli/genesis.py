"""`keeper genesis`: what is fixed for ever, fixed exactly once."""

import json
from functools import partial
from pathlib import Path

import click
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.audit_page import mmt
from keeper.cli.cluster_options import (
    CU_PRICE_OPTION,
    DRY_RUN_OPTION,
    FILE,
    JSON_OPTION,
    PACE,
    SO_OPTION,
    YES_OPTION,
    Address,
    Target,
    ask,
    on_cluster,
    read_code,
    read_keypair,
    read_program_keypair,
    resolve_target,
    say,
    table,
    target_options,
)
from keeper.cli.verify import conclude
from keeper.errors import GenesisError
from keeper.genesis import GenesisSurvey, check_purse, found, survey_genesis
from keeper.survey import sol
from keeper.verification import gather_evidence
from programs.audit import Audit, audit, authorities_of
from programs.founding import Charter, derived_mint
from programs.genesis import MMT_SUPPLY, SEASON_SLOTS, SINK_MMT, TREASURY_MMT
from programs.instructions import Authorities
from programs.terminal import echo
from programs.units import MicroLamports

_EXAMPLES = """\b
Examples:
  keeper genesis --program program.json --payer payer.json --dry-run
  keeper genesis --program program.json --payer payer.json --quote-mint ADDRESS --authority ADDRESS
  keeper genesis --program program.json --payer payer.json --new-quote-mint --authority ADDRESS --url http://127.0.0.1:8899
"""


_AUTHORITIES = ("market", "oracle", "incentives", "fee_treasury_owner", "halt")


@click.command("genesis", epilog=_EXAMPLES)
@click.option(
    "--program",
    "program_path",
    type=FILE,
    required=True,
    help="Keypair file of the deployed program: it signs genesis, so nobody else can be first.",
)
@click.option(
    "--payer", "payer_path", type=FILE, required=True, help="Keypair file that pays rent and fees."
)
@click.option(
    "--quote-mint",
    type=Address(),
    help="The dollar token, 6 decimals.  [default: genesis.quote_mint of keeper.toml]",
)
@click.option(
    "--new-quote-mint",
    is_flag=True,
    help="Make a quote token issued by the payer: for test clusters.",
)
@click.option(
    "--mmt-mint",
    "mmt_path",
    type=FILE,
    help="Keypair file of the MMT mint.  [default: derived from --program]",
)
@click.option(
    "--authority", type=Address(), help="Takes every authority that has no option of its own."
)
@click.option("--market-authority", "market", type=Address(), help="Creates markets.")
@click.option(
    "--oracle-authority",
    "oracle",
    type=Address(),
    help="Posts prices, resolves markets.  [default: the key of keys.keeper in keeper.toml]",
)
@click.option("--incentives-authority", "incentives", type=Address(), help="Posts reward epochs.")
@click.option(
    "--fee-treasury-owner",
    "fee_treasury_owner",
    type=Address(),
    help="Withdraws the treasury's tenth of the fees.",
)
@click.option("--halt-authority", "halt", type=Address(), help="Stops new exposure, once.")
@SO_OPTION
@target_options
@CU_PRICE_OPTION
@DRY_RUN_OPTION
@YES_OPTION
@JSON_OPTION
def genesis_command(
    *,
    program_path: Path,
    payer_path: Path,
    quote_mint: Pubkey | None,
    new_quote_mint: bool,
    mmt_path: Path | None,
    authority: Pubkey | None,
    so_path: Path | None,
    urls: tuple[str, ...],
    config_path: Path | None,
    cu_price: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **named: Pubkey | None,
) -> None:
    """Make the MMT mint, initialize the platform, mint all MMT and drop the mint authority: one transaction, once.

    Authorities come from their options, --authority, or the [genesis] section of keeper.toml, in this order. Killed at any
    point, the same command goes on; once genesis has happened, it verifies the platform and changes nothing.
    """
    target = resolve_target(urls, config_path)
    code = read_code(so_path)
    program = read_program_keypair(program_path, target)
    payer = read_keypair(payer_path, "--payer")
    look = partial(_look, target, program.pubkey(), payer.pubkey(), code)
    before = look()
    _check_program(before)
    new_mint = derived_mint(program, "quote") if new_quote_mint else None
    charter = Charter(
        program=program,
        payer=payer,
        quote_mint=_quote_mint(target, quote_mint, new_mint, before),
        new_quote_mint=new_mint,
        mmt_mint=derived_mint(program, "MMT")
        if mmt_path is None
        else read_keypair(mmt_path, "--mmt-mint"),
        authorities=_authorities(target, named, authority, before),
        cu_price=MicroLamports(cu_price),
    )
    now = on_cluster(target, lambda rpc: survey_genesis(rpc, charter))
    if not now.steps:
        say("genesis has happened: nothing to do but to verify it")
        conclude(before, as_json=as_json, event="already_done")
    say(_plan(target, charter, now))
    check_purse(charter, now)
    if dry_run:
        if as_json:
            echo(json.dumps(_plan_json(charter, now)))
        return
    ask("Fix all this, for ever?", yes=yes)
    on_cluster(target, lambda rpc: found(rpc, charter, PACE))
    say("genesis has happened")
    conclude(look(), as_json=as_json, event="genesis")


def _look(target: Target, program: Pubkey, payer: Pubkey, code: bytes) -> Audit:
    evidence = on_cluster(target, lambda rpc: gather_evidence(rpc, program, payer))
    return audit(evidence, code)


def _check_program(before: Audit) -> None:
    """Refuse to mint on a program that somebody can still change, or that is another one."""
    if before.code is None or not before.is_immutable or before.fees_bps is None:
        first = before.differences[0]
        raise GenesisError(
            f"genesis needs the program deployed for good, and it is not ({first.sentence}): run `keeper deploy` first"
        )


def _quote_mint(
    target: Target, chosen: Pubkey | None, new_mint: Keypair | None, before: Audit
) -> Pubkey:
    if chosen is not None and new_mint is not None:
        raise click.UsageError("--quote-mint and --new-quote-mint exclude each other")
    configured = None if target.config is None else target.config.genesis.quote_mint
    fixed = None if before.parameters is None else before.parameters.quote_mint
    made = None if new_mint is None else new_mint.pubkey()
    mint = made or chosen or configured or fixed
    if mint is None:
        raise GenesisError(
            "genesis needs the quote token: give --quote-mint ADDRESS or genesis.quote_mint in keeper.toml, or make one for "
            "a test cluster with --new-quote-mint"
        )
    return mint


def _authorities(
    target: Target, named: dict[str, Pubkey | None], others: Pubkey | None, before: Audit
) -> Authorities:
    """Choose: own option, --authority, keeper.toml; what none of them says is what genesis, if it was, has fixed."""
    fixed = {} if before.parameters is None else authorities_of(before.parameters)
    configured = _configured(target)
    chosen: dict[str, Pubkey] = {}
    for name in _AUTHORITIES:
        found = named[name] or others or configured.get(name) or fixed.get(name)
        if found is not None:
            chosen[name] = found
    if "oracle" not in chosen and target.config is not None and target.config.keys.keeper.exists():
        chosen["oracle"] = read_keypair(target.config.keys.keeper, "keys.keeper").pubkey()
    missing = [_option(name) for name in _AUTHORITIES if name not in chosen]
    if missing:
        raise GenesisError(
            f"genesis fixes five authorities for ever, and nothing says who has {', '.join(missing)}: give these "
            "options, the keys of the same names in the [genesis] section of keeper.toml, or --authority for all of them"
        )
    return Authorities(**chosen)


def _configured(target: Target) -> dict[str, Pubkey | None]:
    if target.config is None:
        return {}
    genesis = target.config.genesis
    return {
        "market": genesis.market_authority,
        "oracle": genesis.oracle_authority,
        "incentives": genesis.incentives_authority,
        "fee_treasury_owner": genesis.fee_treasury_owner,
        "halt": genesis.halt_authority,
    }


def _option(name: str) -> str:
    suffix = "" if name == "fee_treasury_owner" else "-authority"
    return f"--{name.replace('_', '-')}{suffix}"


def _plan(target: Target, charter: Charter, now: GenesisSurvey) -> str:
    authorities = charter.authorities
    made = ", made here and issued by the payer" if charter.new_quote_mint else ""
    return table(
        [
            ("cluster", target.names),
            ("program", str(charter.program.pubkey())),
            ("fixed for ever", ""),
            ("  market authority", str(authorities.market)),
            ("  oracle authority", str(authorities.oracle)),
            ("  incentives authority", str(authorities.incentives)),
            ("  fee treasury owner", str(authorities.fee_treasury_owner)),
            ("  halt authority", str(authorities.halt)),
            ("  quote mint", f"{charter.quote_mint}{made}"),
            ("  MMT mint", f"{charter.mmt_mint.pubkey()}, mint authority none"),
            ("  MMT supply", mmt(MMT_SUPPLY)),
            ("  entropy sink", f"{mmt(SINK_MMT)}, which nobody can move"),
            ("  season treasury", f"{mmt(TREASURY_MMT)} over {SEASON_SLOTS:_} slots from now"),
            ("payer", f"{charter.payer.pubkey()}, has {sol(now.balance_lamports)} SOL"),
            (
                "cost",
                f"{sol(now.cost_lamports)} SOL = {now.cost_lamports:_} lamports, {len(now.steps)} transaction(s)",
            ),
        ]
    )


def _plan_json(charter: Charter, now: GenesisSurvey) -> dict[str, object]:
    return {
        "event": "planned",
        "program_id": str(charter.program.pubkey()),
        "quote_mint": str(charter.quote_mint),
        "mmt_mint": str(charter.mmt_mint.pubkey()),
        "authorities": {name: str(getattr(charter.authorities, name)) for name in _AUTHORITIES},
        "cost_lamports": now.cost_lamports,
        "transactions": len(now.steps),
    }
