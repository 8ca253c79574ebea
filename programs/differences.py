"""Where a deployment differs from SPEC.md section 3, each difference in its own words.

Every function takes what was read and yields what is wrong with it; nothing yielded is nothing wrong. `programs.audit`
puts them together.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from solders.pubkey import Pubkey

from programs import addresses, loader
from programs.accounts import Global, Vault
from programs.findings import Difference, ProbeAnswer
from programs.genesis import MMT_SUPPLY, SEASON_SLOTS, SINK_MMT, TREASURY_MMT
from programs.probes import is_immutable
from programs.spl_token import Mint, TokenAccount
from programs.units import MMT_DECIMALS, QUOTE_DECIMALS, BaseUnits, Slot


def code_differences(
    code: loader.ProgramData, expected: bytes, *, program: Pubkey
) -> Iterator[Difference]:
    """Compare bytes and authority of the deployed program."""
    if code.code != expected:
        yield Difference(
            subject="program bytes",
            found=f"{len(code.code)} bytes with sha256 {sha256(code.code).hexdigest()}",
            expected=f"{len(expected)} bytes with sha256 {sha256(expected).hexdigest()}",
            meaning=f"{program} runs another program than the one of this release, and nothing here says what it does",
        )
    if code.authority is not None:
        yield Difference(
            subject="upgrade authority",
            found=str(code.authority),
            expected="none",
            meaning="its holder can replace the program at any time, and with it every rule and every balance",
        )


def probe_differences(answers: Mapping[str, ProbeAnswer]) -> Iterator[Difference]:
    """Look for an attempt to change the program that was not refused as Immutable; a skipped one proves nothing."""
    for name, answer in answers.items():
        if answer.skipped is None and not is_immutable(answer.error):
            yield Difference(
                subject=f"{name} of the program",
                found=answer.words,
                expected="Immutable",
                meaning="the loader does not treat this code as unchangeable",
            )


def parameter_differences(
    program: Pubkey, state: Global, bump: int, slot: Slot
) -> Iterator[Difference]:
    """Compare the genesis account with what genesis must have written."""
    yield from _bump("genesis account", bump, addresses.global_address(program)[1])
    if state.season_slots != SEASON_SLOTS:
        yield Difference(
            subject="season",
            found=f"{state.season_slots:_} slots",
            expected=f"{SEASON_SLOTS:_}",
            meaning="MMT is emitted at another rate than published",
        )
    if state.season_start_slot > slot:
        yield Difference(
            subject="season start",
            found=f"slot {state.season_start_slot:_}",
            expected=f"at most {slot:_}, the cluster's slot",
            meaning="genesis cannot have happened in the future",
        )
    if state.vault != addresses.vault_address(program)[0]:
        yield Difference(
            subject="vault",
            found=str(state.vault),
            expected=str(addresses.vault_address(program)[0]),
            meaning="the platform's money is kept elsewhere than at the program's own address",
        )


def vault_differences(
    program: Pubkey, vault: Vault, bump: int, tokens: TokenAccount | None
) -> Iterator[Difference]:
    """Compare the vault's counters with each other and with its tokens."""
    yield from _bump("vault", bump, addresses.vault_address(program)[1])
    if vault.tokens != addresses.vault_tokens_address(program)[0]:
        yield Difference(
            subject="vault tokens",
            found=str(vault.tokens),
            expected=str(addresses.vault_tokens_address(program)[0]),
            meaning="the vault's money is kept elsewhere than at the program's own address",
        )
    if tokens is not None and tokens.amount < vault.cash:
        yield Difference(
            subject="vault cash",
            found=f"{tokens.amount:_} base units in its token account",
            expected=f"at least {vault.cash:_}, its own counter",
            meaning="the vault cannot pay what it has promised to stakers",
        )
    counters = (vault.cash, vault.loans, vault.share_supply, vault.bad_debt, vault.inventory_cost)
    if vault.event_sequence <= 1 and any(counters):
        yield Difference(
            subject="vault at genesis",
            found=f"cash {vault.cash:_}, loans {vault.loans:_}, shares {vault.share_supply:_}",
            expected="$0: nothing has happened to it yet",
            meaning="somebody owns a part of the vault that was never paid for",
        )


