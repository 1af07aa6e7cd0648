from django.db import Error, migrations, transaction


def add(apps, schema_editor):
    # Not Indexes of the model: SQLite has nulls first by itself and takes no word about it in an index, and a search
    # by parts of words needs an extension of PostgreSQL that the database's owner may not be allowed to install.
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    nulls = " NULLS FIRST" if on_postgresql else ""
    schema_editor.execute(
        f"CREATE INDEX user_by_activity ON subscriptions_directoryuser (tenant_id, last_active_at{nulls}, id)"
    )
    if on_postgresql:
        try:
            with transaction.atomic(using=schema_editor.connection.alias):
                schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                schema_editor.execute(
                    "CREATE INDEX user_by_search ON subscriptions_directoryuser USING gin (search_key gin_trgm_ops)"
                )
        except Error as error:
            print(f"\nNo index for searching users: {error}Searches in large tenants take longer; nothing else changes.")


def drop(apps, schema_editor):
    schema_editor.execute("DROP INDEX user_by_activity")
    schema_editor.execute("DROP INDEX IF EXISTS user_by_search")


class Migration(migrations.Migration):
    """A page of holders, least recently active first, and a search in them, in a tenant of any size."""

    dependencies = [("subscriptions", "0007_license_tally")]

    operations = [migrations.RunPython(add, drop)]
