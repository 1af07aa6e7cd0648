"""Receives Wayout's events: checks the signature, ignores what it knows and what is late, answers at once.

pip install standardwebhooks
WAYOUT_WEBHOOK_SECRET=whsec_... python3 receiver.py 9000
"""

import os
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WAYOUT_WEBHOOK_SECRET"])
books = sqlite3.connect(os.environ.get("BOOKS", "events.sqlite3"), check_same_thread=False, isolation_level=None)
books.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)")
books.execute("CREATE TABLE IF NOT EXISTS state (subscription TEXT PRIMARY KEY, version INTEGER, event TEXT)")


def take(message_id, event):
    """Keep an event, once. The id is kept with what it changed, in one transaction, or not at all."""
    with books:
        books.execute("BEGIN IMMEDIATE")
        if not books.execute("INSERT OR IGNORE INTO seen VALUES (?)", [message_id]).rowcount:
            return "known"
        subscription = event["data"].get("subscription")
        if subscription is None:
            return "test"
        # A later one of the same subscription was here before: this one must not undo what it said.
        newer = books.execute(
            "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT (subscription) DO UPDATE"
            " SET version = excluded.version, event = excluded.event WHERE version < excluded.version",
            [subscription["id"], event["version"], event["type"]],
        ).rowcount
        return "new" if newer else "late"


class Receiver(BaseHTTPRequestHandler):
    """204 once it is kept; anything else is sent again."""

    def do_POST(self):
        """One event."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            event = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            return self.answer(401)
        print(take(self.headers["Webhook-Id"], event), event["type"], flush=True)
        return self.answer(204)

    def answer(self, status):
        """Only a status: nobody reads more."""
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        """The events are enough."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
