"""The WSGI application of the two Django baselines."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.baselines.stock_settings"
application = get_wsgi_application()
