"""The program's refusals as exceptions, one per code of errors.h (a test compares both)."""

from typing import Final

from programs.runtime_errors import runtime_words


class ProgramError(Exception):
    """The program refused an instruction."""

    code: int = 0

    def __init__(self) -> None:
        super().__init__(f"{type(self).__doc__} (program error {self.code})")


_TEXTS: Final = {
    100: ("UNKNOWN_INSTRUCTION", "the first data byte names no instruction"),
    101: ("BAD_INSTRUCTION_DATA", "instruction data has the wrong length or a value out of range"),
    102: ("NOT_ENOUGH_ACCOUNTS", "the instruction needs more accounts"),
    103: ("TOO_MANY_ACCOUNTS", "more than 64 accounts"),
    104: ("MISSING_SIGNATURE", "an account that must sign did not"),
    105: ("NOT_WRITABLE", "an account that is written was passed read-only"),
    106: ("WRONG_OWNER", "an account belongs to another program"),
    107: ("WRONG_ACCOUNT_KIND", "an account has another kind or layout version"),
    108: ("WRONG_ADDRESS", "an account is not the one its state names"),
    109: ("WRONG_AUTHORITY", "the signer is not the authority for this"),
    110: ("ALREADY_INITIALIZED", "the account exists already"),
    111: ("WRONG_TOKEN_PROGRAM", "the token program must be SPL Token"),
    112: ("WRONG_MINT", "the mint has other decimals, supply or authorities than genesis requires"),
    113: ("ARITHMETIC", "an amount overflows"),
    114: ("CROSS_PROGRAM_CALL", "a call of the system or token program failed"),
    120: ("HALTED", "the platform is halted for new exposure"),
    121: ("MARKET_NOT_OPEN", "the market is resolved"),
    122: ("BAD_OUTCOMES", "a market has 2 to 16 outcomes"),
    123: ("PRICE_RANGE", "a price is outside 0.001 to 0.999"),
    124: ("PRICE_SUM", "the prices of a multi-outcome market sum to more than 5 % off one"),
    125: ("PRICE_CLASS", "the price class does not allow this"),
    126: ("PRICE_STALE", "the oracle price is too old for this"),
    127: ("PRICE_FROM_FUTURE", "the publish slot is ahead of the cluster's slot"),
    128: ("PRICE_OUT_OF_ORDER", "a newer price has been posted already"),
    129: ("BAD_POOL", "the market has no such pool"),
    130: ("NO_LIQUIDITY", "the pool has no liquidity"),
    131: ("ZERO_AMOUNT", "the amount is zero or rounds to zero"),
    132: ("SLIPPAGE", "the trade's price is worse than the worst price allowed"),
    133: ("LIQUIDITY_LOCKED", "liquidity stays for 150 slots after its maker last added some"),
    134: ("NOT_RESOLVED", "the market is not resolved yet"),
    135: ("PAYOUT_SUM", "the payouts of a resolved market must sum to one"),
    136: ("NOT_ENOUGH_LIQUIDITY", "the maker has less liquidity in the pool"),
    137: ("WRONG_TOKEN_ACCOUNT", "the token account does not belong to who is paid"),
    140: ("COVERAGE_LOW", "vault coverage is below 0.5 before or after the trade"),
    141: ("LEVERAGE_TOO_HIGH", "leverage is above what coverage, tier and vault equity allow"),
    142: ("VAULT_CASH", "the vault has too little unlent cash"),
    143: ("MARKET_DEBT_CAP", "the market's debt would exceed 10 % of vault equity"),
    144: (
        "SIDE_CAP",
        "leveraged shares on this side would exceed an eighth of the pool's liquidity",
    ),
    145: ("MARGIN_TOO_THIN", "equity right after the trade is below 1.25 times the requirement"),
    146: ("SLIPPAGE_TOO_LARGE", "equity right after the trade is below 80 % of the margin"),
    147: (
        "GLOBAL_NOT_WRITABLE",
        "one of the first 100 trades must pass the global account writable",
    ),
    150: ("PROCEEDS_BELOW_DEBT", "the sale does not cover the position's debt"),
    151: ("NOT_ENOUGH_SHARES", "the position holds fewer shares"),
    152: ("NO_INVENTORY", "the vault holds fewer shares of this side"),
    160: ("NOTHING_LIQUIDATED", "no position of the batch could be liquidated"),
    161: ("NOT_ENOUGH_STAKE", "the stake has fewer shares"),
    162: ("NO_REQUEST", "no unstake has been requested"),
    163: ("STAKE_LOCKED", "an unstake request waits for 150 slots"),
    164: (
        "WITHDRAWAL_LIMIT",
        "the vault has paid out a fifth of itself in the last 150 slots, or has no cash: ask again later",
    ),
    165: (
        "VAULT_TOO_SMALL",
        "the fees are more than the vault: they wait until more is staked",
    ),
    170: (
        "BAD_CHAIN",
        "a chain has 1 to 5 steps, at most 2 borrows, OPEN last, and always covers its debt",
    ),
    171: ("NOT_TRIGGERED", "the oracle's price has not crossed the chain's trigger"),
    172: ("CHAIN_EXPIRED", "the chain has expired"),
    173: ("CHAIN_NOT_RUNNING", "the chain is done or cancelled"),
    174: ("STEP_OUT_OF_ORDER", "the chain stands at another step"),
    175: (
        "NOT_CANCELLABLE",
        "only its owner cancels a chain before it expires or its market resolves",
    ),
    176: (
        "CHAIN_LOCKED",
        "what is left of the chain is locked for 150 slots, or waits for the vault",
    ),
    177: ("CHAIN_IN_DEBT", "the chain's position has debt: close it first"),
    178: ("CHAIN_OVERDRAWN", "the chain's working cash would not cover its debt"),
    180: (
        "BAD_EPOCH",
        "an epoch root has 1 to 65536 leaves, a total above zero, and an epoch that has begun",
    ),
    181: ("EMISSION_EXCEEDED", "the posted rewards would exceed what the season has emitted"),
    182: ("BAD_PROOF", "the leaves and the path do not lead to the root"),
    183: ("NOTHING_PAID", "every leaf of the batch is paid already or was left out"),
    184: ("ROOT_EXHAUSTED", "the payments would exceed the root's total"),
}

