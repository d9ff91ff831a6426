"""What gradio does when it starts (6.31, blocks.py and networking.py): it serves, and asks itself before it goes on.

usage: a_server_that_asks_itself.py NAME…    Prints what httpx (as in gradio), requests and urllib get under each name.
"""

import http.server
import sys
import threading
import urllib.request

import httpx
import requests

ASK = (
    lambda url: httpx.get(f"{url}gradio_api/startup-events", timeout=5).status_code,
    lambda url: httpx.head(url, timeout=3, verify=False).status_code,
    lambda url: requests.get(url, timeout=5).status_code,
    lambda url: urllib.request.urlopen(url, timeout=5).status,
)


class Page(http.server.BaseHTTPRequestHandler):
    """An empty page at every address."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        """Say nothing."""


def answer(ask, url):
    """Return the status of the answer, or the name of the error where there was none."""
    try:
        return ask(url)
    except Exception as error:
        return getattr(error, "code", None) or type(error).__name__


server = http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name in sys.argv[1:]:
    print(name, *(answer(ask, f"http://{name}:7860/") for ask in ASK))
