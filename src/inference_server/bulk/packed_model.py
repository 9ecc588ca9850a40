"""A model on its way to other processes: the files of its package, checked again where they arrive."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from detection.model_uri import parse_model_uri
from detection.package import MANIFEST, load_package, served_files
from detection.scorer import Scorer
from inference_server.champion import configured_registry
from inference_server.operating_threshold import threshold_in_force
from inference_server.settings import Settings, export_library_variables


@dataclass(frozen=True, slots=True)
class PackedModel:
    """What a process needs to score as this one would.

    Attributes:
        name, version: in the registry.
        threshold: the operating threshold in force.
        allow_pickle: whether the code of an estimator without a compiled form may run.
        files: content of the package's files that serve, by name.
    """

    name: str
    version: str
    threshold: float
    allow_pickle: bool
    files: dict[str, bytes]

    @property
    def sha256(self) -> str:
        """The checksum of the manifest, which has those of all files."""
        return hashlib.sha256(self.files[MANIFEST]).hexdigest()

    def __str__(self) -> str:
        return f"{self.name} version {self.version}, threshold {self.threshold:.6g}"

    def scorer(self) -> Scorer:
        """Return the model, after its sums and its golden batch were checked in this process.

        Raises:
            ValueError: it does not work here; says why.
        """
        with tempfile.TemporaryDirectory(prefix="ml-ids-model-") as folder:
            for name, content in self.files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            loaded = load_package(
                Path(folder),
                model_name=self.name,
                model_version=self.version,
                allow_pickle=self.allow_pickle,
            )
        return loaded.with_threshold(self.threshold)


def packed_champion(settings: Settings) -> PackedModel:
    """Return the model that would serve, at the threshold that would be in force.

    Raises:
        OSError, ValueError: there is none; says why and what to do.
    """
    export_library_variables()
    registry = configured_registry(settings)
    with tempfile.TemporaryDirectory(prefix="ml-ids-model-") as text:
        folder = Path(text)
        try:
            version = registry.find(parse_model_uri(settings.mlflow_model_name))
        except LookupError as error:
            raise ValueError(str(error)) from None
        scorer = registry.load(version, folder)
        names = served_files((folder / MANIFEST).read_bytes())
        return PackedModel(
            version.name,
            version.number,
            threshold_in_force(settings, scorer).value,
            settings.allow_pickle_models,
            {name: (folder / name).read_bytes() for name in names},
        )
