"""An audit, for people on one page and for machines as one object."""

from typing import Any, Final

from programs.accounts import Global
from programs.addresses import (
    sink_owner_address,
    sink_tokens_address,
    treasury_tokens_address,
    vault_tokens_address,
)
from programs.audit import Audit, authorities_of
from programs.loader import program_data_address
from programs.spl_token import TokenAccount
from programs.units import MMT_DECIMALS, QUOTE_DECIMALS

_UNREAD: Final = "unread"


def audit_json(audit: Audit) -> dict[str, Any]:
    """Return an audit as JSON types; null for what cannot be read, and for an authority that nobody holds."""
    state, code, mmt, vault = audit.parameters, audit.code, audit.mmt, audit.vault
    fees = audit.fees_bps
    return {
        "genesis_hash": audit.genesis_hash,
        "slot": audit.slot,
        "program_id": str(audit.program),
        "immutable": audit.is_immutable,
        "upgrade_authority": _text(code and code.authority),
        "code_sha256": audit.code_sha256,
        "expected_sha256": audit.expected_sha256,
        "code_bytes": code and len(code.code),
        "deployed_slot": code and code.deployed_slot,
        "probes": {name: answer.words for name, answer in audit.probes.items()},
        "authorities": state and {name: str(key) for name, key in authorities_of(state).items()},
        "halted": state and bool(state.halted),
        "season_start_slot": state and state.season_start_slot,
        "season_slots": state and state.season_slots,
        "fee_base_bps": fees and fees[0],
        "fee_slope_bps": fees and fees[1],
        "mmt_mint": _text(state and state.mmt_mint),
        "mmt_supply_base_units": mmt and mmt.supply,
        "mint_authority": _text(mmt and mmt.authority),
        "freeze_authority": _text(mmt and mmt.freeze_authority),
        "entropy_sink_base_units": audit.sink and audit.sink.amount,
        "treasury_base_units": audit.treasury and audit.treasury.amount,
        "quote_mint": _text(state and state.quote_mint),
        "vault": vault
        and {
            "cash": vault.cash,
            "loans": vault.loans,
            "share_supply": vault.share_supply,
            "bad_debt": vault.bad_debt,
            "token_balance": audit.vault_tokens and audit.vault_tokens.amount,
        },
        "differences": [
            {
                "subject": each.subject,
                "found": each.found,
                "expected": each.expected,
                "meaning": each.meaning,
            }
            for each in audit.differences
        ],
    }


def audit_rows(audit: Audit) -> list[tuple[str, str]]:
    """Return the facts of an audit as names and values, for one page."""
    rows = [
        ("cluster", f"genesis {audit.genesis_hash}, slot {audit.slot:_}"),
        ("program", str(audit.program)),
    ]
    if audit.code is not None:
        code = audit.code
        rows += [
            (
                "  code at",
                f"{program_data_address(audit.program)} since slot {code.deployed_slot:_}",
            ),
            ("  sha256", f"{audit.code_sha256} ({len(code.code):_} bytes)"),
            ("  upgrade authority", str(code.authority or "none")),
        ]
        rows += [(f"  {name}", answer.words) for name, answer in audit.probes.items()]
    if audit.parameters is not None:
        rows += _parameter_rows(audit, audit.parameters)
    return rows


def verdict(audit: Audit) -> str:
    """Say what the audit comes to, a line for each difference."""
    count = len(audit.differences)
    if not count:
        return "no differences: this is the platform of the specification, and nobody can change it"
    lines = [f"{count} difference{'s' if count > 1 else ''}"]
    return "\n".join([*lines, *(f"  {each.sentence}" for each in audit.differences)])


def _parameter_rows(audit: Audit, state: Global) -> list[tuple[str, str]]:
    program = audit.program
    end = state.season_start_slot + state.season_slots
    fees = audit.fees_bps
    fee_text = "decided by other bytes than the committed ones"
    if fees is not None:
        fee_text = f"{fees[0]} bp + {fees[1]} bp · e^(-3 coverage): code, proved by its sha256"
    rows = [
        ("season", f"{state.season_slots:_} slots, {state.season_start_slot:_} to {end:_}"),
        ("fees", fee_text),
        ("halted", "yes, for ever" if state.halted else "no"),
    ]
    rows += [(f"authority {name}", str(key)) for name, key in authorities_of(state).items()]
    rows.append(("MMT mint", str(state.mmt_mint)))
    if audit.mmt is not None:
        rows += [
            ("  supply", mmt(audit.mmt.supply)),
            ("  mint authority", str(audit.mmt.authority or "none")),
            ("  freeze authority", str(audit.mmt.freeze_authority or "none")),
        ]
    rows.append(("entropy sink", str(sink_tokens_address(program)[0])))
    rows.append(("  holds", _holding(audit.sink)))
    rows.append(("  owner", f"{sink_owner_address(program)[0]}, for whom no instruction signs"))
    rows.append(("season treasury", str(treasury_tokens_address(program)[0])))
    rows.append(("  holds", _holding(audit.treasury)))
    issuer = "" if audit.quote is None else f", issuer {audit.quote.authority or 'none'}"
    rows.append(("quote mint", f"{state.quote_mint}{issuer}"))
    rows.append(("vault", str(vault_tokens_address(program)[0])))
    if audit.vault is not None:
        rows.append(("  cash and loans", f"{_usd(audit.vault.cash)} and {_usd(audit.vault.loans)}"))
    if audit.vault_tokens is not None:
        rows.append(("  in its account", _usd(audit.vault_tokens.amount)))
    return rows


def mmt(amount: int) -> str:
    """Write MMT base units exactly."""
    return f"{_decimal(amount, MMT_DECIMALS)} MMT"


def _holding(tokens: TokenAccount | None) -> str:
    if tokens is None:
        return _UNREAD
    delegate = f", delegate {tokens.delegate}" if tokens.delegate else ", no delegate"
    return mmt(tokens.amount) + delegate


def _usd(amount: int) -> str:
    return "$" + _decimal(amount, QUOTE_DECIMALS)


def _decimal(amount: int, decimals: int) -> str:
    whole, fraction = divmod(amount, 10**decimals)
    return f"{whole:,}.{fraction:0{decimals}d}".rstrip("0").rstrip(".")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
