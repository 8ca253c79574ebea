// What a program written for @solana/web3.js 1.x does with a cluster. Prints one JSON object: what it saw.
// Usage: node web3js.mjs HTTP_URL WS_URL
import assert from "node:assert/strict";
import {
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  Connection,
  Keypair,
  LAMPORTS_PER_SOL,
  NONCE_ACCOUNT_LENGTH,
  PublicKey,
  SystemProgram,
  Transaction,
  TransactionMessage,
  VersionedTransaction,
  sendAndConfirmTransaction,
} from "@solana/web3.js";

const [, , url, wsEndpoint] = process.argv;
const connection = new Connection(url, { commitment: "confirmed", wsEndpoint });
const payer = Keypair.generate();
const seen = {};

const first = (subscribe) => new Promise((resolve) => subscribe(resolve));

// Airdrop, and the confirmation by websocket.
const airdrop = await connection.requestAirdrop(payer.publicKey, 10 * LAMPORTS_PER_SOL);
const latest = await connection.getLatestBlockhash();
const confirmed = await connection.confirmTransaction({ signature: airdrop, ...latest }, "confirmed");
assert.equal(confirmed.value.err, null);
assert.equal(await connection.getBalance(payer.publicKey), 10 * LAMPORTS_PER_SOL);

// Subscriptions, begun before what they are to tell.
const to = Keypair.generate().publicKey;
const owner = Keypair.generate().publicKey;
const space = NONCE_ACCOUNT_LENGTH;
const roots = first((done) => connection.onRootChange(done));
const logs = first((done) => connection.onLogs(to, done, "confirmed"));
const change = first((done) => connection.onAccountChange(to, done, { commitment: "confirmed" }));
const stored = first((done) =>
  connection.onProgramAccountChange(owner, done, {
    commitment: "confirmed",
    filters: [{ dataSize: space }],
  }),
);
// The library does not say when it has subscribed; once the last one tells something, those before it are in place.
const slot = await first((done) => connection.onSlotChange(done));
assert.equal(typeof slot.parent, "number");

// A legacy transfer with a price, its fee foretold.
const transfer = SystemProgram.transfer({
  fromPubkey: payer.publicKey,
  toPubkey: to,
  lamports: LAMPORTS_PER_SOL,
});
const legacy = new Transaction().add(
  ComputeBudgetProgram.setComputeUnitLimit({ units: 1_000 }),
  ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000_000 }),
  transfer,
);
legacy.feePayer = payer.publicKey;
legacy.recentBlockhash = (await connection.getLatestBlockhash()).blockhash;
const fee = await connection.getFeeForMessage(legacy.compileMessage(), "confirmed");
assert.equal(fee.value, 6_000);
const sent = await sendAndConfirmTransaction(connection, legacy, [payer]);
seen.logs = (await logs).logs.length;
assert.equal((await logs).signature, sent);
assert.equal((await change).lamports, LAMPORTS_PER_SOL);
assert.equal(typeof (await roots), "number");

// A lookup table: created, extended, used by a v0 transaction.
const recentSlot = (await connection.getSlot("confirmed")) - 1;
const [create, table] = AddressLookupTableProgram.createLookupTable({
  authority: payer.publicKey,
  payer: payer.publicKey,
  recentSlot,
});
const others = [Keypair.generate().publicKey, Keypair.generate().publicKey];
const extend = AddressLookupTableProgram.extendLookupTable({
  lookupTable: table,
  authority: payer.publicKey,
  payer: payer.publicKey,
  addresses: others,
});
await sendAndConfirmTransaction(connection, new Transaction().add(create, extend), [payer]);
const found = (await connection.getAddressLookupTable(table)).value;
assert.deepEqual(found.state.addresses.map(String), others.map(String));
const v0 = async () => {
  const { blockhash } = await connection.getLatestBlockhash();
  const message = new TransactionMessage({
    payerKey: payer.publicKey,
    recentBlockhash: blockhash,
    instructions: others.map((each) =>
      SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: each, lamports: 2_000_000 }),
    ),
  }).compileToV0Message([found]);
  const transaction = new VersionedTransaction(message);
  transaction.sign([payer]);
  return transaction;
};
const wanted = await v0();
assert.equal(wanted.message.addressTableLookups.length, 1);
const simulated = await connection.simulateTransaction(wanted, {
  accounts: { encoding: "base64", addresses: [others[0].toBase58()] },
});
assert.equal(simulated.value.err, null);
assert.equal(simulated.value.accounts[0].lamports, 2_000_000);
seen.simulated_cu = simulated.value.unitsConsumed;
const landed = await connection.sendTransaction(wanted);
await connection.confirmTransaction({ signature: landed, ...(await connection.getLatestBlockhash()) });

