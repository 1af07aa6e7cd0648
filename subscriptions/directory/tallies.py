"""Triggers that keep LicenseTally: how many hold a license of each subscription, whoever writes licenses or users.

Counting would cost with the tenant. Installed after every migrate, because SQLite drops the triggers of a table that a
migration remakes. Installing twice is harmless.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

_LICENSE, _USER, _TALLY = "subscriptions_license", "subscriptions_directoryuser", "subscriptions_licensetally"

# What one license adds, times the sign that is put in. One that a group hands out as well stays, whatever is requested.
_REMOVABLE = "({row}.is_direct AND NOT {row}.is_inherited)"
_PENDING = f"({_REMOVABLE} AND {{row}}.removal_requested_at IS NOT NULL)"
_ADDS = f"""{{sign}} ({{row}}.is_direct OR {{row}}.is_inherited)::int AS assigned,
 {{sign}} {_REMOVABLE}::int AS removable, {{sign}} {{row}}.is_inherited::int AS by_group,
 {{sign}} {_PENDING}::int AS pending"""
# One statement, so that subscriptions are locked in one order; by EXECUTE, so that it is planned for as many rows as
# there are this time and not for as few as there once were.
_CHANGE = """
CREATE OR REPLACE FUNCTION wayout_tally_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE $sql$
    INSERT INTO subscriptions_licensetally AS t (subscription_id, assigned, removable, by_group, pending)
    SELECT subscription_id, sum(assigned), sum(removable), sum(by_group), sum(pending) FROM ({deltas}) AS d
    GROUP BY subscription_id ORDER BY subscription_id
    ON CONFLICT (subscription_id) DO UPDATE SET assigned = t.assigned + excluded.assigned,
      removable = t.removable + excluded.removable, by_group = t.by_group + excluded.by_group,
      pending = t.pending + excluded.pending
  $sql$;
  RETURN NULL;
END $$
"""


def _of_licenses(table: str, sign: str, other: str = "") -> str:
    """What licenses of ``table`` add; of those that are in ``other`` and count alike there, nothing."""
    adds = _ADDS.format(row="l", sign=sign)
    # Most updates only say that it is still so.
    unless = (
        f" AND NOT EXISTS (SELECT FROM {other} o WHERE o.id = l.id AND o.user_id = l.user_id"
        " AND (o.subscription_id, o.is_direct, o.is_inherited, o.removal_requested_at IS NULL)"
        " = (l.subscription_id, l.is_direct, l.is_inherited, l.removal_requested_at IS NULL))"
    )
    return (
        f"SELECT l.subscription_id, {adds} FROM {table} l"  # noqa: S608 (our own names)
        f" JOIN {_USER} u ON u.id = l.user_id WHERE u.deleted_at IS NULL{unless if other else ''}"
    )


def _of_users() -> str:
    """Of users who were deleted or came back, what their licenses add or take away."""
    sign = "(CASE WHEN n.deleted_at IS NULL THEN 1 ELSE -1 END) *"
    adds = _ADDS.format(row="l", sign=sign)
    return (
        f"SELECT l.subscription_id, {adds} FROM gone o JOIN come n ON n.id = o.id"  # noqa: S608 (our own names)
        f" JOIN {_LICENSE} l ON l.user_id = n.id WHERE (o.deleted_at IS NULL) <> (n.deleted_at IS NULL)"
    )


_COME, _GONE = _of_licenses("come", "1 *"), _of_licenses("gone", "-1 *")
# Name: the table, the event, what changes, and the names of the rows before and after.
_POSTGRESQL = {
    "inserted": (_LICENSE, "INSERT", _COME, "NEW TABLE AS come"),
    "deleted": (_LICENSE, "DELETE", _GONE, "OLD TABLE AS gone"),
    "updated": (
        _LICENSE,
        "UPDATE",
        f"{_of_licenses('come', '1 *', 'gone')} UNION ALL {_of_licenses('gone', '-1 *', 'come')}",
        "OLD TABLE AS gone NEW TABLE AS come",
    ),
    "users": (_USER, "UPDATE", _of_users(), "OLD TABLE AS gone NEW TABLE AS come"),
}


def _step(row: str, sign: str, alive: str) -> str:
    removable, pending = _REMOVABLE.format(row=row), _PENDING.format(row=row)
    return f"""
    UPDATE {_TALLY} SET assigned = assigned {sign} ({row}.is_direct OR {row}.is_inherited),
      removable = removable {sign} {removable}, by_group = by_group {sign} {row}.is_inherited,
      pending = pending {sign} {pending}
    WHERE subscription_id = {row}.subscription_id AND {alive};
    """  # noqa: S608 (our own names)


def _alive(row: str) -> str:
    return f"(SELECT deleted_at FROM {_USER} WHERE id = {row}.user_id) IS NULL"  # noqa: S608 (our own names)


_ROW_FOR_NEW = (
    f"INSERT OR IGNORE INTO {_TALLY} (subscription_id, assigned, removable, by_group, pending)"  # noqa: S608 (our own names)
    " VALUES (NEW.subscription_id, 0, 0, 0, 0);"
)
_OF_USER = f"""
UPDATE {_TALLY} SET assigned = {_TALLY}.assigned + d.sign * d.assigned,
  removable = {_TALLY}.removable + d.sign * d.removable, by_group = {_TALLY}.by_group + d.sign * d.by_group,
  pending = {_TALLY}.pending + d.sign * d.pending
