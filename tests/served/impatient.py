"""The application as it is served, which waits three seconds for a body instead of ten."""

from portal import asgi

asgi._TIMEOUT = 3.0
application = asgi.application
