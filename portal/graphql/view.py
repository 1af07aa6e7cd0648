"""The HTTP door of the API: JSON in, JSON out, whatever comes."""

from __future__ import annotations

import json
from typing import Any

from cross_web import HTTPException
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from strawberry.django.views import GraphQLView
from strawberry.http import GraphQLHTTPResponse
from strawberry.types import ExecutionResult

from portal.graphql.context import Context, build_context
from portal.graphql.problems import coded
from portal.graphql.schema import schema


class ApiView(GraphQLView[Context, None]):
    """The stock view, with every refusal as JSON errors."""

    def should_render_graphql_ide(self, request: Any) -> bool:
        """There is no IDE here: it would need scripts from elsewhere."""
        return False

    def get_context(self, request: HttpRequest, response: HttpResponse) -> Context:
        """Identify the caller once per request."""
        return build_context(request)

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
        """The body, refused with a status of its own where Django or the decoder would fail."""
        try:
            return super().parse_http_body(request)
        except UnicodeDecodeError:
            raise HTTPException(400, _("The body is not JSON.")) from None
        except RequestDataTooBig:
            raise HTTPException(413, _("The body is too large.")) from None

    def process_result(self, request: HttpRequest, result: ExecutionResult) -> GraphQLHTTPResponse:
        """Every error leaves with a code."""
        if result.errors:
            result.errors = [coded(error) for error in result.errors]
        return super().process_result(request, result)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Run, and answer refusals as JSON with a code."""
        try:
            return self.run(request=request)
        except HTTPException as error:
            body = {"errors": [{"message": error.reason, "extensions": {"code": "INPUT_INVALID", "path": []}}]}
            return JsonResponse(body, status=error.status_code)


_view = ApiView.as_view(schema=schema, graphql_ide=None, multipart_uploads_enabled=False)
_view_for_sessions = csrf_protect(_view)


@csrf_exempt
def graphql(request: HttpRequest) -> HttpResponseBase:
    """Token callers need no CSRF token; a session's cookie never rides without one."""
    by_session = "Authorization" not in request.headers and settings.SESSION_COOKIE_NAME in request.COOKIES
    return (_view_for_sessions if by_session else _view)(request)
