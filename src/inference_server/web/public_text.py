"""What the service says to whoever asks: without the paths of its machine."""

from __future__ import annotations

from inference_server.settings import Settings


class PublicText:
    """Calls the service's directories by their settings: `STATE_DIR/mlflow.db`."""

    def __init__(self, settings: Settings) -> None:
        named = ((str(settings.log_dir), "LOG_DIR"), (str(settings.state_dir), "STATE_DIR"))
        # The longer one may lie in the other.
        self._named = sorted(named, key=lambda pair: len(pair[0]), reverse=True)

    def __call__(self, text: str) -> str:
        """Return a text, of JSON too, with names instead of paths."""
        for path, name in self._named:
            text = text.replace(path, name)
        return text