def mmt_differences(mint: Mint, treasury: TokenAccount | None) -> Iterator[Difference]:
    """Compare the MMT mint; holders may burn what has left the treasury, nobody may mint."""
    yield from _decimals("MMT mint", mint, MMT_DECIMALS)
    if mint.authority is not None:
        yield Difference(
            subject="MMT mint authority",
            found=str(mint.authority),
            expected="none",
            meaning="its holder can mint MMT without limit",
        )
    if mint.freeze_authority is not None:
        yield Difference(
            subject="MMT freeze authority",
            found=str(mint.freeze_authority),
            expected="none",
            meaning="its holder can freeze any holder's MMT",
        )
    burnable = 0 if treasury is None else max(0, TREASURY_MMT - treasury.amount)
    if not MMT_SUPPLY - burnable <= mint.supply <= MMT_SUPPLY:
        yield Difference(
            subject="MMT supply",
            found=_mmt(mint.supply),
            expected=_mmt(MMT_SUPPLY)
            + (f", less at most {_mmt(BaseUnits(burnable))} burned by holders" if burnable else ""),
            meaning="there is another amount of MMT than genesis fixed",
        )


def sink_differences(program: Pubkey, mmt: Pubkey, sink: TokenAccount) -> Iterator[Difference]:
    """Compare the entropy sink: 90M MMT that no key and no instruction can move."""
    owner = addresses.sink_owner_address(program)[0]
    yield from _held("entropy sink", sink, mint=mmt, owner=owner)
    if sink.amount < SINK_MMT:
        yield Difference(
            subject="entropy sink",
            found=_mmt(sink.amount),
            expected=_mmt(SINK_MMT),
            meaning="MMT that was to stay out of circulation for ever is elsewhere",
        )


def treasury_differences(
    program: Pubkey, state: Global, treasury: TokenAccount, slot: Slot
) -> Iterator[Difference]:
    """Compare the season treasury: at most 10M MMT, released no faster than the season emits."""
    owner = addresses.global_address(program)[0]
    yield from _held("season treasury", treasury, mint=state.mmt_mint, owner=owner)
    if treasury.amount > TREASURY_MMT:
        yield Difference(
            subject="season treasury",
            found=_mmt(treasury.amount),
            expected=f"at most {_mmt(TREASURY_MMT)}",
            meaning="more MMT waits to be paid out than the season's budget",
        )
    elapsed = min(max(slot - state.season_start_slot, 0), SEASON_SLOTS)
    emitted = TREASURY_MMT * elapsed // SEASON_SLOTS
    if treasury.amount < TREASURY_MMT - emitted:
        yield Difference(
            subject="season treasury",
            found=_mmt(treasury.amount),
            expected=f"at least {_mmt(BaseUnits(TREASURY_MMT - emitted))} by slot {slot:_}",
            meaning="more rewards have left than the season has emitted",
        )


def vault_token_differences(
    program: Pubkey, quote: Pubkey, tokens: TokenAccount
) -> Iterator[Difference]:
    """Compare the token account of the vault."""
    yield from _held("vault tokens", tokens, mint=quote, owner=addresses.vault_address(program)[0])


def quote_differences(mint: Mint) -> Iterator[Difference]:
    """Compare the quote mint; its authorities are its issuer's business."""
    yield from _decimals("quote mint", mint, QUOTE_DECIMALS)


def _held(
    subject: str, tokens: TokenAccount, *, mint: Pubkey, owner: Pubkey
) -> Iterator[Difference]:
    facts = (
        ("mint", tokens.mint, mint, "it holds another token"),
        ("owner", tokens.owner, owner, "somebody else can move what it holds"),
        ("delegate", tokens.delegate, None, "a delegate can move what it holds"),
        ("close authority", tokens.close_authority, None, "somebody else can close it"),
    )
    for name, found, expected, meaning in facts:
        if found != expected:
            yield Difference(
                subject=f"{subject} {name}",
                found=str(found or "none"),
                expected=str(expected or "none"),
                meaning=meaning,
            )
    if tokens.is_frozen:
        yield Difference(
            subject=subject,
            found="frozen",
            expected="not frozen",
            meaning="what it holds cannot be paid out",
        )


def _bump(subject: str, found: int, expected: int) -> Iterator[Difference]:
    if found != expected:
        yield Difference(
            subject=f"{subject} bump",
            found=str(found),
            expected=f"{expected}, the canonical one",
            meaning="the program signs for another address than its own",
        )


def _decimals(subject: str, mint: Mint, expected: int) -> Iterator[Difference]:
    if mint.decimals != expected:
        yield Difference(
            subject=f"{subject} decimals",
            found=str(mint.decimals),
            expected=str(expected),
            meaning="every amount is off by powers of ten",
        )


def _mmt(amount: BaseUnits) -> str:
    whole, fraction = divmod(amount, 10**MMT_DECIMALS)
    return f"{whole:,}.{fraction:0{MMT_DECIMALS}d}".rstrip("0").rstrip(".") + " MMT"
