"""What the cluster itself says of a transaction, in words: its errors by the names that nodes give them in JSON.

Core. A program's own codes are errors.py's. Names that are not here speak for themselves.
Source: TransactionError and InstructionError of the Solana SDK.
"""

from typing import Final

_OF_TRANSACTION: Final = {
    "AccountInUse": "another transaction holds the lock of an account",
    "AccountLoadedTwice": "it names an account twice",
    "AccountNotFound": "the account that pays the fee does not exist: fund it",
    "AddressLookupTableNotFound": "the chain has no such lookup table",
    "AlreadyProcessed": "it has been processed before",
    "BlockhashNotFound": "its blockhash has expired, or this node does not know it yet",
    "InsufficientFundsForFee": "the payer cannot pay the fee: fund it",
    "InvalidAccountForFee": "the payer's account may not pay fees: it holds data, or belongs to a program",
    "InvalidAddressLookupTableData": "the lookup table's account holds something else",
    "InvalidAddressLookupTableIndex": "the lookup table has no such place, or not until the next slot",
    "InvalidAddressLookupTableOwner": "the lookup table's account belongs to another program",
    "InvalidLoadedAccountsDataSizeLimit": "its limit on loaded data is zero",
    "InvalidProgramForExecution": "what it calls is no program",
    "MaxLoadedAccountsDataSizeExceeded": "its accounts hold more data than it asked to load",
    "MissingSignatureForFee": "the payer did not sign",
    "ProgramAccountNotFound": "a program that it calls does not exist",
    "SanitizeFailure": "it is malformed",
    "SignatureFailure": "a signature is wrong",
    "TooManyAccountLocks": "it locks more accounts than a transaction may",
    "UnsupportedVersion": "the cluster does not take its version",
    "WouldExceedAccountDataBlockLimit": "the block has no room for the data it would make",
    "WouldExceedMaxAccountCostLimit": "an account has used up its part of the block",
    "WouldExceedMaxBlockCostLimit": "the block is full",
}
_OF_INSTRUCTION: Final = {
    "ComputationalBudgetExceeded": "it ran out of the compute units that it asked for",
    "IncorrectProgramId": "an account belongs to another program",
    "InsufficientFunds": "an account holds too little",
    "InvalidAccountData": "an account holds something else than expected",
    "MissingAccount": "it needs an account that was not given",
    "MissingRequiredSignature": "an account that must sign did not",
    "ProgramFailedToComplete": "the program was stopped: out of compute units, or a fault of its own",
    "UnsupportedProgramId": "what it calls is no program",
}


def cluster_error_in_words(err: object) -> str | None:
    """Say what an error, in the node's own JSON, means; None if it is none whose shape is known.

    Instructions are counted from 0, the compute-budget ones included, as the cluster counts them.
    """
    match err:
        case str(name):
            return _told(name, _OF_TRANSACTION)
        case {"InstructionError": [int(place), str(name)]}:
            return f"{_told(name, _OF_INSTRUCTION)} (instruction {place})"
        case {"InsufficientFundsForRent": {"account_index": int(place)}}:
            return f"InsufficientFundsForRent: account {place} of the transaction would hold less than its rent"
        case {"DuplicateInstruction": int(place)}:
            return f"DuplicateInstruction: instruction {place} repeats a compute-budget instruction"
        case {"ProgramExecutionTemporarilyRestricted": {"account_index": int(place)}}:
            return (
                "ProgramExecutionTemporarilyRestricted: the cluster does not run the program, account "
                f"{place} of the transaction, for now"
            )
        case _:
            return None


def _told(name: str, words: dict[str, str]) -> str:
    return f"{name}: {words[name]}" if name in words else name
