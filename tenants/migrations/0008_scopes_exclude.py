"""What does not go on one token is refused by the database."""

import django.db.models.functions.comparison
import django.db.models.lookups
from django.db import migrations, models


def separate(apps, schema_editor):
    """A token that cancels does not pay: those that had both keep the older right."""
    PartnerToken = apps.get_model("tenants", "PartnerToken")
    for token in PartnerToken.objects.only("scopes").iterator():
        if {"CANCEL", "SETTLE"} <= set(token.scopes):
            token.scopes.remove("SETTLE")
            token.save(update_fields=["scopes"])


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0007_external_ids'),
    ]

    operations = [
        migrations.RunPython(separate, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='partnertoken',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"SYNC"'), models.Q(django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"CANCEL"'), django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"REMOVE_USERS"'), django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"SESSIONS"'), _connector='OR'), _negated=True), name='sync_excludes'),
        ),
        migrations.AddConstraint(
            model_name='partnertoken',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"SCIM"'), models.Q(django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"CANCEL"'), django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"REMOVE_USERS"'), django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"SESSIONS"'), _connector='OR'), _negated=True), name='scim_excludes'),
        ),
        migrations.AddConstraint(
            model_name='partnertoken',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"SETTLE"'), models.Q(django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"CANCEL"'), django.db.models.lookups.Contains(django.db.models.functions.comparison.Cast('scopes', models.TextField()), '"SESSIONS"'), _connector='OR'), _negated=True), name='settle_excludes'),
        ),
    ]
