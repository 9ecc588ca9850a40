"""A gateway before a model, as SageMaker's runtime is: it checks signatures, passes on, or misbehaves."""

from __future__ import annotations

import datetime
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from helpers.certificates import Pair

Answer = tuple[int, dict[str, str], bytes]
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[\w-]+)/(?P<service>\w+)/"
    r"aws4_request, SignedHeaders=(?P<signed>[\w;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass
class Gateway:
    """A running one.

    Attributes:
        address: host and port.
        answer: what requests get; tests replace it.
        requests: paths, headers and bodies that came.
    """

    address: str
    answer: Callable[[httpx.Request], Answer]
    requests: list[httpx.Request] = field(default_factory=list)


@contextmanager
def gateway(
    answer: Callable[[httpx.Request], Answer], tls: Pair | None = None, port: int = 0
) -> Iterator[Gateway]:
    """Serve on a free port of this machine, or a given one, by HTTPS with a certificate."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            scheme = "https" if tls else "http"
            url = f"{scheme}://{self.headers['host']}{self.path}"
            request = httpx.Request("POST", url, headers=list(self.headers.items()), content=body)
            running.requests.append(request)
            status, headers, content = running.answer(request)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that did not wait is no error."""

    server = Server(("127.0.0.1", port), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    running = Gateway(f"localhost:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


def passed_on(to: httpx.Client, path: str = "/invocations") -> Callable[[httpx.Request], Answer]:
    """Answer what another server answers to the same body."""

    def answer(request: httpx.Request) -> Answer:
        headers = {"content-type": request.headers["content-type"]}
        found = to.post(path, content=request.content, headers=headers)
        kept = {name: found.headers[name] for name in ("x-model-version",) if name in found.headers}
        return found.status_code, kept, found.content

    return answer


def after_signature(
    then: Callable[[httpx.Request], Answer], key: tuple[str, str], region: str
) -> Callable[[httpx.Request], Answer]:
    """Answer 403 to what is not signed with a key for SageMaker in a region, by botocore's own reckoning."""

    def answer(request: httpx.Request) -> Answer:
        problem = signature_problem(request, key, region)
        return (403, {}, problem.encode()) if problem else then(request)

    return answer


def signature_problem(request: httpx.Request, key: tuple[str, str], region: str) -> str:
    """What is wrong with a request's signature, "" when nothing is."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if not found:
        return "not signed"
    if (found["key"], found["region"], found["service"]) != (key[0], region, "sagemaker"):
        return f"signed as {found['key']} for {found['service']} in {found['region']}"
    if not {"content-type", "host", "x-amz-date"} <= set(found["signed"].split(";")):
        return f"only {found['signed']} are signed"
    stamp = datetime.datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(
        tzinfo=datetime.UTC
    )
    if abs(datetime.datetime.now(datetime.UTC) - stamp) > datetime.timedelta(minutes=5):
        return "signed at another time"
    signed = {name: request.headers[name] for name in found["signed"].split(";")}
    again = AWSRequest(request.method, str(request.url), headers=signed, data=request.content)
    again.context["timestamp"] = request.headers["x-amz-date"]
    botocore = SigV4Auth(Credentials(*key), "sagemaker", region)
    text = botocore.string_to_sign(again, botocore.canonical_request(again))
    return "" if botocore.signature(text, again) == found["signature"] else "another signature"


def numbers(*values: float) -> Callable[[httpx.Request], Answer]:
    """Answer these numbers, whatever comes."""
    return lambda _: (200, {}, f"[{', '.join(map(str, values))}]".encode())


def status(code: int, text: str = "") -> Callable[[httpx.Request], Answer]:
    """Answer with a status, whatever comes."""
    return lambda _: (code, {}, text.encode())


def slowly(seconds: float, then: Callable[[httpx.Request], Answer]) -> Callable[[httpx.Request], Answer]:
    """Let a request wait."""

    def answer(request: httpx.Request) -> Answer:
        time.sleep(seconds)
        return then(request)

    return answer


def by_row(judge: Callable[[dict[str, Any]], float], version: str = "") -> Callable[[httpx.Request], Answer]:
    """Answer what a function says of each row, NaN and infinities being None."""

    def answer(request: httpx.Request) -> Answer:
        content = json.loads(request.content)
        split = content.get("dataframe_split", content)
        said = [judge(dict(zip(split["columns"], row, strict=True))) for row in split["data"]]
        headers = {"x-model-version": version} if version else {}
        return 200, headers, json.dumps({"predictions": said}).encode()

    return answer
