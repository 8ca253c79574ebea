"""RPC methods that send, simulate and look up transactions."""

import binascii
from base64 import b64decode
from typing import Final

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from programs.localnet import base58
from programs.localnet.account_json import AccountView
from programs.localnet.account_methods import render
from programs.localnet.admission import TransactionRefused, parse_transaction
from programs.localnet.chain_methods import archived_commitment, with_context
from programs.localnet.ledger import TransactionError, TransactionRecord
from programs.localnet.node import Node
from programs.localnet.params import (
    Config,
    Params,
    parse_address,
    parse_list,
    parse_signature,
)
from programs.localnet.rpc_errors import (
    PREFLIGHT_FAILURE,
    SIGNATURE_VERIFICATION_FAILURE,
    RpcError,
    invalid_params,
)
from programs.localnet.runtime import Simulation
from programs.localnet.transaction_json import (
    TRANSACTION_ENCODINGS,
    inner_instructions,
    return_data,
    signature_entry,
    signature_status,
    with_meta,
)
from programs.units import (
    BLOCKHASH_AGE_MAX_BLOCKS,
    TRANSACTION_BYTES_MAX,
    TRANSACTION_LOCKS_MAX,
    Lamports,
)

STATUSES_MAX: Final = 256
"""Source: agave rpc-client-api MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS."""
SIGNATURES_MAX: Final = 1_000
"""Source: agave rpc-client-api MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT."""
_WIRE_TEXT_MAX: Final = {"base58": 1_683, "base64": 1_644}
"""What 1_232 bytes become. Source: agave rpc MAX_BASE58_SIZE, MAX_BASE64_SIZE."""
_TEXTS: Final = {
    "BlockhashNotFound": "Blockhash not found",
    "AlreadyProcessed": "This transaction has already been processed",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "TooManyAccountLocks": "Transaction locked too many accounts",
    "SanitizeFailure": "Transaction failed to sanitize accounts offsets correctly",
    "AccountLoadedTwice": "Account loaded twice",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "InvalidAddressLookupTableIndex": ("Transaction address table lookup uses an invalid index"),
    "UnsupportedVersion": "Transaction version is unsupported",
}
"""Display texts of TransactionError. Source: solana-transaction-error."""


def send_transaction(node: Node, params: Params) -> object:
    """Execute a transaction, after preflight unless that is skipped; answers its signature."""
    config = params.config(1)
    transaction = _decoded(params.text(), config, "base58")
    skip_preflight = config.flag("skipPreflight")
    config.commitment(name="preflightCommitment")
    config.integer("maxRetries")
    config.check_context(node.slot)
    if not skip_preflight:
        _check_signatures(transaction)
        simulation = node.simulate(transaction)
        if simulation.error is not None:
            raise _preflight_failure(node, simulation)
    try:
        node.deliver(transaction)
    except TransactionRefused as refused:
        # A cluster forwards what skipped preflight and never says what became of it; clients ask for the status.
        if not skip_preflight:
            refusal = Simulation(error=refused.error, logs=(), meta=None, post_accounts={})
            raise _preflight_failure(node, refusal) from refused
    return str(transaction.signatures[0])


def simulate_transaction(node: Node, params: Params) -> object:
    """Run a transaction and keep nothing."""
    config = params.config(1)
    transaction = _decoded(params.text(), config, "base58")
    verify = config.flag("sigVerify")
    replace = config.flag("replaceRecentBlockhash")
    if verify and replace:
        raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
    addresses, view = _wanted_accounts(config)
    config.slot(node)
    if verify:
        _check_signatures(transaction)
    simulation = node.simulate(transaction, verify_signatures=verify, check_blockhash=not replace)
    slot = node.slot
    value = _simulation_json(node, simulation, addresses, view)
    if not config.flag("innerInstructions"):
        value["innerInstructions"] = None
    if replace:
        tip = node.tip
        value["replacementBlockhash"] = {
            "blockhash": str(tip.blockhash),
            "lastValidBlockHeight": tip.last_valid_height,
        }
    return with_context(slot, value)


def request_airdrop(node: Node, params: Params) -> object:
    """Pay lamports from the faucet; answers the transfer's signature."""
    address = params.address()
    lamports = Lamports(params.integer(1))
    config = params.config(2)
    config.commitment()
    try:
        return str(node.bank.airdrop(address, lamports))
    except TransactionRefused as refused:
        raise invalid_params(f"the airdrop did not land: {error_text(refused.error)}") from refused


def get_signature_statuses(node: Node, params: Params) -> object:
    """What became of up to 256 transactions; null for those unknown."""
    signatures = [parse_signature(item) for item in params.items(0, STATUSES_MAX)]
    search = params.config(1).flag("searchTransactionHistory")
    oldest = 0 if search else node.slot - 2 * BLOCKHASH_AGE_MAX_BLOCKS
    values: list[object] = []
    for signature in signatures:
        record = node.status(signature)
        is_known = record is not None and record.slot >= oldest
        values.append(signature_status(node, record) if record and is_known else None)
    return with_context(node.slot, values)


