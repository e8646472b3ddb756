"""A server that accepts whatever a tracer sends, on a free loopback port that it prints first."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INFO = {
    "version": "1.0.0",
    "instance_flags": {},
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
        "scale_up_nthreads_limit": 16,
        "scale_up_qsize_trigger": 1000,
    },
}


class Accept(BaseHTTPRequestHandler):
    """200 and an empty object to everything; LangSmith's clients first ask what the server can."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = self.headers.get("Content-Length")
        if length is not None:
            self.rfile.read(int(length))
        elif self.headers.get("Transfer-Encoding", "") == "chunked":
            while size := int(self.rfile.readline().strip() or b"0", 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        body = json.dumps(INFO if self.path.endswith("/info") else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the benchmark's output is a table."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Accept)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
