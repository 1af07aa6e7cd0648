"""An installation with one row and more behind every list of the admin, in states in which every button would do something."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.mfa.totp.internal.auth import TOTP
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client

from billing.models import ProviderNotice, Refund, RefundPart
from desk.models import CallbackRequest
from outbox.models import Task
from subscriptions.models import (
    CancellationPolicy,
    FactSource,
    Reconciliation,
    Removal,
    RemovalRequest,
    Subscription,
    SyncRun,
)
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from tenants.actions import Action
from tenants.callers import Scope
from tenants.models import PartnerToken, User
from tenants.people import SYSTEM
from tests.admin.test_admin import callback
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World
from webhooks.deliveries import audit
from webhooks.models import Delivery, Endpoint, Event

# Tenants last: a token that was revoked there ends what the others would do.
REGISTRY = dict(sorted(admin.site._registry.items(), key=lambda item: item[1].opts.app_label == "tenants"))
# What says nothing about what somebody did: sessions, and when somebody was last here.
_VOLATILE = {"last_used_at", "last_login"}
_APART = {"sessions.Session", "tenants.SignIn", "contenttypes.ContentType", "admin.LogEntry"}


def furnished(world: World) -> World:
    """The same, with one of everything."""
    for subscription in (world.subscription(3), world.subscription(4)):
        cancel(world, subscription)
    Refund.objects.filter(pk=Refund.objects.latest("pk").pk).update(status="FAILED")
    RefundPart.objects.filter(refund__status="FAILED").update(status="FAILED")
    for number in range(2):
        ProviderNotice.objects.create(
            provider="ledger",
            reference=f"re_{number}",
            reason="TOO_MUCH",
            agreement=Refund.objects.latest("pk").agreement,
            charge_id="c1",
            amount=5,
            said_at=NOW,
        )
    cancel(world, world.subscription(5))
    Refund.objects.filter(pk=Refund.objects.latest("pk").pk).update(status="SUBMITTED", provider="owed")
    RefundPart.objects.filter(refund__status="SUBMITTED").update(status="SENT")
    callback(world)
    closed = callback(world, 2)
    CallbackRequest.objects.filter(pk=closed.pk).update(status="WITHDRAWN", closed_at=NOW)
    terms = CancellationPolicy.objects.get()
    CancellationPolicy.objects.create(tenant=world.tenant, name=terms.name, version=1, created_at=NOW)
    world.token(Scope.WEBHOOKS)
    endpoint = Endpoint.objects.create(
        partner=PartnerToken.objects.get().partner, url="https://partner.example/hook", salt="x", created_at=NOW
    )
    audit(Action.WEBHOOK_REGISTERED, endpoint, SYSTEM, NOW)
    event = Event.objects.create(
        message_id="evt_1",
        key="1",
        type="refund.settled",
        tenant=world.tenant,
        subject="sub_0",
        version=1,
        at=NOW,
        data={},
    )
    Delivery.objects.create(endpoint=endpoint, event=event, status="DELIVERED", delivered_at=NOW)
    asked = world.subscription(1)
    made = RemovalRequest.objects.create(tenant=world.tenant, subscription=asked, requested_at=NOW)
    Removal.objects.create(request=made, license=asked.licenses.get(), requested_at=NOW)
    Subscription.objects.filter(pk=asked.pk).update(shares_licenses=True)
    host, _files = (
        FactSource.objects.create(tenant=world.tenant, key=key, name=key.title()) for key in ("host", "files")
    )
    Subscription.objects.filter(pk=asked.pk).update(source=host)
    SyncRun.objects.create(tenant=world.tenant, source=host, state="PAUSED", pieces=2, cursor=1, as_of=NOW)
    finding = Finding(FindingKind.REFUND_FAILED, str(Refund.objects.latest("pk").pk))
    Reconciliation.objects.create(
        since=NOW - timedelta(days=7), until=NOW, started_at=NOW, finished_at=NOW, findings=[finding.as_json()],
        counts={finding.kind.value: 1},
    )  # fmt: skip
    TOTP.activate(world.person(None), "A" * 32)
    Task.objects.update(status="GIVEN_UP", run_at=NOW - timedelta(days=1))
    return world


def tables() -> dict[str, list[Any]]:
    """All rows of all tables."""

    def rows(model: type[Model]) -> list[Any]:
        names = [field.attname for field in model._meta.concrete_fields if field.attname not in _VOLATILE]
        return list(model._default_manager.order_by("pk").values_list(*names))

    models = apps.get_models(include_auto_created=True)
    return {model._meta.label: rows(model) for model in models if model._meta.label not in _APART}


def member(world: World, *permissions: Permission, **given: Any) -> User:
    """A staff member with these permissions and no other."""
    user = world.person(None, is_staff=True, **given)
    user.user_permissions.set(permissions)
    return user


def who_looks(world: World) -> User:
    """A staff member who may see everything."""
    return member(world, *Permission.objects.filter(codename__startswith="view_"))


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
