"""The HTTP entry point of the API, by the GraphQL over HTTP specification: JSON in, JSON out, whatever comes."""

from __future__ import annotations

import functools
import json
import time
from typing import Any

import orjson
from cross_web import HTTPException
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from graphql import GraphQLError
from strawberry.django.views import GraphQLView
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult

from common.database import is_away
from common.errors import InputInvalid, RateLimited
from common.messages import error_message
from common.rates import RateLimitStatus
from portal.accounts.callers import page_cookie
from portal.graphql.context import RATE_LIMIT_STATUS, Context, TooManyRequests, build_context
from portal.graphql.errors import coded
from portal.graphql.limits import LimitExceeded
from portal.graphql.persisted import PersistedQueryNotFound, recall, remember
from portal.graphql.schema import schema
from portal.graphql.timeouts import RequestTimeout, deadline
from portal.web.outages import UNAVAILABLE, ask_again
from tenants.requests import RETRY_AFTER

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"


class ApiView(GraphQLView[Context, None]):
    """The stock view, with the statuses and media types of the specification and every refusal as JSON errors."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Run, and answer refusals as JSON with a code."""
        try:
            self._refuse_what_is_not_ours(request)
            with deadline(settings.REQUEST_TIMEOUT) as self._deadline:
                return self.run(request=request)
        except TooManyRequests as refused:
            limited = RateLimited(retry_after=refused.rate_limit.retry_after)
            request.META[RETRY_AFTER] = limited.retry_after
            return _with_standing(_errors(error_message(limited), limited.code, 429), request)
        except PersistedQueryNotFound:
            return _errors("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND", 200)
        except HTTPException as error:
            response = _errors(error.reason, InputInvalid.code, error.status_code)
            if error.status_code == 405:
                response["Allow"] = "POST" if request.method == "GET" else "GET, POST"
            return response
        except Exception as error:
            # Outside execution, for example while the caller is identified; inside it coded() sees to it.
            failed = JsonResponse({"errors": [coded(GraphQLError("", original_error=error)).formatted]}, status=500)
            if is_away(error):
                return ask_again(failed)
            failed.status_code = 503 if isinstance(error, RequestTimeout) else 500
            return failed

    def should_render_graphql_ide(self, request: Any) -> bool:
        """There is no IDE here: it would need scripts from elsewhere."""
        return False

    def get_context(self, request: HttpRequest, response: HttpResponse) -> Context:
        """Identify the caller once per request."""
        self._context = build_context(request, self._deadline)
        return self._context

    def encode_json(self, data: object) -> str | bytes:
        """UTF-8, with Cyrillic in two bytes a letter and not in six."""
        try:
            return orjson.dumps(data)
        except TypeError:
            # Half a surrogate, for example, in the echo of a bad document.
            return super().encode_json(data)

    def decode_json(self, data: str | bytes) -> object:
        """A JSON object; anything else is a bad request, also what json itself chokes on."""
        try:
            decoded = json.loads(data)
        except (ValueError, RecursionError):
            raise HTTPException(400, _("The body is not JSON.")) from None
        if not isinstance(decoded, dict):
            raise HTTPException(400, _("The body is not a JSON object."))
        return decoded

    def parse_http_body(self, request: Any) -> Any:
        """The request, refused with a status of its own where Django or the decoder would fail."""
        try:
            asked = super().parse_http_body(request)
        except UnicodeDecodeError:
            raise HTTPException(400, _("The body is not JSON.")) from None
        except RequestDataTooBig:
            raise HTTPException(413, _("The body is too large.")) from None
        assert isinstance(asked, GraphQLRequestData)  # decode_json lets no list through
        if not isinstance(asked.operation_name, str | None):
            raise HTTPException(400, _("The operation's name is not a string."))
        if asked.query is None:
            asked.query = recall(asked.extensions)
        return asked

    def execute_single(
        self, request: Any, request_adapter: Any, sub_response: Any, context: Any, root_value: Any,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:  # fmt: skip
        """A mutation by GET is a method that is not allowed; a document that works may be asked for by its hash."""
        self._deadline.executing = True
        try:
            result = super().execute_single(request, request_adapter, sub_response, context, root_value, request_data)
        except HTTPException as error:
            if isinstance(error.__cause__, InvalidOperationTypeError):
                raise HTTPException(405, error.reason) from error
            raise
        if context.identified and not _is_request_error(result):
            remember(request_data.query, request_data.extensions)
        return result

    def process_result(self, request: HttpRequest, result: ExecutionResult) -> GraphQLHTTPResponse:
        """Every error leaves with a code. A request that was never executed has no data."""
        never_executed = _is_request_error(result)
        if result.errors:
            result.errors = [coded(error) for error in result.errors]
        body = super().process_result(request, result)
        if never_executed and self._media_type == GRAPHQL_RESPONSE:
            del body["data"]
        return body

    def create_response(self, response_data: Any, sub_response: HttpResponse) -> HttpResponseBase:
        """In the media type asked for; 400 for a request error where that type can say so."""
        response = super().create_response(response_data, sub_response)
        limit = settings.GRAPHQL_LIMITS["bytesSignedOut"]
        if self._context.identified is None and len(getattr(response, "content", b"")) > limit:
            refused = LimitExceeded("bytesSignedOut", limit)
            return _errors(refused.message, InputInvalid.code, 400)
        response["Content-Type"] = f"{self._media_type}; charset=utf-8"
        if self._media_type == GRAPHQL_RESPONSE and "data" not in response_data:
            response.status_code = 400
        if any(error["extensions"]["code"] == UNAVAILABLE for error in response_data.get("errors", ())):
            ask_again(response)
        return _with_standing(response, self.request)

    def _refuse_what_is_not_ours(self, request: HttpRequest) -> None:
        if request.method not in ("GET", "POST"):
            raise HTTPException(405, _("Only GET and POST are answered here."))
        media_type = _preferred(request.headers.get("Accept", "*/*"))
        if media_type is None:
            raise HTTPException(406, _("Only application/json and application/graphql-response+json are spoken here."))
        self._media_type = media_type.partition(";")[0]
        charset = (request.content_params or {}).get("charset", "utf-8").lower().strip('"')
        if request.method == "POST" and (request.content_type != JSON or charset not in ("utf-8", "utf8")):
            raise HTTPException(415, _("The body must be application/json in UTF-8."))


@functools.lru_cache(maxsize=200)
def _preferred(accept: str) -> str | None:
    """Which of our media types an Accept header likes best. Reading one costs more than a small query."""
    asked = HttpRequest()
    asked.META["HTTP_ACCEPT"] = accept
    spoken = [kind + charset for kind in (JSON, GRAPHQL_RESPONSE) for charset in ("", "; charset=utf-8")]
    return asked.get_preferred_type(spoken)


def _is_request_error(result: ExecutionResult) -> bool:
    """Whether nothing was executed: the document or its variables were wrong."""
    return bool(result.errors) and result.data is None and all(error.path is None for error in result.errors or ())


def _with_standing(response: HttpResponseBase, request: HttpRequest) -> HttpResponseBase:
    """Say how often the caller may still ask."""
    rate_limit: RateLimitStatus | None = request.META.get(RATE_LIMIT_STATUS)
    if rate_limit:
        response["RateLimit-Limit"] = str(rate_limit.limit)
        response["RateLimit-Remaining"] = str(rate_limit.remaining)
        response["RateLimit-Reset"] = str(max(0, round(rate_limit.reset_at - time.time())))
    return response


def _errors(message: str, code: str, status: int) -> JsonResponse:
    body = {"errors": [{"message": message, "extensions": {"code": code, "path": []}}]}
    return JsonResponse(body, status=status, json_dumps_params={"ensure_ascii": False})


_view = ApiView.as_view(schema=schema, graphql_ide=None, multipart_uploads_enabled=False)
_view_for_sessions = csrf_protect(_view)


@csrf_exempt
def graphql(request: HttpRequest) -> HttpResponseBase:
    """Token callers need no CSRF token; a session's cookie never rides without one."""
    by_cookie = not request.COOKIES.keys().isdisjoint((settings.SESSION_COOKIE_NAME, page_cookie()))
    by_session = "Authorization" not in request.headers and by_cookie
    return (_view_for_sessions if by_session else _view)(request)
