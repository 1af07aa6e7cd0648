"""What the database itself refuses to do to the trail, whoever asks."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from common.triggers import allow_all, refuse, refuse_replacing, refuse_steps_back

_EVENTS, _PERSONAL = "tenants_auditevent", "tenants_auditpersonaldata"
# With their keys.
_HEADS = {"tenants_audithead": "tenant_id", "tenants_installationaudithead": "id"}


def protect(connection: BaseDatabaseWrapper) -> None:
    """Events stay, heads count on, personal data is erased or stays. Of those tables that are there."""
    there = set(connection.introspection.table_names())
    if _EVENTS in there:
        refuse(connection, _EVENTS, "UPDATE", "DELETE", "TRUNCATE")
        refuse_replacing(connection, _EVENTS, ("id",), ("tenant_id", "position"))
    if _PERSONAL in there:
        refuse(connection, _PERSONAL, "UPDATE", "TRUNCATE")
        refuse_replacing(connection, _PERSONAL, ("event_id",))
    for table in there.intersection(_HEADS):
        refuse(connection, table, "DELETE", "TRUNCATE")
        refuse_steps_back(connection, table, _HEADS[table], "position", "hash")
        refuse_replacing(connection, table, (_HEADS[table],))


def unprotect(connection: BaseDatabaseWrapper) -> None:
    """For tests that empty the database, or tamper."""
    for table in (_EVENTS, _PERSONAL, *_HEADS):
        allow_all(connection, table)
