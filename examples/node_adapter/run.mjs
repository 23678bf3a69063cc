// Runs the handler outside of Lambda: a line of standard input is an event, a line of output the
// answer to it.
import { createInterface } from "node:readline";
import { handler } from "./index.mjs";

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await handler(JSON.parse(line))));
}
