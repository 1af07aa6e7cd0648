"""The WSGI application that web servers run: ``granian --interface wsgi portal.wsgi:application``."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Whatever is served ends; migrations and imports may take their time.
os.environ.setdefault("WAYOUT_STATEMENT_TIMEOUT", "10")
application = get_wsgi_application()

# What was loaded stays for good: looking through it again and again took a sixth of every large answer.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 100)
