"""`ml-ids serve`: the service, until Ctrl-C."""

from __future__ import annotations

from types import FrameType
from typing import Annotated

import typer
import uvicorn

from alerting.prediction_log import POSITIVE
from inference_server.cli.reading import one_line_errors
from inference_server.settings import Settings, load_settings


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on; HOST when not given")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on; PORT when not given")] = None,
) -> None:
    """Capture, judge, log, and answer requests until Ctrl-C."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    with one_line_errors():
        settings = load_settings(**given)
    typer.echo(_where_to_look(settings))
    from inference_server.main import create_app

    server = _Server(
        uvicorn.Config(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    server.run()


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would break the stop off at the second Ctrl-C, and open flows would be lost.
        self.should_exit = True


def _where_to_look(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    return "\n".join(
        (
            f"ML-IDS on {url}    state: {url}/health    API: {url}/docs    Ctrl-C stops it",
            f"attacks:   tail -F {settings.log_dir / POSITIVE}",
            "models:    make mlflow-ui, then http://127.0.0.1:5000",
            "settings:  ml-ids check-config",
        )
    )
