"""Secrets are kept, encrypted: they were computed from the installation's key each time, and changed with it."""

import base64

from django.conf import settings
from django.core.management.base import CommandError
from django.db import migrations, models
from django.utils.crypto import salted_hmac

from common.keys import decrypt, encrypt, keys, oldest_id


def keep(apps, schema_editor):
    """Compute each once more, with the key that was the only one until now: the oldest, if another comes with this version."""
    key = keys()[oldest_id()]
    Endpoint = apps.get_model("webhooks", "Endpoint")
    for endpoint in Endpoint.objects.filter(secrets={}).iterator():
        endpoint.secrets = {}
        for salt in filter(None, (endpoint.salt, endpoint.previous_salt)):
            digest = salted_hmac("wayout.webhook", salt, secret=key, algorithm="sha256").digest()
            endpoint.secrets[salt] = encrypt("wayout.webhook", f"whsec_{base64.b64encode(digest).decode()}")
        # Not what a process of the version before rotates meanwhile: it has the salt for that.
        Endpoint.objects.filter(pk=endpoint.pk).update(secrets=endpoint.secrets)


def refuse_to_change(apps, schema_editor):
    """The version before computes secrets from its one key: partners would get signatures that they do not know."""
    Endpoint = apps.get_model("webhooks", "Endpoint")
    for endpoint in Endpoint.objects.exclude(secrets={}).iterator():
        for salt, kept in endpoint.secrets.items():
            for key in (settings.SECRET_KEY, keys()[oldest_id()]):
                digest = salted_hmac("wayout.webhook", salt, secret=key, algorithm="sha256").digest()
                if decrypt("wayout.webhook", kept) != f"whsec_{base64.b64encode(digest).decode()}":
                    raise CommandError(
                        "Nothing was migrated back: the version before would change secrets of webhooks, which were made with"
                        " another key than the current one. Remove those endpoints, or stay with this version."
                    )


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0002_languages")]

    operations = [
        migrations.AddField("endpoint", "secrets", models.JSONField(db_default={}, default=dict, editable=False)),
        migrations.RunPython(keep, refuse_to_change, elidable=False),
    ]
