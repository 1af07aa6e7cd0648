"""What the trail calls things: one enum, used everywhere, with nothing in it that is never recorded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from django.contrib import admin

from billing.models import RefundStatus
from common.admin import AuditedAdmin
from tenants.actions import Action

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for app in ROOT.glob("*/apps.py")
    for path in app.parent.rglob("*.py")
    if "migrations" not in path.parts and path != ROOT / "tenants" / "actions.py"
]
# What takes an action, and what passes one on.
RECORDERS = {"record", "audit", "_audit", "audit_call", "audit_refund", "_hand_out", "_record"}


def test_no_action_is_written_as_text() -> None:
    texts = {
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _name(call.func) in RECORDERS
        for given in _actions(call)
        if any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(given))
    }
    assert not {text for text in texts if not text.startswith("billing/refunds/moves.py:")}
    assert len(texts) == 1  # there the name is made of a refund's status


def test_no_action_is_there_that_nobody_records() -> None:
    named = {
        node.attr
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and _name(node.value) == "Action"
    }
    recorded = {Action[name] for name in named} | set(_by_forms()) | set(_of_refunds())
    assert recorded == set(Action)


def _of_refunds() -> Iterator[Action]:
    """A refund begins as HELD, and never comes back to it."""
    yield from (Action(f"refund.{status.value.lower()}") for status in RefundStatus if status != RefundStatus.HELD)


def _by_forms() -> Iterator[Action]:
    yield Action.USER_PASSWORD_SET
    for made in admin.site._registry.values():
        # An endpoint is written down by the service.
        if isinstance(made, AuditedAdmin) and type(made).record_change is AuditedAdmin.record_change:
            yield from (Action(f"{made.trail_noun or made.opts.model_name}.{verb}") for verb in made.trail_verbs)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _actions(call: ast.Call) -> list[ast.expr]:
    """Given by name, or as the first or second argument."""
    return [k.value for k in call.keywords if k.arg == "action"] or call.args[:2]
