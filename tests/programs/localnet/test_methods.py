"""Every method's reply, read by the parsers that solders brings for real clusters."""

import json
from base64 import b64encode

import pytest
from solders.account import Account
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.rpc import responses
from solders.rpc.errors import (
    MinContextSlotNotReachedMessage,
    SendTransactionPreflightFailureMessage,
)
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus
from spl.token.constants import TOKEN_PROGRAM_ID

from programs.localnet import base58, jsonrpc
from programs.localnet.account_json import zstd_stored
from programs.localnet.methods import METHODS

CONFIRMED = {"commitment": "confirmed"}
SOL = 10**9


@pytest.fixture
def raw(node):
    """Calls a method in process and returns the reply's JSON text."""

    def call(method, *params):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        reply = jsonrpc.reply(request, lambda name, given: METHODS[name](node, given))
        return json.dumps(reply)

    return call


@pytest.fixture
def result(raw):
    def call(method, *params):
        reply = json.loads(raw(method, *params))
        assert "error" not in reply, reply
        return reply["result"]

    return call


@pytest.fixture
def error(raw):
    return lambda method, *params: json.loads(raw(method, *params))["error"]


@pytest.fixture
def token(bank, payer, new_token):
    """A mint of 6 decimals, and an account of the payer's that holds 1.5 of it."""
    mint = Keypair.from_seed(bytes([2] * 32))
    owner = payer.pubkey()
    rent = bank.rent_exempt_lamports(82)
    instructions, holder = new_token(rent, owner, mint.pubkey(), 1_500_000)
    message = MessageV0.try_compile(owner, instructions, [], bank.block_at("processed").blockhash)
    record = bank.execute(VersionedTransaction(message, [payer, mint]))
    assert record.error is None, record.meta.logs()
    bank.advance_slot(4)
    return mint.pubkey(), holder, record


def encoded(transaction):
    return b64encode(bytes(transaction)).decode()


BASE64 = {"encoding": "base64"}
PARSED = {"encoding": "jsonParsed"}


