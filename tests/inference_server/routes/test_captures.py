from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from capture.files import read_capture
from detection.mlflow_client import embedded_uri
from helpers.models import make_scorer
from helpers.packets import connection, pcap, pcapng, udp

PACKETS = [
    packet for n in range(40) for packet in (*connection(n * 20_000, 40_000 + n), udp(n * 20_000 + 5, 30))
]
CAPTURE = pcap(PACKETS)


@pytest.fixture(scope="module")
def client(
    serve: Callable[..., Any], champion_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    state = tmp_path_factory.mktemp("uploads-state")
    with serve(state_dir=state, mlflow_tracking_uri=embedded_uri(champion_state), upload_max_mb=80) as client:
        yield client


def send(client: httpx.Client, content: bytes, **params: str) -> dict[str, Any]:
    answer = client.post("/api/captures", content=content, params=params)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def finished(client: httpx.Client, upload_id: str) -> dict[str, Any]:
    verdicts(client, upload_id)
    return dict(client.get(f"/api/captures/{upload_id}").json())


def verdicts(client: httpx.Client, upload_id: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/api/captures/{upload_id}/verdicts", params=params)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture(scope="module")
def office(client: httpx.Client) -> dict[str, Any]:
    """An upload that is not deleted."""
    return send(client, CAPTURE, name="office.pcap")


def test_a_capture_is_metered_and_scored_as_a_file_is(
    client: httpx.Client, office: dict[str, Any], tmp_path: Path
) -> None:
    assert office["name"] == "office.pcap"
    found = verdicts(client, office["id"])  # follows until the end
    summary = finished(client, office["id"])
    (tmp_path / "office.pcap").write_bytes(CAPTURE)
    tables = list(read_capture(tmp_path / "office.pcap"))
    expected = [label for table in tables for label in make_scorer().score(table).labels().tolist()]
    assert [verdict["label"] for verdict in found] == expected
    assert [verdict["n"] for verdict in found] == list(range(1, len(expected) + 1))
    assert (summary["state"], summary["progress"], summary["error"]) == ("done", 1.0, None)
    assert summary["packets"] == len(PACKETS)
    assert summary["flows"] == len(expected) == sum(summary["by_class"].values())
    assert summary["attacks"] == sum(verdict["prediction"] != 0 for verdict in found)
    assert summary["sha256"] == hashlib.sha256(CAPTURE).hexdigest()
    assert (summary["bytes"], summary["dialect"]) == (len(CAPTURE), "improved")
    assert summary["model"]["version"] == "1"
    assert summary["seconds"] > 0


def test_a_form_a_put_and_compressed_captures_give_the_same(client: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "traffic.pcapng"
    file.write_bytes(pcapng(PACKETS))
    packed = tmp_path / "traffic.pcap.gz"
    packed.write_bytes(gzip.compress(CAPTURE))
    url = f"{client.base_url}/api/captures".replace("//api", "/api")
    sent = [["-F", "comment=x", "-F", f"file=@{file}"], ["-T", str(packed)], ["--data-binary", f"@{packed}"]]
    answers = [subprocess.run(["curl", "-sf", *way, url], capture_output=True, check=True) for way in sent]
    uploads = [json.loads(answer.stdout) for answer in answers]
    summaries = [finished(client, upload["id"]) for upload in uploads]
    assert {(each["state"], each["packets"], each["flows"]) for each in summaries} == {
        ("done", len(PACKETS), summaries[0]["flows"])
    }
    assert summaries[0]["name"] == "traffic.pcapng"


def test_verdicts_go_on_where_a_reader_stopped(client: httpx.Client, office: dict[str, Any]) -> None:
    everything = verdicts(client, office["id"])
    rest = verdicts(client, office["id"], after=10)
    assert rest == everything[10:]
    assert verdicts(client, office["id"], after=len(everything), follow=False) == []


def test_what_is_no_capture_fails_with_the_reason(client: httpx.Client) -> None:
    summary = finished(client, send(client, b"GIF89a, not packets at all", name="cat.gif")["id"])
    assert summary["state"] == "failed"
    assert summary["error"].startswith("cat.gif: not a pcap or pcapng capture")


def test_a_capture_that_is_cut_off_is_analysed_up_to_there(client: httpx.Client) -> None:
    summary = finished(client, send(client, CAPTURE[:-7], name="cut.pcap")["id"])
    assert (summary["state"], summary["packets"]) == ("done", len(PACKETS) - 1)
    assert "cut off inside a record" in summary["warnings"][0]


def test_a_bomb_is_stopped_by_its_ratio(client: httpx.Client) -> None:
    bomb = gzip.compress(CAPTURE[:24] + bytes(100_000_000), 9)
    summary = finished(client, send(client, bomb, name="bomb.pcap.gz")["id"])
    assert summary["state"] == "failed"
    assert "max_ratio = 250" in summary["error"]


def test_a_capture_that_is_too_long_is_refused(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(90):
            yield bytes(1_000_000)

    answer = client.post("/api/captures", content=bytes(81_000_000))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert "UPLOAD_MAX_MB" in answer.json()["detail"]
    assert client.post("/api/captures", content=endless()).status_code == 413


def test_no_body_and_no_file_are_refused(client: httpx.Client) -> None:
    assert client.post("/api/captures").status_code == 422
    form = client.post("/api/captures", files={"x": (None, b"text")})
    assert (form.status_code, "holds no file" in form.text) == (422, True)


def test_uploads_are_listed_and_deleted(client: httpx.Client) -> None:
    upload = send(client, CAPTURE)
    assert client.get("/api/captures").json()[0]["id"] == upload["id"]
    assert client.delete(f"/api/captures/{upload['id']}").status_code == 204
    for path in ("", "/verdicts"):
        assert client.get(f"/api/captures/{upload['id']}{path}").status_code == 404
    assert client.delete(f"/api/captures/{upload['id']}").status_code == 404


def test_uploads_raise_no_alerts(client: httpx.Client) -> None:
    health = client.get("/health").json()
    assert health["uploads"]["attacks"] > 0
    assert (health["alerts"]["opened"], health["scoring"]["captured"]) == (0, 0)


def test_without_a_model_captures_are_refused(serve: Callable[..., Any], tmp_path: Path) -> None:
    empty = {"state_dir": tmp_path, "mlflow_tracking_uri": f"sqlite:///{tmp_path}/empty.db"}
    with serve(ready=False, **empty) as client:
        assert client.post("/api/captures", content=CAPTURE).status_code == 503


def test_who_may_do_what(serve: Callable[..., Any], champion_state: Path, tmp_path: Path) -> None:
    keys = "siem:read:read-key,sensor:predict:predict-key,ops:admin:admin-key"
    registry = {"state_dir": tmp_path, "mlflow_tracking_uri": embedded_uri(champion_state)}
    with serve(**registry, api_keys=keys) as client:

        def status(method: str, path: str, key: str | None, content: bytes | None = None) -> int:
            headers = {"X-API-Key": f"{key}-key"} if key else {}
            return client.request(method, path, headers=headers, content=content).status_code

        assert [status("GET", "/api/captures", key) for key in (None, "read")] == [401, 200]
        for path in ("/api/captures", "/api/stream"):
            assert [status("POST", path, key, CAPTURE) for key in (None, "read")] == [401, 403]
        answer = client.put("/api/captures", headers={"X-API-Key": "predict-key"}, content=CAPTURE)
        place = answer.headers["location"]
        statuses = [status("DELETE", place, key) for key in ("read", "predict", "admin")]
        assert statuses == [403, 403, 204]
