#!/usr/bin/env python3
"""A small service to which data is passed on: it answers 202 and keeps what it got, one JSON object a line.

    upstream.py FILE      prints its port, then serves until it is ended
"""

import base64
import gzip
import http.server
import json
import sys


class Take(http.server.BaseHTTPRequestHandler):
    """Takes everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Keeps one request."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        kept = {
            "target": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": base64.b64encode(plain).decode(),
        }
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            file.write(json.dumps(kept) + "\n")
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Take) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