def _cases():
    """Each method with its parameters, given names for what only a running chain knows."""
    account, many = "GetAccountInfo", "GetMultipleAccounts"
    owned, by_owner = "GetProgramAccounts", "GetTokenAccountsByOwner"
    of_mint = {"mint": "$mint"}
    v0 = {"maxSupportedTransactionVersion": 0}
    return [
        ("getHealth", [], "GetHealthResp"),
        ("getVersion", [], "GetVersionResp"),
        ("getGenesisHash", [], "GetGenesisHashResp"),
        ("getIdentity", [], "GetIdentityResp"),
        ("getSlot", [], "GetSlotResp"),
        ("getSlot", [CONFIRMED], "GetSlotResp"),
        ("getBlockHeight", [], "GetBlockHeightResp"),
        ("getEpochInfo", [], "GetEpochInfoResp"),
        ("getEpochSchedule", [], "GetEpochScheduleResp"),
        ("getLatestBlockhash", [], "GetLatestBlockhashResp"),
        ("isBlockhashValid", ["$blockhash"], "IsBlockhashValidResp"),
        ("getFeeForMessage", ["$message"], "GetFeeForMessageResp"),
        ("getRecentPrioritizationFees", [["$payer"]], "GetRecentPrioritizationFeesResp"),
        ("getRecentPrioritizationFees", [], "GetRecentPrioritizationFeesResp"),
        ("getBlockTime", [1], "GetBlockTimeResp"),
        ("getBlocks", [1, 3], "GetBlocksResp"),
        ("getBlock", [1, v0], "GetBlockResp"),
        ("getBlock", [1, v0 | BASE64], "GetBlockResp"),
        ("getBlock", [1, {"transactionDetails": "signatures"}], "GetBlockResp"),
        ("getBlock", [1, {"transactionDetails": "none", "rewards": False}], "GetBlockResp"),
        ("getFirstAvailableBlock", [], "GetFirstAvailableBlockResp"),
        ("minimumLedgerSlot", [], "MinimumLedgerSlotResp"),
        ("getSlotLeader", [], "GetSlotLeaderResp"),
        ("getSlotLeaders", [1, 3], "GetSlotLeadersResp"),
        ("getTransactionCount", [], "GetTransactionCountResp"),
        ("getRecentPerformanceSamples", [4], "GetRecentPerformanceSamplesResp"),
        ("getMinimumBalanceForRentExemption", [165], "GetMinimumBalanceForRentExemptionResp"),
        ("getBalance", ["$payer"], "GetBalanceResp"),
        ("getAccountInfo", ["$payer"], f"{account}Resp"),
        ("getAccountInfo", ["$holder", BASE64], f"{account}Resp"),
        ("getAccountInfo", ["$holder", PARSED], f"{account}JsonParsedResp"),
        ("getAccountInfo", ["$mint", PARSED], f"{account}JsonParsedResp"),
        ("getAccountInfo", ["$payer", PARSED], f"{account}MaybeJsonParsedResp"),
        ("getAccountInfo", ["$nobody", BASE64], f"{account}Resp"),
        ("getMultipleAccounts", [["$payer", "$nobody"], BASE64], f"{many}Resp"),
        ("getMultipleAccounts", [["$mint", "$payer"], PARSED], f"{many}MaybeJsonParsedResp"),
        ("getProgramAccounts", ["$tokens", BASE64], f"{owned}Resp"),
        ("getProgramAccounts", ["$tokens", PARSED], f"{owned}JsonParsedResp"),
        (
            "getProgramAccounts",
            ["$tokens", BASE64 | {"withContext": True}],
            f"{owned}WithContextResp",
        ),
        ("getTokenAccountBalance", ["$holder"], "GetTokenAccountBalanceResp"),
        ("getTokenSupply", ["$mint"], "GetTokenSupplyResp"),
        ("getTokenLargestAccounts", ["$mint"], "GetTokenLargestAccountsResp"),
        ("getTokenAccountsByOwner", ["$payer", of_mint, BASE64], f"{by_owner}Resp"),
        (
            "getTokenAccountsByOwner",
            ["$payer", {"programId": "$tokens"}, PARSED],
            f"{by_owner}JsonParsedResp",
        ),
        (
            "getTokenAccountsByDelegate",
            ["$payer", of_mint, BASE64],
            "GetTokenAccountsByDelegateResp",
        ),
        ("requestAirdrop", ["$payer", SOL], "RequestAirdropResp"),
        ("sendTransaction", ["$transaction", BASE64], "SendTransactionResp"),
        ("simulateTransaction", ["$transaction", BASE64], "SimulateTransactionResp"),
        (
            "simulateTransaction",
            [
                "$transaction",
                BASE64
                | {
                    "replaceRecentBlockhash": True,
                    "innerInstructions": True,
                    "accounts": {"addresses": ["$payer"], "encoding": "base64"},
                },
            ],
            "SimulateTransactionResp",
        ),
        ("getSignatureStatuses", [["$signature", "$unknown"]], "GetSignatureStatusesResp"),
        ("getTransaction", ["$signature", v0], "GetTransactionResp"),
        ("getTransaction", ["$signature", v0 | BASE64], "GetTransactionResp"),
        ("getTransaction", ["$signature", v0 | PARSED], "GetTransactionResp"),
        ("getTransaction", ["$unknown"], "GetTransactionResp"),
        ("getSignaturesForAddress", ["$payer", {"limit": 5}], "GetSignaturesForAddressResp"),
    ]


