"""`ml-ids serve`: the service, until Ctrl-C."""

from __future__ import annotations

import errno
import socket
from types import FrameType
from typing import Annotated, Final

import typer
import uvicorn

from alerting.prediction_log import POSITIVE
from inference_server.cli.reading import one_line_errors
from inference_server.settings import Settings, export_library_variables, load_settings
from inference_server.transports import check_transports
from inference_server.web.tls import server_context

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""

LONGEST_SOCKET_MESSAGE: Final = 1_000_000


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on; HOST when not given")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on; PORT when not given")] = None,
) -> None:
    """Capture, judge, log, and answer requests until Ctrl-C."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    with one_line_errors():
        settings = load_settings(**given)
        export_library_variables()
        check_transports(settings)
        context = server_context(settings)
        # Before anything starts: two services must not capture and write the same logs.
        listener = _listen(settings)
    typer.echo(_where_to_look(settings, listener.getsockname()[1]))
    from inference_server.main import create_app

    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        # Each subscriber of live alerts would have its own copy compressed, on the event loop.
        ws_per_message_deflate=False,
        ws_max_size=LONGEST_SOCKET_MESSAGE,
        timeout_graceful_shutdown=1,
        ssl_context_factory=(lambda *_: context) if context else None,
    )
    _Server(config).run([listener])


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would break the stop off at the second Ctrl-C, and open flows would be lost.
        self.should_exit = True


def _listen(settings: Settings) -> socket.socket:
    """Return a socket that listens at HOST and PORT.

    Raises:
        ValueError: that is not possible; names the setting to change.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found, key=lambda info: info[0] != socket.AF_INET)
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except PermissionError:
        raise ValueError(f"PORT={port}: not permitted; set PORT to 1024 or more") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ValueError(
                f"PORT={port}: another program listens on {host} port {port}; stop it, or set PORT to another"
            ) from None
        reason = error.strerror or str(error)
        raise ValueError(f"HOST={host}: {reason}; set HOST to an address of this machine") from None


def _where_to_look(settings: Settings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"{'https' if settings.tls_cert_file else 'http'}://{host}:{port}"
    return "\n".join(
        (
            f"ML-IDS on {url}    state: {url}/health    API: {url}/docs    Ctrl-C stops it",
            *([f"pages:     {url}/dashboard"] if settings.dashboard else []),
            f"attacks:   tail -F {settings.log_dir / POSITIVE}",
            "models:    make mlflow-ui, then http://127.0.0.1:5000",
            "settings:  ml-ids check-config",
        )
    )
