"""The folders that SageMaker mounts into a container."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PREFIX: Final = Path("/opt/ml")
FAILED: Final = 255
"""The exit code of a training that failed, by which SageMaker knows."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where SageMaker puts what a container reads, and looks for what it writes."""

    prefix: Path = PREFIX

    @property
    def hyperparameters(self) -> Path:
        """The file of parameters; its values are texts."""
        return self.prefix / "input" / "config" / "hyperparameters.json"

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz, and where a serving container finds it."""
        return self.prefix / "model"

    @property
    def failure(self) -> Path:
        """The file that says why a training failed."""
        return self.prefix / "output" / "failure"

    def data(self) -> tuple[Path, Path, Path]:
        """Return the files of the channels training, validation and testing.

        Raises:
            FileNotFoundError: one is not there.
        """
        channels = {"training": "train", "validation": "val", "testing": "test"}
        paths = [self.prefix / "input" / "data" / name / f"{file}.h5" for name, file in channels.items()]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path}: is not there: give the channel {path.parent.name} that file"
                )
        training, validation, testing = paths
        return training, validation, testing
