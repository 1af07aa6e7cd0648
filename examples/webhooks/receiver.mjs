// Receives Wayout's events: checks the signature, ignores what it knows and what is late, answers at once.
//
//   WAYOUT_WEBHOOK_SECRET=whsec_... node receiver.mjs 9000
//
// The books are in memory here; keep them in your database, the id together with what the event changed.

import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WAYOUT_WEBHOOK_SECRET);
const seen = new Set();
const state = new Map();

function take(id, event) {
  if (seen.has(id)) return "known";
  seen.add(id);
  const subscription = event.data.subscription?.id;
  if (!subscription) return "test";
  // A later one of the same subscription was here before: this one must not undo what it said.
  if (state.get(subscription)?.version >= event.version) return "late";
  state.set(subscription, { version: event.version, type: event.type });
  return "new";
}

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const event = webhook.verify(Buffer.concat(chunks).toString(), request.headers);
    console.log(take(request.headers["webhook-id"], event), event.type);
    response.writeHead(204).end();
  } catch {
    response.writeHead(401).end();
  }
}).listen(Number(process.argv[2]), "127.0.0.1");
