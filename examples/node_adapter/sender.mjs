// What goes back to the workflow: results and heartbeats, into its FIFO queue.
import { createHash, randomUUID } from "node:crypto";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

// A message names the queue that it is to be answered in; the host is not taken from it.
const sqs = new SQSClient({ useQueueUrlAsEndpoint: false });

// What the adapter itself needs could not be reached: the task must come again.
export class GiveUp extends Error {}

export class Sender {
  #heard = new Map();

  // One of {payload} and {error}. SQS drops a repetition by its id within five minutes, and the
  // execution whatever it knows already.
  async result(task, result) {
    this.#heard.delete(task.task_id);
    const { execution_id, task_id, attempt } = task;
    const body = { type: "Update", execution_id, task_id, attempt, ...result };
    await send(task, body, deduplicationId(task_id, attempt, "result"));
  }

  // That the attempt begins, with the details of the attempts before, which it would erase. An attempt
  // whose begin cannot be reported is not begun: the workflow would give it up.
  async begin(task) {
    const { execution_id, task_id, attempt, details = null } = task;
    await send(task, { type: "Heartbeat", execution_id, task_id, attempt, details }, randomUUID());
  }

  // At most one for each half of the time within which the workflow has to hear of the task. One
  // that cannot be sent is no reason to stop.
  async heartbeat(task, details) {
    const last = this.#heard.get(task.task_id) ?? -Infinity;
    if (!task.heartbeat_ms || Date.now() - last < task.heartbeat_ms / 2) return;
    this.#heard.set(task.task_id, Date.now());
    const { execution_id, task_id, attempt } = task;
    const body = { type: "Heartbeat", execution_id, task_id, attempt, details };
    await send(task, body, randomUUID()).catch((error) => console.warn(error.message));
  }
}

async function send(task, body, deduplication) {
  if (!task.callback_queue_url) return; // nobody waits for it
  try {
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: task.callback_queue_url,
        MessageBody: JSON.stringify(body),
        MessageGroupId: task.execution_id,
        MessageDeduplicationId: deduplication,
      }),
    );
  } catch (error) {
    throw new GiveUp(`task ${task.task_id}: ${body.type} not sent: ${error.message}`);
  }
}

// The parts with colons between, or their digest where SQS would refuse them.
export function deduplicationId(...parts) {
  const text = parts.join(":");
  return /^[!-~]{1,128}$/.test(text) ? text : createHash("sha256").update(text).digest("hex");
}
