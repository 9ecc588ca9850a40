from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.parquet_files import ParquetFlowWriter, read_parquet
from helpers.bulk import talk_to
from helpers.mlflow_server import s3_server
from helpers.models import typical_table
from inference_server.bulk import places
from inference_server.bulk.places import Place, place_named


@pytest.fixture(scope="module")
def server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(pytestconfig, tmp_path_factory.mktemp("s3") / "buckets", "scored") as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "folder":
        return place_named(f"{tmp_path}/out/")
    talk_to(monkeypatch, request.getfixturevalue("server"))
    return place_named(f"s3://scored/{tmp_path.name}")


def noted_file(path: Path, note: str) -> Path:
    with ParquetFlowWriter(path) as writer:
        writer.write(typical_table([0, 5, 17]))
        writer.note("said", note)
    return path


@pytest.mark.parametrize("first_read", [places.FOOTER_BYTES, 64])
def test_what_is_put_is_there_with_its_metadata(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_read: int
) -> None:
    monkeypatch.setattr(places, "FOOTER_BYTES", first_read)
    assert place.names() == frozenset()
    for note in ("first", "second"):
        place.put(noted_file(tmp_path / "made", note), "day 1/a.pcap.parquet")
        assert place.metadata("day 1/a.pcap.parquet")[b"said"] == note.encode()
    assert place.names() == {"day 1/a.pcap.parquet"}


def test_what_is_no_parquet_file_has_no_metadata(place: Place, tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"something else, and longer than a footer's length is")
    place.put(tmp_path / "made", "a")
    assert place.metadata("a") == {}


def test_what_is_not_there_is_told(place: Place) -> None:
    with pytest.raises(FileNotFoundError):
        place.metadata("none")


def test_a_folder_never_has_a_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_named(f"{tmp_path}/out/")
    place.put(noted_file(tmp_path / "made", "first"), "a.parquet")

    def torn(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:100])
        raise OSError("no space left")

    monkeypatch.setattr(places.shutil, "copyfile", torn)
    with pytest.raises(OSError, match="no space left"):
        place.put(noted_file(tmp_path / "made", "second"), "a.parquet")
    assert place.names() == {"a.parquet"}
    assert len(read_parquet(tmp_path / "out" / "a.parquet")) == 3