// A failure is an error of the simulation, with its logs; and of the landed transaction where preflight was skipped.
const tooMuch = SystemProgram.transfer({
  fromPubkey: payer.publicKey,
  toPubkey: to,
  lamports: 10_000 * LAMPORTS_PER_SOL,
});
await assert.rejects(connection.sendTransaction(new Transaction().add(tooMuch), [payer]), (error) => {
  seen.refusal = error.transactionError?.message ?? error.message;
  return error.logs.some((line) => line.includes("insufficient lamports"));
});
const failing = await connection.sendTransaction(new Transaction().add(tooMuch), [payer], {
  skipPreflight: true,
});
const failed = await connection
  .confirmTransaction({ signature: failing, ...(await connection.getLatestBlockhash()) })
  .then((told) => told.value.err)
  .catch((error) => error); // its way to say it when the status was quicker than the notification
assert.deepEqual(failed, { InstructionError: [0, { Custom: 1 }] });

// What landed, read back.
const statuses = await connection.getSignatureStatuses([sent, landed, failing]);
assert.deepEqual(
  statuses.value.map((each) => each.err === null),
  [true, true, false],
);
const read = await connection.getTransaction(landed, { maxSupportedTransactionVersion: 0 });
assert.equal(read.version, 0);
assert.deepEqual(
  read.meta.loadedAddresses.writable.map(String).sort(),
  others.map(String).sort(),
);
const parsed = await connection.getParsedTransaction(landed, { maxSupportedTransactionVersion: 0 });
assert.equal(parsed.transaction.message.accountKeys.length, 4);
const many = await connection.getTransactions([sent, landed], { maxSupportedTransactionVersion: 0 });
assert.deepEqual(many.map((each) => each.meta.err), [null, null]);
const listed = await connection.getSignaturesForAddress(others[0], { limit: 5 });
assert.deepEqual(listed.map((each) => each.signature), [landed]);
const block = await connection.getBlock(read.slot, { maxSupportedTransactionVersion: 0 });
assert.ok(block.transactions.some((each) => each.transaction.signatures[0] === landed));
assert.equal(block.parentSlot, read.slot - 1);
assert.ok((await connection.getBlocks(read.slot - 2, read.slot)).includes(read.slot));
assert.equal(typeof (await connection.getBlockTime(read.slot)), "number");

// Accounts of a program, filtered and sliced.
const account = Keypair.generate();
const rent = await connection.getMinimumBalanceForRentExemption(space);
const make = SystemProgram.createAccount({
  fromPubkey: payer.publicKey,
  newAccountPubkey: account.publicKey,
  lamports: rent,
  space,
  programId: owner,
});
await sendAndConfirmTransaction(connection, new Transaction().add(make), [payer, account]);
assert.equal(String((await stored).accountId), String(account.publicKey));
const owned = await connection.getProgramAccounts(owner, {
  filters: [{ dataSize: space }, { memcmp: { offset: 0, bytes: "11" } }],
  dataSlice: { offset: 4, length: 8 },
});
assert.deepEqual(owned.map((each) => String(each.pubkey)), [String(account.publicKey)]);
assert.equal(owned[0].account.data.length, 8);
const none = await connection.getProgramAccounts(owner, { filters: [{ dataSize: space + 1 }] });
assert.deepEqual(none, []);
const both = await connection.getMultipleAccountsInfo([account.publicKey, new PublicKey(7)]);
assert.deepEqual(both.map((each) => each?.data.length), [space, undefined]);
const shown = await connection.getParsedAccountInfo(table);
assert.equal(shown.value.owner.toBase58(), AddressLookupTableProgram.programId.toBase58());

// The chain itself.
const info = await connection.getEpochInfo();
assert.equal(info.slotsInEpoch, 432_000);
seen.version = (await connection.getVersion())["solana-core"];
const fees = await connection.getRecentPrioritizationFees({ lockedWritableAccounts: [to] });
assert.ok(fees.some((each) => each.prioritizationFee === 1_000_000));
const { blockhash } = await connection.getLatestBlockhash();
assert.equal((await connection.isBlockhashValid(blockhash)).value, true);
assert.equal((await connection.isBlockhashValid(PublicKey.unique().toBase58())).value, false);
assert.ok((await connection.getBlockHeight()) <= (await connection.getSlot()));
assert.equal((await connection.getEpochSchedule()).slotsPerEpoch, 432_000);
assert.equal((await connection.getRecentPerformanceSamples(1)).length, 1);
assert.ok((await connection.getTransactionCount()) > 0);
assert.equal((await connection.getGenesisHash()).length > 30, true);
assert.equal((await connection.getFirstAvailableBlock()), 0);

console.log(JSON.stringify(seen));
process.exit(0);
