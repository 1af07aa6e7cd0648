"""A Stripe that fails on demand, over real HTTP: the calls that Wayout makes, and the idempotency it relies on."""

from __future__ import annotations

import json
import operator
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_LIST_PARAMETERS = {
    "charge", "payment_intent", "limit", "starting_after", "ending_before", "created", "created[gt]", "created[gte]",
    "created[lt]", "created[lte]", "expand[]",
}  # fmt: skip
SECRET, SUBSCRIPTION = "whsec_of_the_test", "sub_11111111"


class FakeStripe(ThreadingHTTPServer):
    """``troubles``: what goes wrong with the next requests, one each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.refunds: list[dict[str, Any]] = []
        self.by_key: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.charges: dict[str, dict[str, Any]] = {}
        self.troubles: list[str] = []
        self.requests: list[str] = []

    def handle_error(self, *_: Any) -> None:
        """Whoever was killed while it asked is no news."""

    def subscribe(self, number: str) -> None:
        """One that goes on."""
        self.subscriptions[number] = {
            "object": "subscription", "id": number, "status": "active", "cancel_at_period_end": False,
        }  # fmt: skip


class _Requests(BaseHTTPRequestHandler):
    server: FakeStripe

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._note("GET")
        if self._trouble() in ("", "slow"):
            query = dict(parse_qsl(url.query))
            if url.path == "/v1/refunds":
                self._list(query)
            elif (number := url.path.removeprefix("/v1/charges/")) in self.server.charges:
                self._say(200, self.server.charges[number])
            elif subscription := self._subscription():
                self._say(200, subscription)

    def do_POST(self) -> None:
        given = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()))
        self._note("POST")
        trouble = self._trouble()
        if trouble in ("timeout before", "5xx", "429", "silent"):
            return
        if self.path == "/v1/refunds" and not self._is_amount(given):
            self._refuse("Invalid amount.", 400, "amount_invalid")
        elif self.path == "/v1/refunds":
            key = self.headers["Idempotency-Key"]
            refund = self.server.by_key.get(key) or self._refund(given, trouble)
            self.server.by_key[key] = refund
            if trouble == "timeout after":
                self.close_connection = True
            elif trouble == "refuse":
                self._say(
                    400,
                    {"error": {"type": "invalid_request_error", "code": "charge_already_refunded", "message": "no"}},
                )
            else:
                self._say(200, refund)
        elif subscription := self._subscription():
            if subscription["status"] == "canceled":
                self._refuse("A canceled subscription can only update its cancellation_details and metadata.", 400)
            else:
                subscription["cancel_at_period_end"] = given["cancel_at_period_end"] == "true"
                self._say(200, subscription)

    def do_DELETE(self) -> None:
        self._note("DELETE")
        if self._trouble() in ("", "slow"):
            if not (subscription := self._subscription()):
                return
            if subscription["status"] == "canceled":
                self._refuse("No such subscription", 404)
            else:
                subscription["status"] = "canceled"
                self._say(200, subscription)

    def _list(self, query: dict[str, str]) -> None:
        """As Stripe documents it: the newest first, ten where nobody says how many, and nothing it does not know."""
        unknown = query.keys() - _LIST_PARAMETERS
        limit, after = int(query.get("limit", 10)), query.get("starting_after")
        if unknown:
            self._refuse(f"Received unknown parameter: {min(unknown)}", 400, "parameter_unknown")
            return
        if not 1 <= limit <= 100:
            self._refuse("This value must be between 1 and 100.", 400, "parameter_invalid_integer")
            return
        of = {name: query[name] for name in ("charge", "payment_intent") if name in query}
        found = [r for r in reversed(self.server.refunds) if all(r.get(name) == value for name, value in of.items())]
        for name, value in query.items():
            if name.startswith("created["):
                meets = getattr(operator, {"lt": "lt", "lte": "le", "gt": "gt", "gte": "ge"}[name[8:-1]])
                found = [refund for refund in found if meets(refund["created"], int(value))]
        if after:
            ids = [refund["id"] for refund in found]
            if after not in ids:
                self._refuse(f"No such refund: '{after}'", 400)
                return
            found = found[ids.index(after) + 1 :]
        page = {"object": "list", "url": "/v1/refunds", "has_more": len(found) > limit, "data": found[:limit]}
        self._say(200, page)

    def _subscription(self) -> dict[str, Any] | None:
        """The one of the path; says so where there is none."""
        path, _, number = urlsplit(self.path).path.rpartition("/")
        found = self.server.subscriptions.get(number) if path == "/v1/subscriptions" else None
        if found is None:
            self._refuse("No such subscription", 404)
        return found

    def _refuse(self, message: str, status: int, code: str = "resource_missing") -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message}
        self._say(status, {"error": error})

    def _refund(self, given: dict[str, str], trouble: str) -> dict[str, Any]:
        made = {
            "object": "refund",
            "id": f"re_{len(self.server.refunds) + 1}",
            "charge": given["charge"],
            "amount": int(given["amount"]),
            "currency": self._currency(given),
            "created": int(time.time()),
            "metadata": {"wayout_part": given["metadata[wayout_part]"]},
            "status": {"decline": "failed", "pending": "pending"}.get(trouble, "succeeded"),
            "failure_reason": "lost_or_stolen_card" if trouble == "decline" else None,
        }
        if trouble != "refuse":
            self.server.refunds.append(made)
        return made

    def _currency(self, given: dict[str, str]) -> str:
        currency: str = self.server.charges.get(given["charge"], {"currency": "eur"})["currency"]
        return currency

    def _is_amount(self, given: dict[str, str]) -> bool:
        """No fractions where a currency has lost them, no thousandths anywhere."""
        step = {"isk": 100, "ugx": 100, "bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10}
        return int(given["amount"]) % step.get(self._currency(given), 1) == 0

    def _note(self, verb: str) -> None:
        self.server.requests.append(f"{verb} {urlsplit(self.path).path}")

    def _trouble(self) -> str:
        """What goes wrong now; what can be said at once is said here."""
        trouble = self.server.troubles.pop(0) if self.server.troubles else ""
        match trouble:
            case "timeout before":
                self.close_connection = True
            case "5xx":
                self._say(500, {"error": {"type": "api_error", "message": "down"}})
            case "429":
                self._say(429, {"error": {"type": "rate_limit_error", "message": "slower"}}, {"Retry-After": "420"})
            case "silent":
                time.sleep(1)
                self.close_connection = True
            case "slow":
                time.sleep(0.2)
        return trouble

    def _say(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


@contextmanager
def fake_stripe() -> Iterator[FakeStripe]:
    """Serve one until the block ends."""
    with FakeStripe() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
