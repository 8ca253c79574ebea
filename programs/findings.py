"""What an audit finds: a difference with its meaning, the loader's answer to an attempt, an account that is none."""

from dataclasses import dataclass

from programs.addresses import TOKEN_PROGRAM
from programs.rpc import Account
from programs.spl_token import (
    Mint,
    NotTokenAccountError,
    TokenAccount,
    decode_mint,
    decode_token_account,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it should be."""

    subject: str
    """What it is about."""
    found: str
    expected: str
    meaning: str
    """Why it matters to whoever puts money on this platform."""

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.subject}: found {self.found}, expected {self.expected}: {self.meaning}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What the loader said to one attempt to change the program."""

    error: object = None
    """The transaction error as agave's JSON; None: it was not refused."""
    skipped: str | None = None
    """Why it was not attempted."""

    @property
    def words(self) -> str:
        """The answer in a word or two."""
        if self.skipped is not None:
            return f"skipped: {self.skipped}"
        match self.error:
            case None:
                return "not refused"
            case {"InstructionError": [_, str(reason)]}:
                return reason
            case _:
                return str(self.error)


def read_mint(subject: str, account: Account | None) -> Mint | Difference:
    """Read a mint, or say why it is none."""
    wrong = _not_of_token_program(subject, account)
    if wrong is not None or account is None:
        return wrong or missing(subject)
    try:
        return decode_mint(account.data)
    except NotTokenAccountError as error:
        return unreadable(subject, str(error), "an SPL mint")


def read_tokens(subject: str, account: Account | None) -> TokenAccount | Difference:
    """Read a token account, or say why it is none."""
    wrong = _not_of_token_program(subject, account)
    if wrong is not None or account is None:
        return wrong or missing(subject)
    try:
        return decode_token_account(account.data)
    except NotTokenAccountError as error:
        return unreadable(subject, str(error), "an SPL token account")


def _not_of_token_program(subject: str, account: Account | None) -> Difference | None:
    if account is None or account.owner == TOKEN_PROGRAM:
        return None
    return Difference(
        subject=subject,
        found=f"an account of {account.owner}",
        expected=f"one of SPL Token, {TOKEN_PROGRAM}",
        meaning="another program decides what happens to it",
    )


def missing(subject: str, meaning: str = "what genesis made is not there") -> Difference:
    """Say that there is no account where one should be."""
    return Difference(
        subject=subject,
        found="no account",
        expected="an account",
        meaning=meaning,
    )


def unreadable(subject: str, found: str, expected: str) -> Difference:
    """Say that the bytes are not what they should be."""
    return Difference(
        subject=subject,
        found=found,
        expected=expected,
        meaning="what it holds cannot be told",
    )
