"""The WSGI application that web servers run: ``granian --interface wsgi portal.wsgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Whatever is served ends; migrations and imports may take their time.
os.environ.setdefault("WAYOUT_STATEMENT_TIMEOUT", "10")
application = get_wsgi_application()
