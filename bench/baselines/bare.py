"""The limit: no framework, one SQL statement, one encoder. ``granian --interface asgi bench.baselines.bare:app``."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import orjson
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bench.baselines.rules import decide

_CALLER = """
SELECT array_agg(t.tenant_id) AS tenants, p.scopes ? 'CANCEL' AS may_act FROM tenants_partnertoken p
JOIN tenants_partnertoken_tenants t ON t.partnertoken_id = p.id
WHERE p.digest = %s AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > now()) GROUP BY p.id
"""
_ROWS = """
SELECT s.id, coalesce(nullif(p.name, ''), p.part_number) AS name, s.base_status AS status, s.purchased_licenses,
       s.is_trial, s.term_months, s.tenant_id, t.name AS tenant_name, t.time_zone, h.assigned, h.by_group,
       b.payment_methods_known,
       EXISTS (SELECT 1 FROM billing_paymentmethod m WHERE m.account_id = b.id AND m.is_active) AS has_method,
       c.name AS policy, c.version, c.online_license_limit, c.limit_is_inclusive
FROM subscriptions_subscription s JOIN subscriptions_plan p ON p.id = s.plan_id
JOIN tenants_tenant t ON t.id = s.tenant_id
JOIN billing_agreement a ON a.id = s.agreement_id JOIN billing_billingaccount b ON b.id = a.account_id
JOIN LATERAL (SELECT * FROM subscriptions_cancellationpolicy c
              WHERE c.in_force AND (c.tenant_id = s.tenant_id OR c.tenant_id IS NULL)
              ORDER BY c.tenant_id NULLS LAST LIMIT 1) c ON true
JOIN LATERAL (SELECT count(*) AS assigned, count(*) FILTER (WHERE l.is_inherited) AS by_group
              FROM subscriptions_license l JOIN subscriptions_directoryuser u ON u.id = l.user_id
              WHERE l.subscription_id = s.id AND (l.is_direct OR l.is_inherited) AND u.deleted_at IS NULL) h ON true
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
        nodes = [_node(row, caller["may_act"]) for row in await cursor.fetchall()]
    data = {"cancellationOptions": nodes[0]["cancellationOptions"]} if one else {"subscriptions": nodes}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": orjson.dumps({"data": data})})


def _node(row: dict[str, Any], may_act: bool) -> dict[str, Any]:
    return {
        "id": f"sub_{row['id']}",
        "name": row["name"],
        "tenant": {"id": f"ten_{row['tenant_id']}", "name": row["tenant_name"], "timeZone": row["time_zone"]},
        "status": row["status"],
        "isTrial": row["is_trial"],
        "purchasedLicenses": row["purchased_licenses"],
        "assignedLicenses": row["assigned"],
        "termMonths": row["term_months"],
        "cancellationOptions": decide(
            assigned=row["assigned"],
            by_group=row["by_group"],
            purchased=row["purchased_licenses"],
            is_trial=row["is_trial"],
            has_method=row["has_method"],
            methods_known=row["payment_methods_known"],
            limit=row["online_license_limit"],
            is_inclusive=row["limit_is_inclusive"],
            policy=row["policy"],
            version=row["version"],
            may_act=may_act,
        ),
    }
