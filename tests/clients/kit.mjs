// What a program written for @solana/kit does with a cluster. Prints one JSON object: what it saw.
// Usage: node kit.mjs HTTP_URL WS_URL
import assert from "node:assert/strict";
import {
  AccountRole,
  address,
  airdropFactory,
  appendTransactionMessageInstructions,
  assertIsTransactionWithBlockhashLifetime,
  compileTransactionMessage,
  compressTransactionMessageUsingAddressLookupTables,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  generateKeyPairSigner,
  getAddressEncoder,
  getBase64Decoder,
  getBase64EncodedWireTransaction,
  getCompiledTransactionMessageEncoder,
  getProgramDerivedAddress,
  getSignatureFromTransaction,
  getU64Encoder,
  lamports,
  pipe,
  sendAndConfirmTransactionFactory,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
} from "@solana/kit";

const [, , url, wsUrl] = process.argv;
const rpc = createSolanaRpc(url);
const rpcSubscriptions = createSolanaRpcSubscriptions(wsUrl);
const sendAndConfirm = sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });
const abort = new AbortController();
const seen = {};

const SYSTEM = address("11111111111111111111111111111111");
const BUDGET = address("ComputeBudget111111111111111111111111111111");
const TABLES = address("AddressLookupTab1e1111111111111111111111111");
const u64 = getU64Encoder();
const u32 = (value) => new Uint8Array(new Uint32Array([value]).buffer);
const bytes = (...parts) => new Uint8Array(parts.flatMap((part) => [...part]));

// Instructions, encoded by hand: kit itself knows of no program.
const transfer = (from, to, amount) => ({
  programAddress: SYSTEM,
  accounts: [
    { address: from.address, role: AccountRole.WRITABLE_SIGNER, signer: from },
    { address: to, role: AccountRole.WRITABLE },
  ],
  data: bytes(u32(2), u64.encode(amount)),
});
const price = (microLamports) => ({ programAddress: BUDGET, data: bytes([3], u64.encode(microLamports)) });
const limit = (units) => ({ programAddress: BUDGET, data: bytes([2], u32(units)) });
const aboutTable = (table, payer, data) => ({
  programAddress: TABLES,
  accounts: [
    { address: table, role: AccountRole.WRITABLE },
    { address: payer.address, role: AccountRole.READONLY_SIGNER, signer: payer },
    { address: payer.address, role: AccountRole.WRITABLE_SIGNER, signer: payer },
    { address: SYSTEM, role: AccountRole.READONLY },
  ],
  data,
});

const message = async (payer, instructions) => {
  const { value } = await rpc.getLatestBlockhash({ commitment: "confirmed" }).send();
  return pipe(
    createTransactionMessage({ version: 0 }),
    (it) => setTransactionMessageFeePayerSigner(payer, it),
    (it) => setTransactionMessageLifetimeUsingBlockhash(value, it),
    (it) => appendTransactionMessageInstructions(instructions, it),
  );
};
const land = async (built) => {
  const signed = await signTransactionMessageWithSigners(built);
  assertIsTransactionWithBlockhashLifetime(signed);
  await sendAndConfirm(signed, { commitment: "confirmed" });
  return getSignatureFromTransaction(signed);
};
// Subscribes, and gives what waits for the first notification; one that comes before anybody iterates would be lost.
const firstOf = async (pending) => {
  const notifications = await pending.subscribe({ abortSignal: abort.signal });
  const next = notifications[Symbol.asyncIterator]().next();
  return async () => (await next).value;
};

// Airdrop, confirmed by websocket.
const payer = await generateKeyPairSigner();
const airdrop = airdropFactory({ rpc, rpcSubscriptions });
await airdrop({
  recipientAddress: payer.address,
  lamports: lamports(10_000_000_000n),
  commitment: "confirmed",
});
assert.equal(
  (await rpc.getBalance(payer.address, { commitment: "confirmed" }).send()).value,
  10_000_000_000n,
);

// Subscriptions, then what they tell.
const to = (await generateKeyPairSigner()).address;
const level = { commitment: "confirmed" };
const [slot, root, logs, account] = await Promise.all([
  firstOf(rpcSubscriptions.slotNotifications()),
  firstOf(rpcSubscriptions.rootNotifications()),
  firstOf(rpcSubscriptions.logsNotifications({ mentions: [to] }, level)),
  firstOf(rpcSubscriptions.accountNotifications(to, { ...level, encoding: "base64" })),
]);