@pytest.mark.parametrize(("method", "params", "parser"), _cases())
def test_solders_reads_the_reply_of(method, params, parser, raw, bank, payer, pay, token):
    mint, holder, record = token
    transaction = pay(bank, Pubkey.new_unique())
    names = {
        "$payer": str(payer.pubkey()),
        "$nobody": str(Pubkey.new_unique()),
        "$mint": str(mint),
        "$holder": str(holder),
        "$tokens": str(TOKEN_PROGRAM_ID),
        "$blockhash": str(bank.block_at("finalized").blockhash),
        "$message": b64encode(bytes(transaction.message)).decode(),
        "$transaction": encoded(transaction),
        "$signature": str(record.signature),
        "$unknown": str(Signature.new_unique()),
    }
    text = json.dumps(params)
    for name, value in names.items():
        text = text.replace(name, value)
    parsed = getattr(responses, parser).from_json(raw(method, *json.loads(text)))
    assert type(parsed).__name__ == parser


def test_every_method_is_among_those_read():
    assert {method for method, _params, _parser in _cases()} == set(METHODS)


def test_a_transaction_is_read_back_whole(raw, token, payer):
    mint, holder, record = token
    config = {"encoding": "json", "maxSupportedTransactionVersion": 0}
    parsed = responses.GetTransactionResp.from_json(
        raw("getTransaction", str(record.signature), config)
    ).value
    meta = parsed.transaction.meta
    assert (parsed.slot, meta.err, meta.fee) == (record.slot, None, 10_000)
    balance = meta.post_token_balances[0]
    assert (balance.mint, balance.owner) == (mint, payer.pubkey())
    assert balance.ui_token_amount.amount == "1500000"
    assert meta.inner_instructions[0].index == 2
    assert sum(meta.pre_balances) == sum(meta.post_balances) + meta.fee
    keys = parsed.transaction.transaction.message.account_keys
    assert keys[balance.account_index] == holder


def test_a_v0_transaction_is_refused_to_a_client_of_legacy(error, token):
    assert error("getTransaction", str(token[2].signature))["code"] == -32015


def test_a_transaction_appears_when_its_slot_reaches_the_commitment(result, bank, pay):
    signature = str(bank.execute(pay(bank, Pubkey.new_unique())).signature)
    assert result("getTransaction", signature, CONFIRMED) is None
    bank.advance_slot()
    assert result("getTransaction", signature, CONFIRMED)["slot"] == bank.slot - 1
    assert result("getTransaction", signature) is None


def test_archive_methods_know_no_processed(error, payer):
    processed = {"commitment": "processed"}
    for method in ("getTransaction", "getSignaturesForAddress"):
        given = str(Signature.default()) if method == "getTransaction" else str(payer.pubkey())
        assert "below `confirmed`" in error(method, given, processed)["message"]


def test_statuses_tell_slot_error_and_depth(raw, bank, pay):
    good = bank.execute(pay(bank, Pubkey.new_unique())).signature
    bad = bank.execute(pay(bank, Pubkey.new_unique(), 10**18)).signature
    bank.advance_slot()
    reply = raw("getSignatureStatuses", [str(good), str(bad), str(Signature.default())])
    first, second, third = responses.GetSignatureStatusesResp.from_json(reply).value
    assert (first.slot, first.err, first.confirmations) == (bank.slot - 1, None, 1)
    assert first.confirmation_status == TransactionConfirmationStatus.Confirmed
    assert "Custom" in str(second.err)
    assert third is None
    bank.advance_slot(2)
    final = responses.GetSignatureStatusesResp.from_json(
        raw("getSignatureStatuses", [str(good)])
    ).value[0]
    assert final.confirmations is None
    assert final.confirmation_status == TransactionConfirmationStatus.Finalized


def test_old_statuses_need_the_history_searched(result, bank, pay):
    signature = str(bank.execute(pay(bank, Pubkey.new_unique())).signature)
    bank.advance_slot(301)
    assert result("getSignatureStatuses", [signature])["value"] == [None]
    search = {"searchTransactionHistory": True}
    assert result("getSignatureStatuses", [signature], search)["value"][0]["slot"] == 1


def test_more_than_256_statuses_are_refused(error):
    many = [str(Signature.default())] * 257
    assert error("getSignatureStatuses", many)["message"].endswith("max 256")