FROM (SELECT subscription_id AS id, sum(is_direct OR is_inherited) AS assigned,
             sum({_REMOVABLE.format(row="l")}) AS removable, sum(is_inherited) AS by_group,
             sum({_PENDING.format(row="l")}) AS pending, CASE WHEN NEW.deleted_at IS NULL THEN 1 ELSE -1 END AS sign
      FROM {_LICENSE} AS l WHERE user_id = NEW.id GROUP BY subscription_id) AS d
WHERE subscription_id = d.id;
"""  # noqa: S608 (our own names)
_SQLITE = {
    f"inserted AFTER INSERT ON {_LICENSE}": _ROW_FOR_NEW + _step("NEW", "+", _alive("NEW")),
    f"deleted AFTER DELETE ON {_LICENSE}": _step("OLD", "-", _alive("OLD")),
    f"updated AFTER UPDATE ON {_LICENSE}": (
        _ROW_FOR_NEW + _step("OLD", "-", _alive("OLD")) + _step("NEW", "+", _alive("NEW"))
    ),
    f"users AFTER UPDATE OF deleted_at ON {_USER} WHEN (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)": _OF_USER,
}


def keep_tallies(connection: BaseDatabaseWrapper) -> None:
    """Keep the tallies from now on."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for name, (table, verb, deltas, rows) in _POSTGRESQL.items():
                cursor.execute(_CHANGE.format(name=name, deltas=deltas))
                cursor.execute(
                    f"CREATE OR REPLACE TRIGGER wayout_tally_{name} AFTER {verb} ON {table} REFERENCING {rows}"
                    f" FOR EACH STATEMENT EXECUTE FUNCTION wayout_tally_{name}()"
                )
        else:
            for head, body in _SQLITE.items():
                # One of an earlier version counts less.
                cursor.execute(f"DROP TRIGGER IF EXISTS wayout_tally_{head.split()[0]}")
                cursor.execute(f"CREATE TRIGGER wayout_tally_{head} BEGIN {body} END")


def drop_tallies(connection: BaseDatabaseWrapper) -> None:
    """Keep them no longer: for a migration back, after which they are wrong or gone, and for any on SQLite."""
    there = connection.introspection.table_names()
    on_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        for name, (table, *_what) in _POSTGRESQL.items():
            if table in there:
                on_table = f" ON {table}" if on_postgresql else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS wayout_tally_{name}{on_table}")
