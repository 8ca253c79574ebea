"""Transactions and their outcomes as agave writes them in JSON."""

from base64 import b64encode
from typing import Final

from solders.message import Message, MessageV0, MessageV1
from solders.transaction_metadata import TransactionMetadata

from programs.localnet import base58
from programs.localnet.ledger import TransactionError, TransactionRecord
from programs.localnet.node import Node
from programs.localnet.rpc_errors import UNSUPPORTED_TRANSACTION_VERSION, RpcError
from programs.localnet.tokens import TokenBalance, ui_amount
from programs.units import Slot

TRANSACTION_ENCODINGS: Final = ("json", "jsonParsed", "base58", "base64", "binary")


def status_json(error: TransactionError | None) -> dict[str, object]:
    """The deprecated `status` member, which parsers still want."""
    return {"Ok": None} if error is None else {"Err": error}


def signature_status(node: Node, record: TransactionRecord) -> dict[str, object]:
    """One item of getSignatureStatuses."""
    level = node.reached(record.slot)
    return {
        "slot": record.slot,
        "confirmations": None if level == "finalized" else _blocks_above(node, record.slot),
        "err": record.error,
        "status": status_json(record.error),
        "confirmationStatus": level,
    }


def _blocks_above(node: Node, slot: Slot) -> int:
    return node.tip.height - node.bank.height_of(slot)


def signature_entry(node: Node, record: TransactionRecord) -> dict[str, object]:
    """One item of getSignaturesForAddress."""
    return {
        "signature": str(record.signature),
        "slot": record.slot,
        "err": record.error,
        "memo": None,
        "blockTime": node.bank.unix_time_s(record.slot),
        "confirmationStatus": node.reached(record.slot),
        "transactionIndex": record.index,
    }


def with_meta(
    record: TransactionRecord, encoding: str, version_max: int | None
) -> dict[str, object]:
    """The transaction, its meta and its version.

    Args:
        record: What landed.
        encoding: One of `TRANSACTION_ENCODINGS`; jsonParsed parses no instruction.
        version_max: The newest version the client reads; None reads legacy alone.

    Raises:
        RpcError: The client does not read the transaction's version.
    """
    is_legacy = isinstance(record.transaction.message, Message)
    if not is_legacy and version_max is None:
        raise RpcError(
            UNSUPPORTED_TRANSACTION_VERSION,
            "Transaction version (0) is not supported by the requesting client. "
            "Please try the request again with the following configuration parameter: "
            '"maxSupportedTransactionVersion": 0',
        )
    body: dict[str, object] = {
        "transaction": transaction_json(record, encoding),
        "meta": meta_json(record),
    }
    if version_max is not None:
        body["version"] = "legacy" if is_legacy else 0
    return body


def transaction_json(record: TransactionRecord, encoding: str) -> object:
    """The transaction alone."""
    transaction = record.transaction
    if encoding == "base64":
        return [b64encode(bytes(transaction)).decode(), "base64"]
    if encoding in {"base58", "binary"}:
        text = base58.encode(bytes(transaction))
        return text if encoding == "binary" else [text, "base58"]
    signatures = [str(signature) for signature in transaction.signatures]
    message = transaction.message
    body = _parsed_message(record) if encoding == "jsonParsed" else _raw_message(message)
    return {"signatures": signatures, "message": body}


def meta_json(record: TransactionRecord) -> dict[str, object]:
    """What the transaction did."""
    meta = record.meta
    locked = record.locked
    body: dict[str, object] = {
        "err": record.error,
        "status": status_json(record.error),
        "fee": meta.fee(),
        "preBalances": list(record.pre_balances),
        "postBalances": list(record.post_balances),
        "innerInstructions": inner_instructions(meta),
        "logMessages": meta.logs(),
        "preTokenBalances": [_token_balance(item) for item in record.pre_token_balances],
        "postTokenBalances": [_token_balance(item) for item in record.post_token_balances],
        "rewards": [],
        "loadedAddresses": {
            "writable": [str(address) for address in locked.loaded_writable],
            "readonly": [str(address) for address in locked.loaded_readonly],
        },
        "computeUnitsConsumed": meta.compute_units_consumed(),
    }
    returned = return_data(meta)
    if returned is not None:
        body["returnData"] = returned
    return body


def inner_instructions(meta: TransactionMetadata) -> list[dict[str, object]]:
    """What programs called, by top-level instruction."""
    groups: list[dict[str, object]] = []
    for index, group in enumerate(meta.inner_instructions()):
        if group:
            instructions = [
                _compiled(
                    inner.instruction().program_id_index,
                    inner.instruction().accounts,
                    inner.instruction().data,
                    inner.stack_height(),
                )
                for inner in group
            ]
            groups.append({"index": index, "instructions": instructions})
    return groups


def return_data(meta: TransactionMetadata) -> dict[str, object] | None:
    """What the last program returned, or None."""
    returned = meta.return_data()
    if not returned.data:
        return None
    return {
        "programId": str(returned.program_id),
        "data": [b64encode(bytes(returned.data)).decode(), "base64"],
    }


def _compiled(
    program_index: int, accounts: bytes, data: bytes, stack_height: int | None
) -> dict[str, object]:
    return {
        "programIdIndex": program_index,
        "accounts": list(accounts),
        "data": base58.encode(bytes(data)),
        "stackHeight": stack_height,
    }


def _raw_message(message: Message | MessageV0 | MessageV1) -> dict[str, object]:
    header = message.header
    body: dict[str, object] = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            _compiled(item.program_id_index, item.accounts, item.data, 1)
            for item in message.instructions
        ],
    }
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = _lookups(message)
    return body


def _parsed_message(record: TransactionRecord) -> dict[str, object]:
    """The jsonParsed shape with every instruction left partially decoded, as for unknown programs."""
    message = record.transaction.message
    header = message.header
    addresses = [str(address) for address in record.locked.addresses]
    static = len(record.locked.static)
    signers = header.num_required_signatures
    writable = set(record.locked.writable)
    body: dict[str, object] = {
        "accountKeys": [
            {
                "pubkey": address,
                "signer": index < signers,
                "writable": index in writable,
                "source": "transaction" if index < static else "lookupTable",
            }
            for index, address in enumerate(addresses)
        ],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programId": addresses[item.program_id_index],
                "accounts": [addresses[index] for index in item.accounts],
                "data": base58.encode(bytes(item.data)),
                "stackHeight": 1,
            }
            for item in message.instructions
        ],
    }
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = _lookups(message)
    return body


def _lookups(message: MessageV0) -> list[dict[str, object]]:
    return [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(lookup.writable_indexes),
            "readonlyIndexes": list(lookup.readonly_indexes),
        }
        for lookup in message.address_table_lookups
    ]


def _token_balance(balance: TokenBalance) -> dict[str, object]:
    return {
        "accountIndex": balance.index,
        "mint": str(balance.mint),
        "owner": str(balance.owner),
        "programId": str(balance.program),
        "uiTokenAmount": ui_amount(balance.amount, balance.decimals),
    }