// A transfer with a price, its fee foretold.
const paying = await message(payer, [
  limit(1_000),
  price(1_000_000n),
  transfer(payer, to, 1_000_000_000n),
]);
const compiled = getCompiledTransactionMessageEncoder().encode(compileTransactionMessage(paying));
const fee = await rpc.getFeeForMessage(getBase64Decoder().decode(compiled), level).send();
assert.equal(fee.value, 6_000n);
const paid = await land(paying);
const told = (await logs()).value;
assert.equal(told.signature, paid);
seen.logs = told.logs.length;
assert.equal((await account()).value.lamports, 1_000_000_000n);
assert.equal(typeof (await slot()).parent, "bigint");
assert.equal(typeof (await root()), "bigint");

// A lookup table: created, extended, used.
const recent = (await rpc.getSlot(level).send()) - 1n;
const encoder = getAddressEncoder();
const [table, bump] = await getProgramDerivedAddress({
  programAddress: TABLES,
  seeds: [encoder.encode(payer.address), u64.encode(recent)],
});
const others = [
  (await generateKeyPairSigner()).address,
  (await generateKeyPairSigner()).address,
];
await land(
  await message(payer, [
    aboutTable(table, payer, bytes(u32(0), u64.encode(recent), [bump])),
    aboutTable(
      table,
      payer,
      bytes(u32(2), u64.encode(BigInt(others.length)), ...others.map((each) => encoder.encode(each))),
    ),
  ]),
);
const short = compressTransactionMessageUsingAddressLookupTables(
  await message(payer, others.map((each) => transfer(payer, each, 2_000_000n))),
  { [table]: others },
);
const signed = await signTransactionMessageWithSigners(short);
const simulated = await rpc
  .simulateTransaction(getBase64EncodedWireTransaction(signed), {
    ...level,
    encoding: "base64",
    accounts: { encoding: "base64", addresses: [others[0]] },
  })
  .send();
assert.equal(simulated.value.err, null);
assert.equal(simulated.value.accounts[0].lamports, 2_000_000n);
seen.simulated_cu = Number(simulated.value.unitsConsumed);
const landed = await land(short);

// A failure is an error of the simulation, with its cause.
await assert.rejects(
  message(payer, [transfer(payer, to, 10n ** 15n)]).then(land),
  (error) => {
    seen.refusal = error.message;
    seen.cause = error.cause?.message;
    return error.name === "SolanaError";
  },
);

// What landed, read back.
const statuses = await rpc.getSignatureStatuses([paid, landed]).send();
assert.deepEqual(statuses.value.map((each) => each.err), [null, null]);
const reading = { ...level, maxSupportedTransactionVersion: 0 };
const read = await rpc.getTransaction(landed, { ...reading, encoding: "json" }).send();
assert.deepEqual([...read.meta.loadedAddresses.writable].sort(), [...others].sort());
const block = await rpc.getBlock(read.slot, { ...reading, transactionDetails: "full" }).send();
assert.ok(block.transactions.some((each) => each.transaction.signatures[0] === landed));
const listed = await rpc.getSignaturesForAddress(others[0], level).send();
assert.deepEqual(listed.map((each) => each.signature), [landed]);

// Accounts of a program, filtered and sliced.
const owned = await rpc
  .getProgramAccounts(TABLES, {
    ...level,
    encoding: "base64",
    withContext: true,
    filters: [{ memcmp: { offset: 22n, bytes: payer.address, encoding: "base58" } }],
    dataSlice: { offset: 56, length: 32 },
  })
  .send();
assert.deepEqual(owned.value.map((each) => each.pubkey), [table]);
assert.equal(
  owned.value[0].account.data[0],
  getBase64Decoder().decode(encoder.encode(others[0])),
);
const sized = await rpc
  .getProgramAccounts(TABLES, { ...level, encoding: "base64", filters: [{ dataSize: 1n }] })
  .send();
assert.deepEqual(sized, []);
const many = await rpc.getMultipleAccounts([to, SYSTEM], { ...level, encoding: "base64" }).send();
assert.deepEqual(many.value.map((each) => each.lamports > 0n), [true, true]);

// The chain itself.
const info = await rpc.getEpochInfo(level).send();
assert.equal(info.slotsInEpoch, 432_000n);
seen.version = (await rpc.getVersion().send())["solana-core"];
const fees = await rpc.getRecentPrioritizationFees([to]).send();
assert.ok(fees.some((each) => each.prioritizationFee === 1_000_000n));
const { value: latest } = await rpc.getLatestBlockhash().send();
assert.equal((await rpc.isBlockhashValid(latest.blockhash).send()).value, true);
assert.ok((await rpc.getBlockHeight().send()) <= (await rpc.getSlot().send()));
assert.equal(await rpc.getHealth().send(), "ok");
assert.equal(typeof (await rpc.getMinimumBalanceForRentExemption(80n).send()), "bigint");

abort.abort();
console.log(JSON.stringify(seen));
process.exit(0);