def test_signatures_of_an_address_page_from_newest_to_oldest(result, bank, pay):
    to = Pubkey.new_unique()
    sent = []
    for _ in range(5):
        sent += [str(bank.execute(pay(bank, to)).signature) for _ in range(2)]
        bank.advance_slot()
    bank.advance_slot(3)
    newest_first = sent[::-1]

    def page(**config):
        return [item["signature"] for item in result("getSignaturesForAddress", str(to), config)]

    assert page() == newest_first
    assert page(limit=3) == newest_first[:3]
    assert page(before=newest_first[2], limit=3) == newest_first[3:6]
    assert page(until=newest_first[4]) == newest_first[:4]
    assert page(before=newest_first[1], until=newest_first[4]) == newest_first[2:4]
    assert page(before=str(Signature.default())) == []


@pytest.mark.parametrize("limit", [0, 1_001])
def test_a_page_has_1_to_1000_signatures(error, payer, limit):
    assert error("getSignaturesForAddress", str(payer.pubkey()), {"limit": limit})["code"] == -32602


def test_a_failing_preflight_carries_its_simulation(raw, bank, pay):
    sent = encoded(pay(bank, Pubkey.new_unique(), 10**18))
    parsed = responses.SendTransactionResp.from_json(raw("sendTransaction", sent, BASE64))
    assert isinstance(parsed, SendTransactionPreflightFailureMessage)
    assert parsed.message == (
        "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1"
    )
    assert any("insufficient lamports" in log for log in parsed.data.logs)
    assert parsed.data.units_consumed == 150


def test_an_expired_blockhash_fails_preflight(error, bank, pay):
    sent = encoded(pay(bank, Pubkey.new_unique()))
    bank.advance_slot(151)
    failure = error("sendTransaction", sent, BASE64)
    assert failure["code"] == -32002
    assert failure["message"] == "Transaction simulation failed: Blockhash not found"
    assert failure["data"]["err"] == "BlockhashNotFound"


def test_a_repeat_fails_preflight_and_answers_its_signature_without(error, result, bank, pay):
    transaction = pay(bank, Pubkey.new_unique())
    result("sendTransaction", encoded(transaction), BASE64)
    assert error("sendTransaction", encoded(transaction), BASE64)["data"]["err"] == (
        "AlreadyProcessed"
    )
    skipping = BASE64 | {"skipPreflight": True}
    signature = result("sendTransaction", encoded(transaction), skipping)
    assert signature == str(transaction.signatures[0])
    assert bank.ledger.landed_count == 2


def test_without_preflight_a_failing_transaction_lands(result, bank, pay):
    transaction = pay(bank, Pubkey.new_unique(), 10**18)
    signature = result("sendTransaction", encoded(transaction), BASE64 | {"skipPreflight": True})
    assert bank.status(Signature.from_string(signature)).error is not None


def test_a_wrong_signature_has_its_own_code(error, bank, pay):
    other = pay(bank, Pubkey.new_unique())
    forged = VersionedTransaction.populate(
        pay(bank, other.message.account_keys[1]).message, other.signatures
    )
    failure = error("sendTransaction", encoded(forged), BASE64)
    assert (failure["code"], "data" in failure) == (-32003, False)
    assert (
        error("simulateTransaction", encoded(forged), BASE64 | {"sigVerify": True})["code"]
        == -32003
    )


def test_base58_is_the_default_encoding_of_a_transaction(result, bank, pay):
    transaction = pay(bank, Pubkey.new_unique())
    assert result("sendTransaction", base58.encode(bytes(transaction))) == str(
        transaction.signatures[0]
    )


@pytest.mark.parametrize(
    ("text", "config", "said"),
    [
        ("A" * 1_700, BASE64, "too large"),
        ("A" * 1_700, {}, "too large"),
        (b64encode(bytes(1_233)).decode(), BASE64, "the limit is 1232"),
        ("%%%", BASE64, "invalid base64 encoding"),
        ("0OIl", {}, "invalid base58 encoding"),
        ("AAAA", BASE64, "no well-formed transaction"),
        ("AAAA", {"encoding": "json"}, "unknown variant"),
    ],
)
def test_an_unreadable_transaction_is_an_invalid_parameter(error, text, config, said):
    failure = error("sendTransaction", text, config)
    assert failure["code"] == -32602
    assert said in failure["message"]


