"""Uploads on disk: a folder each below STATE_DIR/uploads."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from inference_server.uploads.upload import Upload

RECORD: Final = "upload.json"
CAPTURE: Final = "capture"
VERDICTS: Final = "verdicts.ndjson"

logger = logging.getLogger(__name__)


class Shelf:
    """The folder of all uploads; made when the first one comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def capture(self, upload_id: str) -> Path:
        """Return where an upload's capture is until it was analysed."""
        return self.folder / upload_id / CAPTURE

    def verdicts(self, upload_id: str) -> Path:
        """Return where the verdicts of its flows are, one JSON object a line."""
        return self.folder / upload_id / VERDICTS

    def save(self, upload: Upload) -> None:
        """Keep the state of an upload.

        Raises:
            OSError: it cannot be written.
        """
        place = self.folder / upload.id
        place.mkdir(parents=True, exist_ok=True)
        unfinished = place / f".{RECORD}"
        unfinished.write_text(upload.model_dump_json(), encoding="utf-8")
        os.replace(unfinished, place / RECORD)

    def load(self) -> Iterator[Upload]:
        """Yield every upload there is, the oldest first; what cannot be read is deleted."""
        found = []
        for place in self.folder.glob("*/"):
            try:
                found.append(Upload.model_validate_json((place / RECORD).read_bytes()))
            except (OSError, ValueError) as error:
                logger.warning("the upload %s cannot be read and is deleted: %s", place.name, error)
                shutil.rmtree(place, ignore_errors=True)
        yield from sorted(found, key=lambda upload: upload.received)

    def delete(self, upload_id: str) -> None:
        """Delete all files of an upload."""
        shutil.rmtree(self.folder / upload_id, ignore_errors=True)

    def files(self) -> Iterator[Path]:
        """Yield the files of all uploads."""
        # Unlike a glob, it does not mind a folder that goes while it looks.
        for folder, _, names in os.walk(self.folder):
            yield from (Path(folder, name) for name in names)

    def bytes(self) -> int:
        """Return what all files take."""
        total = 0
        for path in self.files():
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue
        return total

    def free_bytes(self) -> int:
        """Return what the disk has room for."""
        place = self.folder
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free
