"""``PUT /sync/tenants/<externalId>`` and ``GET /sync/runs/<id>``: facts of one tenant by the host's ids."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from tempfile import TemporaryFile
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from common.database import is_away
from common.errors import ExpectedError, InputInvalid, NotAuthenticated, NotFound, RateLimited, ScopeMissing
from common.messages import error_message
from common.rates import hit_rate_limit
from connectors.sync.bodies import Body, NotADocument
from subscriptions.directory import runs, work
from subscriptions.directory.document import Section
from subscriptions.directory.faults import Fault, Problem
from subscriptions.directory.newcomers import tenant_of
from subscriptions.directory.reading import BodyRefused, Document, lines_of
from subscriptions.directory.report import SyncReport, answer_of, problem_message
from subscriptions.models import SyncRun
from tenants.callers import Caller, Scope, with_included
from tenants.models import Tenant
from tenants.requests import from_request
from tenants.security import SecurityEvent, say
from tenants.tokens import caller_of_token, key_id_of

_STATUS: Mapping[str, int] = {
    "NOT_AUTHENTICATED": 401, "NOT_PERMITTED": 403, "NOT_FOUND": 404, "SYNC_RUNNING": 409, "RATE_LIMITED": 429,
}  # fmt: skip
_OF_PROBLEM: Mapping[str, int] = {Fault.TOO_LARGE: 413, Fault.TOO_MANY_ROWS: 413, Fault.STALE: 409}
_BAD, _WRONG_TYPE, _ACCEPTED = 400, 415, 202
# Where the tenant is said, of a document in lines.
BEGINNING = 1_000_000
View = Callable[..., HttpResponse]


def token_caller(request: HttpRequest) -> Caller:
    """The partner's token that comes with a request. Raises NotAuthenticated, ScopeMissing, RateLimited."""
    kind, _space, text = request.headers.get("Authorization", "").partition(" ")
    caller = caller_of_token(text.strip(), timezone.now()) if kind.lower() == "bearer" else None
    if caller is None:
        found = key_id_of(text.strip())
        say(SecurityEvent.BEARER_REFUSED, request, who=f"token:{found}" if found else "")
        raise NotAuthenticated
    limit = hit_rate_limit(settings.WAYOUT_CALLER_RATE, caller.kind, str(caller.id))
    if not limit.allowed:
        raise RateLimited(retry_after=limit.retry_after)
    if Scope.SYNC not in with_included(caller.scopes):
        raise ScopeMissing(scope=Scope.SYNC)
    return from_request(caller, request)


def may_send(header: str) -> bool:
    """Whether a header Authorization has a token that sends documents: asked before one of megabytes is taken.

    With a connection of its own, outside of any request. Where the database is away, the answer says so later.
    """
    kind, _space, text = header.partition(" ")
    try:
        caller = caller_of_token(text.strip(), timezone.now()) if kind.lower() == "bearer" else None
    except DatabaseError as error:
        return is_away(error)
    finally:
        connection.close()
    return caller is not None and Scope.SYNC in caller.scopes