def test_a_later_context_than_the_chain_has_reached_is_refused(raw, bank, payer):
    reply = raw("getBalance", str(payer.pubkey()), {"minContextSlot": bank.slot + 1})
    parsed = responses.GetBalanceResp.from_json(reply)
    assert isinstance(parsed, MinContextSlotNotReachedMessage) or "-32016" in reply
    assert json.loads(reply)["error"]["data"] == {"contextSlot": bank.slot_at("finalized")}


def test_simulation_shows_accounts_as_they_would_be(result, bank, payer, pay):
    to = Pubkey.new_unique()
    accounts = {"addresses": [str(to), str(Pubkey.new_unique())], "encoding": "base64"}
    value = result(
        "simulateTransaction", encoded(pay(bank, to, 1_000_000)), BASE64 | {"accounts": accounts}
    )["value"]
    assert value["err"] is None
    assert value["accounts"][0]["lamports"] == 1_000_000
    assert value["accounts"][1] is None
    assert value["unitsConsumed"] == 150


def test_loaded_bytes_count_accounts_and_the_code_behind_programs(result, bank, payer, pay):
    simulated = result("simulateTransaction", encoded(pay(bank, Pubkey.new_unique())), BASE64)
    system_program = bank.account(Pubkey.default())
    # the payer and the system program exist, the recipient does not yet
    assert simulated["value"]["loadedAccountsDataSize"] == 2 * 64 + len(system_program.data)


def test_signatures_and_a_replaced_blockhash_exclude_each_other(error, bank, pay):
    config = BASE64 | {"sigVerify": True, "replaceRecentBlockhash": True}
    failure = error("simulateTransaction", encoded(pay(bank, Pubkey.new_unique())), config)
    assert "may not be used with replaceRecentBlockhash" in failure["message"]


@pytest.fixture
def shelf(bank):
    """A program with accounts of 8 and 300 bytes."""
    program = Pubkey.new_unique()
    short = {Pubkey.new_unique(): bytes([number]) * 8 for number in range(3)}
    long = {Pubkey.new_unique(): bytes([9]) * 300}
    for address, data in (short | long).items():
        bank.set_account(address, Account(SOL, data, program))
    return program, short, long


def test_filters_select_program_accounts(result, shelf):
    program, short, long = shelf

    def found(*filters):
        config = BASE64 | {"filters": list(filters), "commitment": "processed"}
        items = result("getProgramAccounts", str(program), config)
        return {Pubkey.from_string(item["pubkey"]) for item in items}

    assert found() == {*short, *long}
    assert found({"dataSize": 8}) == set(short)
    twos = {address for address, data in short.items() if data[0] == 2}
    assert found({"memcmp": {"offset": 3, "bytes": "3"}}) == twos
    in_base64 = {"offset": 3, "bytes": b64encode(b"\2\2").decode(), "encoding": "base64"}
    assert found({"memcmp": in_base64}) == twos
    assert found({"dataSize": 300}, {"memcmp": in_base64}) == set()
    assert found({"memcmp": {"offset": 299, "bytes": [9]}}) == set(long)
    assert found({"memcmp": {"offset": 299, "bytes": [9, 9]}}) == set()


@pytest.mark.parametrize(
    "filters",
    [
        [{"dataSize": 1}] * 5,
        [{"dataSize": -1}],
        [{"memcmp": {"offset": 0, "bytes": "0"}}],
        [{"memcmp": {"offset": 0, "bytes": [0] * 129}}],
        [{"memcmp": {"bytes": "3"}}],
        [{}],
        "all",
    ],
)
def test_filters_that_cannot_be_used_are_refused(error, shelf, filters):
    config = BASE64 | {"filters": filters}
    assert error("getProgramAccounts", str(shelf[0]), config)["code"] == -32602


