"""The language of an answer: header, the person's preference, the browser's, the tenant's, English."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from common.formatting import active_language
from common.languages import STAFF_LANGUAGES, Language
from tenants.models import User


class LanguageMiddleware:
    """Activate one language for the request and no longer; say it in Content-Language."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with translation.override(asked_language(request) or settings.LANGUAGE_CODE):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", active_language())
        patch_vary_headers(response, ["Accept-Language", "Wayout-Locale"])
        return response


@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Keep the language somebody chose on a page: with the person, or in a cookie; then go back there."""
    chosen = supported(request.POST.get("language", ""))
    if chosen and isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(language=chosen)
    return set_language(request)


def asked_language(request: HttpRequest) -> str | None:
    """What the request itself asks for: header, stored preference, cookie, Accept-Language; None: nothing."""
    preferred = getattr(getattr(request, "user", None), "language", "")
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    wanted = [request.headers.get("Wayout-Locale", ""), preferred, chosen]
    wanted += [code for code, _quality in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    spoken = STAFF_LANGUAGES if request.path.startswith("/admin/") else Language
    return next((known for code in wanted if (known := supported(code, spoken))), None)


def supported(code: str, spoken: Iterable[Language] = Language) -> str | None:
    """Our language for a code such as bg, bg-BG or EN_us; None for one we do not speak."""
    base = code.strip().lower().replace("_", "-").split("-")[0]
    return next((language.value for language in spoken if language == base), None)