_CALLED: Final = {
    1: "INSUFFICIENT_FUNDS: an account holds fewer tokens or lamports than the instruction moves",
    3: "MINT_MISMATCH: a token account is of another mint",
    4: "OWNER_MISMATCH: the signer may not spend from the token account",
    17: "ACCOUNT_FROZEN: the mint's authority froze a token account",
}
"""Codes below 100 are those of the programs that ours calls: a failed call ends the transaction with the callee's code.

Source: TokenError of SPL Token; 1 is also the system program's word for too few lamports.
"""


def _exception(code: int, name: str, text: str) -> type[ProgramError]:
    title = "".join(part.capitalize() for part in name.split("_")) + "Error"
    return type(title, (ProgramError,), {"__doc__": text, "code": code, "__module__": __name__})


BY_CODE: Final[dict[int, type[ProgramError]]] = {
    code: _exception(code, name, text) for code, (name, text) in _TEXTS.items()
}
"""Exception class by program error code."""
BY_NAME: Final[dict[str, type[ProgramError]]] = {
    name: BY_CODE[code] for code, (name, _) in _TEXTS.items()
}
"""Exception class by the code's name in errors.h."""


def describe(code: int) -> str:
    """Return the sentence for a program error code, for logs and operators."""
    known = _TEXTS.get(code)
    if known:
        return f"{known[0]}: {known[1]}"
    return _CALLED.get(code, f"program error {code}")


def in_words(err: object) -> str:
    """Say what a transaction error, in the node's own JSON, means: the program's words, or the runtime's."""
    code = custom_code(err)
    return runtime_words(err) if code is None else describe(code)


def custom_code(err: object) -> int | None:
    """Return the program error code in a transaction error; None if it is another kind of error."""
    match err:
        case {"InstructionError": [_, {"Custom": int(code)}]}:
            return code
        case _:
            return None