def test_a_slice_is_cut_before_encoding(result, shelf, bank):
    (address,) = shelf[2]
    cut = {"dataSlice": {"offset": 298, "length": 10}, "commitment": "processed"}
    value = result("getAccountInfo", str(address), BASE64 | cut)["value"]
    assert value["data"] == [b64encode(b"\t\t").decode(), "base64"]
    assert value["space"] == 300
    short = result("getAccountInfo", str(address), {"encoding": "base58"} | cut)["value"]
    assert short["data"] == [base58.encode(b"\t\t"), "base58"]


def test_long_data_has_no_base58_form(error, shelf):
    (address,) = shelf[2]
    failure = error("getAccountInfo", str(address), {"commitment": "processed"})
    assert failure["code"] == -32600
    assert "please use Base64 encoding" in failure["message"]


def test_stored_zstd_frames_carry_length_and_bytes():
    for size in (0, 1, 131_072, 131_073):
        data = bytes(index % 251 for index in range(size))
        frame = zstd_stored(data)
        assert frame[:4] == b"\x28\xb5\x2f\xfd"
        assert int.from_bytes(frame[5:13], "little") == size
        read, at, is_last = b"", 13, False
        while not is_last:
            header = int.from_bytes(frame[at : at + 3], "little")
            length, is_last = header >> 3, bool(header & 1)
            read += frame[at + 3 : at + 3 + length]
            at += 3 + length
        assert (read, at) == (data, len(frame))


def test_an_account_that_is_no_token_has_no_balance(error, payer):
    assert "not a Token account" in error("getTokenAccountBalance", str(payer.pubkey()))["message"]
    assert "not a Token mint" in error("getTokenSupply", str(payer.pubkey()))["message"]


def test_token_accounts_of_an_owner_need_a_known_mint_or_program(error, payer):
    owner = str(payer.pubkey())
    assert (
        "could not find mint" in error("getTokenAccountsByOwner", owner, {"mint": owner})["message"]
    )
    failure = error("getTokenAccountsByOwner", owner, {"programId": owner})
    assert "unrecognized Token program" in failure["message"]


@pytest.mark.parametrize("text", ["", "0", "x" * 100, "\ud800", 5, None])
def test_text_that_is_no_blockhash_is_an_invalid_parameter(error, text):
    assert error("isBlockhashValid", text)["code"] == -32602


def test_more_than_100_accounts_are_refused(error, payer):
    assert error("getMultipleAccounts", [str(payer.pubkey())] * 101)["message"].endswith("max 100")


def test_a_fee_is_null_when_the_blockhash_has_expired(result, bank, payer):
    message = Message.new_with_blockhash([], payer.pubkey(), Hash.new_unique())
    assert result("getFeeForMessage", b64encode(bytes(message)).decode())["value"] is None


def test_a_block_of_the_future_is_not_available(error, bank):
    assert error("getBlock", bank.slot + 1)["code"] == -32004
    assert error("getBlockTime", bank.slot + 1)["code"] == -32004


def test_return_data_and_logs_of_a_program_come_back(result, bank, payer):
    memo = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
    message = Message.new_with_blockhash(
        [Instruction(memo, b"hello", [])], payer.pubkey(), bank.block_at("processed").blockhash
    )
    record = bank.execute(VersionedTransaction(message, [payer]))
    bank.advance_slot()
    meta = result("getTransaction", str(record.signature), CONFIRMED)["meta"]
    assert any("hello" in log for log in meta["logMessages"])
    assert meta["status"] == {"Ok": None}


def test_the_latest_blockhash_is_that_of_its_commitment(result, bank):
    bank.advance_slot(10)
    for level in ("processed", "confirmed", "finalized"):
        value = result("getLatestBlockhash", {"commitment": level})
        block = bank.block_at(level)
        assert value["context"]["slot"] == block.slot
        assert value["value"] == {
            "blockhash": str(block.blockhash),
            "lastValidBlockHeight": block.height + 150,
        }
