"""The limit: no framework, one SQL statement, one encoder. ``granian --interface asgi bench.contestants.bare:app``."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import orjson
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bench.contestants.rules import decide

_CALLER = """
SELECT array_agg(t.tenant_id) AS tenants FROM tenants_partnertoken p
JOIN tenants_partnertoken_tenants t ON t.partnertoken_id = p.id
WHERE p.digest = %s AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > now())
"""
_ROWS = """
SELECT s.id, coalesce(nullif(p.name, ''), p.part_number) AS name, s.base_status AS status, s.purchased_licenses,
       (SELECT count(*) FROM subscriptions_license l JOIN subscriptions_directoryuser u ON u.id = l.user_id
        WHERE l.subscription_id = s.id AND (l.is_direct OR l.is_inherited) AND u.deleted_at IS NULL) AS assigned
FROM subscriptions_subscription s JOIN subscriptions_plan p ON p.id = s.plan_id
WHERE s.tenant_id = ANY(%s) {more} ORDER BY s.id DESC LIMIT %s
"""
_pool: AsyncConnectionPool[Any] | None = None


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers the two queries of the benchmark, told apart by their variables."""
    global _pool
    if scope["type"] != "http":
        return
    if _pool is None:
        _pool = AsyncConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=10, open=False)
        await _pool.open()
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    variables = orjson.loads(body)["variables"]
    token = next(value for name, value in scope["headers"] if name == b"authorization")[7:]
    async with _pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_CALLER, [hashlib.sha256(token).hexdigest()])
        caller = await cursor.fetchone()
        one = variables.get("id")
        keys = [caller["tenants"], *([int(one[4:])] if one else []), 1 if one else variables["first"]]
        await cursor.execute(_ROWS.format(more="AND s.id = %s" if one else ""), keys)
        nodes = [_node(row) for row in await cursor.fetchall()]
    data = {"cancellationOptions": nodes[0]["cancellationOptions"]} if one else {"subscriptions": nodes}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": orjson.dumps({"data": data})})


def _node(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"sub_{row['id']}",
        "name": row["name"],
        "status": row["status"],
        "purchasedLicenses": row["purchased_licenses"],
        "assignedLicenses": row["assigned"],
        "cancellationOptions": decide(row["assigned"]),
    }