def get_transaction(node: Node, params: Params) -> object:
    """One landed transaction that has reached the commitment, or null."""
    signature = params.signature()
    raw_config = params.get(1)
    config = Config({"encoding": raw_config}) if isinstance(raw_config, str) else params.config(1)
    encoding = config.choice("encoding", TRANSACTION_ENCODINGS, "json")
    version_max = config.integer("maxSupportedTransactionVersion", 255)
    last = node.slot_at(archived_commitment(config))
    record = node.status(signature)
    if record is None or record.slot > last:
        return None
    return {
        "slot": record.slot,
        "blockTime": node.bank.unix_time_s(record.slot),
        **with_meta(record, encoding, version_max),
        "transactionIndex": record.index,
    }


def get_signatures_for_address(node: Node, params: Params) -> object:
    """The transactions that lock an address, newest first."""
    address = params.address()
    config = params.config(1)
    limit = config.integer("limit")
    limit = SIGNATURES_MAX if limit is None else limit
    if not 1 <= limit <= SIGNATURES_MAX:
        raise invalid_params(f"Invalid limit; max {SIGNATURES_MAX}")
    before = _place(node, config, "before")
    until = _place(node, config, "until")
    last = node.slot_at(archived_commitment(config))
    config.check_context(last)
    entries: list[dict[str, object]] = []
    for record in node.newest_first(address):
        if until is not None and (record.slot, record.index) <= until:
            break
        is_late = before is not None and (record.slot, record.index) >= before
        if is_late or record.slot > last:
            continue
        entries.append(signature_entry(node, record))
        if len(entries) == limit:
            break
    return entries


def error_text(error: TransactionError) -> str:
    """Say a TransactionError in agave's words."""
    if isinstance(error, str):
        return _TEXTS.get(error, error)
    match error:
        case {"InstructionError": [int(index), {"Custom": int(code)}]}:
            return f"Error processing Instruction {index}: custom program error: {code:#x}"
        case {"InstructionError": [int(index), reason]}:
            return f"Error processing Instruction {index}: {reason}"
        case _:
            return str(error)


def _preflight_failure(node: Node, simulation: Simulation) -> RpcError:
    return RpcError(
        PREFLIGHT_FAILURE,
        f"Transaction simulation failed: {error_text(simulation.error or 'unknown')}",
        _simulation_json(node, simulation, []),
    )


def _decoded(text: str, config: Config, default: str) -> VersionedTransaction:
    encoding = config.choice("encoding", tuple(_WIRE_TEXT_MAX), default)
    if len(text) > _WIRE_TEXT_MAX[encoding]:
        raise invalid_params(
            f"{encoding} encoded solana_transaction::versioned::VersionedTransaction too large:"
            f" {len(text)} bytes (max: encoded/raw {_WIRE_TEXT_MAX[encoding]}/{TRANSACTION_BYTES_MAX})"
        )
    try:
        raw = b64decode(text, validate=True) if encoding == "base64" else base58.decode(text)
    except (ValueError, binascii.Error) as error:
        raise invalid_params(f"invalid {encoding} encoding: {error}") from error
    try:
        return parse_transaction(raw)
    except TransactionRefused as refused:
        raise invalid_params(str(refused)) from refused


def _check_signatures(transaction: VersionedTransaction) -> None:
    if not all(transaction.verify_with_results()):
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")


def _wanted_accounts(config: Config) -> tuple[list[Pubkey], AccountView]:
    """What simulateTransaction's `accounts` asks for."""
    accounts = config.nested("accounts")
    if accounts is None:
        return [], AccountView(encoding="base64")
    items = parse_list(accounts.get("addresses"), "accounts.addresses", TRANSACTION_LOCKS_MAX)
    view = AccountView.parse(accounts, "base64")
    if view.encoding in {"binary", "base58"}:
        raise invalid_params("base58 encoding not supported")
    return [parse_address(item) for item in items], view


def _simulation_json(
    node: Node,
    simulation: Simulation,
    addresses: list[Pubkey],
    view: AccountView | None = None,
) -> dict[str, object]:
    meta = simulation.meta
    accounts: list[object] | None = None
    if view is not None and addresses:
        accounts = [
            render(
                node,
                node.slot,
                view,
                simulation.post_accounts.get(address) or node.account_at(address, node.slot),
            )
            for address in addresses
        ]
    return {
        "err": simulation.error,
        "logs": list(simulation.logs),
        "accounts": accounts,
        "unitsConsumed": 0 if meta is None else meta.compute_units_consumed(),
        "loadedAccountsDataSize": simulation.loaded_bytes,
        "returnData": None if meta is None else return_data(meta),
        "innerInstructions": None if meta is None else inner_instructions(meta),
        "fee": None if meta is None else meta.fee(),
        "replacementBlockhash": None,
    }


def _place(node: Node, config: Config, name: str) -> tuple[int, int] | None:
    """Where in the chain the signature named by `before` or `until` landed."""
    value = config.get(name)
    if value is None:
        return None
    signature: Signature = parse_signature(value)
    record: TransactionRecord | None = node.status(signature)
    if record is None:
        # agave searches its archive and finds nothing: before an unknown one there is nothing.
        return (0, 0) if name == "before" else None
    return record.slot, record.index
