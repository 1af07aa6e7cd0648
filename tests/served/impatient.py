"""The application as it is served, which waits three seconds for a body instead of ten, or of ten minutes."""

from portal import asgi

asgi._TIMEOUT = asgi._LONGEST_UPLOAD = 3.0
asgi._SILENCE = 1.5
application = asgi.application
