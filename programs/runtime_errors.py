"""The runtime's own refusals in words: of a transaction as a whole, or of one instruction whose program said no code of its own.

Core. Source: solana-transaction-error and solana-instruction-error, by name as in a node's JSON; a test compares the names.
"""

import json
from typing import Final

OF_TRANSACTIONS: Final = {
    "AccountInUse": "another transaction that is being executed holds a lock on one of its accounts",
    "AccountLoadedTwice": "it names an account twice",
    "AccountNotFound": "the payer has no account: it was never funded",
    "AddressLookupTableNotFound": "it names a lookup table that does not exist there",
    "AlreadyProcessed": "the cluster has it already",
    "BlockhashNotFound": "its blockhash is too old, or not known there yet",
    "ClusterMaintenance": "the cluster takes no transactions now",
    "CommitCancelled": "its block was given up while it was executed",
    "InsufficientFundsForFee": "the payer cannot pay the fee",
    "InvalidAccountForFee": "the payer's account cannot pay fees",
    "InvalidAddressLookupTableData": "a lookup table that it names cannot be read",
    "InvalidAddressLookupTableIndex": "a lookup table that it names is shorter there: too new an entry",
    "InvalidAddressLookupTableOwner": "what it names as a lookup table is none",
    "InvalidLoadedAccountsDataSizeLimit": "its limit of loaded data is zero",
    "InvalidProgramForExecution": "a program that it calls cannot be executed",
    "InvalidRentPayingAccount": "it would leave an account without its rent",
    "InvalidWritableAccount": "it would write an account that nobody may write",
    "MaxLoadedAccountsDataSizeExceeded": "its accounts hold more data than it asked to load",
    "ProgramAccountNotFound": "a program that it calls does not exist there",
    "SanitizeFailure": "its bytes contradict themselves",
    "SignatureFailure": "a signature is wrong",
    "TooManyAccountLocks": "it names more accounts than may be locked at once",
    "UnbalancedTransaction": "it would make or lose lamports",
    "UnsupportedVersion": "transactions of its version are not taken there",
    "WouldExceedMaxAccountCostLimit": "one of its accounts is written by all that fits into the block",
    "WouldExceedMaxBlockCostLimit": "the block is full",
}
"""Of a transaction as a whole, by name."""
OF_INSTRUCTIONS: Final = {
    "AccountDataTooSmall": "an account is too small for its data",
    "ComputationalBudgetExceeded": "its compute units ran out",
    "ExternalAccountDataModified": "it wrote an account of another program",
    "ExternalAccountLamportSpend": "it took lamports from an account of another program",
    "IncorrectAuthority": "the signer is not the authority for this",
    "IncorrectProgramId": "an account belongs to another program",
    "InsufficientFunds": "an account has too few lamports",
    "InvalidAccountData": "an account holds something else than was expected",
    "InvalidAccountOwner": "an account belongs to another program",
    "InvalidArgument": "an argument is out of range",
    "InvalidInstructionData": "its data cannot be read",
    "MissingRequiredSignature": "an account that must sign did not",
    "NotEnoughAccountKeys": "it needs more accounts",
    "PrivilegeEscalation": "it asked for more rights over an account than it was given",
    "ProgramFailedToComplete": "the program was stopped, most often because its compute units ran out",
    "ReadonlyDataModified": "it wrote an account that was passed read-only",
    "ReadonlyLamportChange": "it changed the lamports of an account that was passed read-only",
    "UninitializedAccount": "an account does not exist yet",
    "UnsupportedProgramId": "the program it calls does not exist there",
}
"""Of one instruction, by name."""


def runtime_words(err: object) -> str:
    """Say what a transaction error without a program's code means: its name, and words where there are any.

    Args:
        err: in the node's own JSON; what is of no known form is told as it is.
    """
    match err:
        case str(name):
            return _named(name, OF_TRANSACTIONS)
        case {"InstructionError": [int(place), str(name)]}:
            return f"instruction {place}: {_named(name, OF_INSTRUCTIONS)}"
        case {"InstructionError": [int(place), {"Custom": int(code)}]}:
            return f"instruction {place}: error {code} of its program"
        case {"InsufficientFundsForRent": {"account_index": int(index)}}:
            return f"InsufficientFundsForRent: its account {index} would be left without its rent"
        case {"DuplicateInstruction": int(place)}:
            return f"DuplicateInstruction: instruction {place} is there twice"
        case {"ProgramExecutionTemporarilyRestricted": {"account_index": int(index)}}:
            return f"ProgramExecutionTemporarilyRestricted: the program at {index} cannot run now"
        case _:
            return json.dumps(err, sort_keys=True, default=str)


def _named(name: str, words: dict[str, str]) -> str:
    return f"{name}: {words[name]}" if name in words else name
