// The Lambda function of the service "label". What it may rely on, and has to keep to, is in
// docs/how-to/write-a-service-adapter.md; the carrier's work is in carrier.mjs.
import { GiveUp, Sender } from "./sender.mjs";
import { printed, remember } from "./memory.mjs";
import { print } from "./carrier.mjs";

const sender = new Sender();

export async function handler(event) {
  const done = await Promise.allSettled(event.Records.map(answer));
  const failed = event.Records.filter((_, n) => done[n].status === "rejected");
  for (const { reason } of done.filter((one) => one.status === "rejected")) console.error(reason);
  return { batchItemFailures: failed.map((record) => ({ itemIdentifier: record.messageId })) };
}

// Whatever this throws brings the task again, and at last to the dead-letter queue, as it is.
async function answer(record) {
  const task = readTask(record.body);
  if (task.cancelled) return; // nobody wants the result, and a label that was printed does no harm
  if (task.start_by_ms) {
    if (isTooLate(task, record)) return; // the workflow makes another attempt
    await sender.begin(task);
  }
  let result;
  try {
    result = { payload: await labels(task) };
  } catch (error) {
    if (error instanceof GiveUp) throw error;
    result = { error: failureOf(error) };
  }
  if (task.reply !== false) await sender.result(task, result);
}

function readTask(body) {
  const task = JSON.parse(body);
  for (const field of ["execution_id", "task_id"]) {
    if (typeof task?.[field] !== "string") throw new Error(`not a task: no ${field} in ${body}`);
  }
  if (task.reply !== false && !task.callback_queue_url) {
    throw new Error(`task ${task.task_id} has no callback_queue_url`);
  }
  return { attempt: 1, ...task };
}

// A task that was received before may have begun, and its process may have died: that one is done.
function isTooLate(task, record) {
  const receives = Number(record.attributes?.ApproximateReceiveCount ?? 1);
  return receives === 1 && Date.now() > task.start_by_ms + 60_000; // clocks differ
}

// The same task gives the same labels, however often and in how many processes it is delivered.
async function labels(task) {
  if (task.payload_ref) throw new Refused("PayloadTooLarge", "more parcels than fit in a message");
  const before = await printed(task.task_id);
  if (before) return before;
  const { parcels } = task.payload;
  const numbers = [];
  let cents = 0;
  for (const grams of parcels) {
    await sender.heartbeat(task, { printed: numbers.length });
    const label = await print(grams, `${task.task_id}#${numbers.length}`);
    numbers.push(label.number);
    cents += label.cents;
  }
  return remember(task.task_id, { numbers, cents });
}

function failureOf(error) {
  return {
    type: error.type ?? error.name,
    message: String(error.message).slice(0, 4000),
    retryable: error.retryable ?? true,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

class Refused extends Error {
  retryable = false;

  constructor(type, message) {
    super(message);
    this.type = type;
  }
}
