"""Django as a WSGI application. What serves it to the world is portal/asgi.py, which says why."""

import gc
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from common.starting import refused_in_a_sentence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Whatever is served ends; migrations and imports may take their time.
os.environ.setdefault("WAYOUT_STATEMENT_TIMEOUT", "10")
with refused_in_a_sentence():
    if settings.DEMO_BY_FILE:
        raise ImproperlyConfigured(
            "The .env of this folder makes it the demo's (WAYOUT_DEBUG=1), and the demo is served by make run. To serve"
            " something else, remove that file and say what, in the environment: docs/setup.md."
        )
    _answer = get_wsgi_application()
# All that is imported is imported before the first requests, which come at once and on many threads.
_ = get_resolver().url_patterns


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return _answer(environ, start_response)


# Python maps memory for its frames 16 KB at a time and unmaps it on the way back: a loop that calls over the end of such
# a piece asks the kernel at every call. A large answer was 1.24 times as slow for it as served, and between 1.0 and 1.5
# times at 24 depths of the stack, which every middleware moves. A function that claims this many slots gets a piece with
# space for all that it calls.
application.__code__ = application.__code__.replace(co_stacksize=20_000)

# What was loaded stays for good: looking through it again and again took a sixth of every large answer.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 100)
