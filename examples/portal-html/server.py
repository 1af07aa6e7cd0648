"""A portal's own server: hands out the page and the element, and sends the element's requests on with its token.

WAYOUT=http://127.0.0.1:8000 WAYOUT_TOKEN=wyo_... python3 server.py 8080
Python's standard library is enough. A real portal checks here who is signed in, and which account they may see.
"""

import os
import sys
import urllib.error
import urllib.request
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
ELEMENT = HERE.parent.parent / "frontend" / "src"
WAYOUT = os.environ.get("WAYOUT", "http://127.0.0.1:8000")
TOKEN = os.environ.get("WAYOUT_TOKEN", "")
PASSED_ON = ("Content-Type", "Accept", "Wayout-Locale")


class Portal(SimpleHTTPRequestHandler):
    """Files of this folder, /element/ from the package, /billing/ to Wayout."""

    def translate_path(self, path):
        """Where a file is."""
        root = ELEMENT if path.startswith("/element/") else HERE
        self.directory = str(root)
        return super().translate_path(path.removeprefix("/element"))

    def do_GET(self):
        """A receipt from Wayout, or a file."""
        return self.send_on(None) if self.path.startswith("/receipts/") else super().do_GET()

    def do_POST(self):
        """GraphQL, sent on with the token."""
        if self.path != "/billing/graphql":
            return self.send_error(404)
        return self.send_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def send_on(self, body):
        """Ask Wayout and give its answer back."""
        address = WAYOUT + ("/graphql/" if body is not None else self.path)
        headers = {name: self.headers[name] for name in PASSED_ON if self.headers[name]}
        request = urllib.request.Request(address, body, {**headers, "Authorization": f"Bearer {TOKEN}"})
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as refused:
            answer = refused
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self):
        """As strict as a portal should be."""
        self.send_header("Content-Security-Policy", "default-src 'self'")
        super().end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Portal).serve_forever()