def answers_problems(view: View) -> View:
    """Have what is expected to go wrong answered as problems, each with path, line, code and a sentence."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **given: Any) -> HttpResponse:
        try:
            return view(request, *args, **given)
        except ExpectedError as error:
            said = {"path": ".".join(error.path), "line": None, "code": error.code, "message": error_message(error)}
            response = JsonResponse({"problems": [said]}, status=_STATUS.get(error.code, _BAD))
            if retry_after := getattr(error, "retry_after", None):
                response["Retry-After"] = str(retry_after)
            return response
        except BodyRefused as error:
            return refused([error.problem])
        except runs.DocumentRefused as error:
            return refused(error.problems)
        except NotADocument:
            said = {
                "path": "", "line": None, "code": InputInvalid.code,
                "message": _("Send application/json or application/x-ndjson, as it is or packed by gzip."),
            }  # fmt: skip
            return JsonResponse({"problems": [said]}, status=_WRONG_TYPE)

    return answer


def refused(problems: Iterable[Problem]) -> HttpResponse:
    """Nothing was taken of a document, and why."""
    found = list(problems)
    said = [
        {"path": one.path, "line": one.line, "code": str(one.code), "message": problem_message(one)} for one in found
    ]
    return JsonResponse({"problems": said}, status=max(_OF_PROBLEM.get(one.code, _BAD) for one in found))


@csrf_exempt
@require_http_methods(["PUT"])
@answers_problems
def sync_tenant(request: HttpRequest, external_id: str) -> HttpResponse:
    """Take in a document: 200 with the report of a short one, 202 with the address of the run of a long one."""
    caller = token_caller(request)
    dry_run = _flag(request, "dryRun")
    tenant = _tenant(caller, external_id)
    body = Body.of(request)
    try:
        if body.short is not None:
            return JsonResponse(answer_of(_now(request, caller, tenant or external_id, body, dry_run=dry_run)))
    except runs.LongDocument:
        pass
    run = _later(caller, tenant or external_id, body, dry_run=dry_run)
    response = JsonResponse(_run(run), status=_ACCEPTED)
    response["Location"] = reverse("sync_run", args=[run.public_id])
    return response


def _flag(request: HttpRequest, name: str) -> bool:
    if unknown := set(request.GET) - {name}:
        raise InputInvalid(*sorted(unknown)[:1])
    said = request.GET.get(name, "false")
    if said not in ("true", "false"):
        raise InputInvalid(name)
    return said == "true"


def _tenant(caller: Caller, external_id: str) -> Tenant | None:
    """The tenant, or None where the token may bring new ones. Raises NotFound."""
    found = Tenant.objects.filter(external_id=external_id).first() if external_id else None
    if found is not None and caller.sees(found.pk):
        return found
    if found is None and caller.of_installation:
        return None
    raise NotFound("externalId")


def _now(request: HttpRequest, caller: Caller, whom: Tenant | str, body: Body, *, dry_run: bool) -> SyncReport:
    now, content = timezone.now(), body.short or b""
    with transaction.atomic(durable=True):
        tenant = tenant_of(whom, content, is_ndjson=body.is_ndjson, caller=caller, now=now)
        run = _open(caller, tenant, body, dry_run=dry_run)
        document = Document(lines_of([content]), body.is_ndjson, tenant.zone)
        report = runs.sync_now(run, document, caller=caller, now=now)
        transaction.set_rollback(dry_run)
    return report


def _later(caller: Caller, whom: Tenant | str, body: Body, *, dry_run: bool) -> SyncRun:
    """Keep a long document. Of a customer that nobody knows yet it is looked through first: a refused one leaves nobody."""
    if isinstance(whom, Tenant):
        run = _open(caller, whom, body, dry_run=dry_run)
        work.receive(run, body.pieces, timezone.now())
        return run
    if dry_run:
        raise BodyRefused(Problem(Fault.TENANT_NEEDED, Section.TENANT))
    with TemporaryFile() as file:
        file.writelines(body.pieces)
        file.seek(0)
        start = file.read(BEGINNING if body.is_ndjson else -1)
        with transaction.atomic(durable=True):
            tenant = tenant_of(whom, start, is_ndjson=body.is_ndjson, caller=caller, now=timezone.now())
            run = _open(caller, tenant, body, dry_run=dry_run)
        file.seek(0)
        work.receive(run, iter(partial(file.read, BEGINNING), b""), timezone.now())
    return run


def _open(caller: Caller, tenant: Tenant, body: Body, *, dry_run: bool) -> SyncRun:
    source = runs.source_of(tenant, f"partner:{caller.partner}", caller.name)
    return runs.open_run(
        source=source, token_id=caller.token_id, dry_run=dry_run, now=timezone.now(), is_ndjson=body.is_ndjson
    )


@require_http_methods(["GET", "HEAD"])
@answers_problems
def sync_run(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """How far a run has come, and its report. One of another partner's is not there."""
    caller = token_caller(request)
    run = SyncRun.objects.select_related("tenant", "source").filter(public_id=run_id).first()
    if run is None or not caller.sees(run.tenant_id) or run.source.key != f"partner:{caller.partner}":
        raise NotFound("id")
    return JsonResponse(_run(run))


def _run(run: SyncRun) -> dict[str, Any]:
    return {
        "id": str(run.public_id),
        "state": run.state,
        "tenant": run.tenant.external_id,
        "dryRun": run.dry_run,
        "asOf": run.as_of,
        "progress": {"rows": run.rows, "pieces": run.pieces, "applied": run.cursor},
        "receivedAt": run.created_at,
        "finishedAt": run.finished_at,
        "report": answer_of(SyncReport.from_json(run.report)) if run.report else None,
    }
