from __future__ import annotations

import asyncio
import json
import subprocess
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pandas as pd
import pytest
from mlflow.utils.proto_json_utils import dump_input_data

from alerting.prediction_log import PredictionLog
from alerting.sink import Sink
from detection.worker import ScoringWorker
from flows.schema import COMMON
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.cicflowmeter import posted_record
from helpers.extractor import extractor_environment
from helpers.flows import flow_table, record
from helpers.models import make_scorer, typical_flow
from helpers.server import wait_until
from inference_server.predict import EXPLAINED_FLOWS, Predictor
from inference_server.routes.api_models import Predictions, Problem
from inference_server.web.errors import BusyError, ModelNotAvailableError
from inference_server.web.request_body import Body

HULK, PORTSCAN = 5, 17
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "verdict.schema.json").read_text())


def _flow(code: int) -> dict[str, Any]:
    """A flow of a class whose rates do not contradict its duration, as those of `typical_flow` would."""
    return typical_flow(code) | dict.fromkeys(("flow_iat_mean", "flow_pkts_s", "flow_byts_s"), 0.0)


def _predict(client: httpx.Client, body: Any, **options: Any) -> dict[str, Any]:
    answer = client.post("/predict", json=body, **options)
    assert answer.status_code == 200, answer.text
    Predictions.model_validate(answer.json())
    return dict(answer.json())


def _problem(client: httpx.Client, status: int, **options: Any) -> dict[str, Any]:
    answer = client.post("/predict", **options)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def test_one_flow(client: httpx.Client) -> None:
    answer = _predict(client, _flow(HULK))
    assert (answer["prediction"], answer["label"]) == ([HULK], ["DoS Hulk"])
    assert answer["probability"][0] >= answer["threshold"] == 0.5
    assert answer["model"] == {"name": "ml-ids", "version": "1"}
    assert answer["warnings"] == []


def test_a_list_of_flows_keeps_its_order(client: httpx.Client) -> None:
    answer = _predict(client, [_flow(code) for code in (PORTSCAN, 0, HULK, 0)])
    assert answer["prediction"] == [PORTSCAN, 0, HULK, 0]
    assert answer["label"] == ["Portscan", "benign", "DoS Hulk", "benign"]


def test_verdicts_are_the_one_object(client: httpx.Client) -> None:
    sent = _flow(HULK) | {"src_ip": "10.1.2.3", "dst_port": 80, "timestamp": "2017-07-07 13:00:00"}
    answer = _predict(client, sent)
    (verdict,) = answer["verdicts"]
    jsonschema.validate(verdict, SCHEMA)
    assert (verdict["source"], verdict["sensor"], verdict["src_ip"]) == ("api", "sensor-1", "10.1.2.3")
    assert verdict["p_attack"] == answer["probability"][0]


@pytest.mark.parametrize("spelling", ["cic_2017", "cic_2018", "cic_v4", "python_key"])
def test_any_spelling(client: httpx.Client, spelling: str) -> None:
    flow = _flow(HULK)
    body = {getattr(feature, spelling): flow[feature.name] for feature in COMMON}
    assert _predict(client, body)["prediction"] == [HULK]


def test_an_insufficient_flow(client: httpx.Client) -> None:
    answer = _predict(client, _flow(HULK) | {"flow_duration": 0})
    assert (answer["prediction"], answer["label"]) == ([0], ["insufficient"])
    assert answer["probability"] == [None]


def test_infinities_may_be_sent_as_python_writes_them(client: httpx.Client) -> None:
    body = json.dumps(_flow(HULK) | {"flow_byts_s": float("inf")}).encode()
    answer = client.post("/predict", content=body)
    assert answer.status_code == 200
    assert answer.json()["verdicts"][0]["features"]["flow_byts_s"] == "Infinity"


def test_unknown_keys_are_ignored_with_a_warning(client: httpx.Client) -> None:
    (warning,) = _predict(client, _flow(0) | {"weather": "fine"})["warnings"]
    assert "weather" in warning


def test_missing_features_are_named(client: httpx.Client) -> None:
    body = _flow(0)
    del body["fwd_iat_tot"], body["idle_min"]
    problem = _problem(client, 422, json=body)
    assert problem["missing"] == ["fwd_iat_tot", "idle_min"]
    assert problem["detail"] == "Missing features: fwd_iat_tot, idle_min"


def test_non_numeric_features_are_named(client: httpx.Client) -> None:
    body = _flow(0) | {"flow_duration": "long", "pkt_len_max": None}
    problem = _problem(client, 422, json=body)
    assert problem["not_numeric"] == ["flow_duration", "pkt_len_max"]
    assert "flow_duration" in problem["detail"]


def test_conflicting_features_are_named_in_pairs(client: httpx.Client) -> None:
    body = _flow(0) | {"Flow Duration": 7.5, "Idle Min": 8.5}
    problem = _problem(client, 422, json=body)
    assert problem["conflicting"] == [["flow_duration", "Flow Duration"], ["idle_min", "Idle Min"]]
    assert problem["detail"].startswith("Two values for one feature: 'flow_duration' and 'Flow Duration'; ")
    Problem.model_validate(problem)


def test_the_faulty_record_of_a_list_is_named(client: httpx.Client) -> None:
    problem = _problem(client, 422, json=[_flow(0), {"flow_duration": 1}])
    assert problem["detail"].startswith("record 1: Missing features: tot_fwd_pkts, ")


@pytest.mark.parametrize(
    ("body", "detail"),
    [(b"{}", "No features provided"), (b"", "No body"), (b"[1]", "Not an object"), (b"{x", "not JSON")],
)
def test_what_is_no_flow(client: httpx.Client, body: bytes, detail: str) -> None:
    assert detail in _problem(client, 422, content=body)["detail"]


def test_a_body_may_have_any_content_type(client: httpx.Client) -> None:
    body = json.dumps(_flow(0)).encode()
    for kind in ("application/json", "text/plain", "application/json; charset=utf-8"):
        answer = client.post("/predict", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200


def test_an_explanation_is_given_on_request(client: httpx.Client) -> None:
    flows = [_flow(HULK), _flow(0), _flow(HULK) | {"flow_duration": 0}]
    plain = _predict(client, flows)
    answer = _predict(client, flows, params={"explain": "true"})
    assert answer["probability"] == plain["probability"]
    for verdict in answer["verdicts"]:
        jsonschema.validate(verdict, SCHEMA)
    attack, benign, insufficient = answer["verdicts"]
    assert "explanation" not in insufficient
    assert not any("explanation" in verdict for verdict in plain["verdicts"])
    for verdict in (attack, benign):
        why = verdict["explanation"]
        added = sum(feature["contribution"] for feature in why["features"])
        assert why["base"] + added + why["rest"] == pytest.approx(verdict["p_attack"], abs=1e-9)
        assert all(verdict["features"][each["feature"]] == each["value"] for each in why["features"])
    assert attack["p_attack"] > attack["explanation"]["base"] > benign["p_attack"]


def test_only_so_many_flows_are_explained(client: httpx.Client) -> None:
    asked = {"explain": "1"}
    answer = _predict(client, [_flow(0)] * EXPLAINED_FLOWS, params=asked)
    assert all("explanation" in verdict for verdict in answer["verdicts"])
    problem = _problem(client, 422, params=asked, json=[_flow(0)] * (EXPLAINED_FLOWS + 1))
    assert problem["detail"].startswith("explain: at most 100 flows a request are explained, these are 101")


def test_a_parameter_that_is_none_is_named(client: httpx.Client) -> None:
    problem = _problem(client, 422, params={"explain": "why not"}, json=_flow(0))
    assert problem["detail"].startswith("explain: Input should be a valid boolean")
    Problem.model_validate(problem)


def test_a_body_over_the_limit(client: httpx.Client) -> None:
    assert "10000000 bytes" in _problem(client, 413, content=b" " * 10_000_001)["detail"]


def test_a_large_body_is_answered_in_order(client: httpx.Client) -> None:
    codes = [HULK, 0, PORTSCAN] * 700
    assert _predict(client, [_flow(code) for code in codes])["prediction"] == codes


def test_what_stock_cicflowmeter_posts(client: httpx.Client) -> None:
    body = posted_record()
    assert len(body) == 82
    (warning,) = _predict(client, body)["warnings"]
    assert "flow_duration contradicts" in warning
    assert "X-Flow-Dialect: python-cicflowmeter" in warning

    named = _predict(client, body, params={"dialect": "python-cicflowmeter"})
    assert named["verdicts"][0]["features"]["flow_duration"] == 406_000
    assert named["verdicts"][0]["src_ip"] == "192.168.1.10"
    assert not [warning for warning in named["warnings"] if "contradicts" in warning]
    assert named == _predict(client, body, headers={"X-Flow-Dialect": "python-cicflowmeter"}) | {
        "verdicts": named["verdicts"]
    }


STOCK = "import sys; from cicflowmeter.sniffer import main; sys.exit(main())"


def test_cicflowmeter_itself_posts_its_flows(client: httpx.Client, request: pytest.FixtureRequest) -> None:
    # Release 0.5.0 cannot be started so: its main() hands its arguments over in the wrong order.
    stock = extractor_environment(request.config, "0.2.0")
    before = client.get("/health").json()["scoring"]["requested"]
    capture = Path(__file__).parents[1] / "reference" / "01_tcp_fin.pcap"
    posted = subprocess.run(
        [stock.python, "-c", STOCK, "-f", capture, "-u", str(client.base_url.join("/predict"))],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "error" not in posted.stderr.lower()
    assert client.get("/health").json()["scoring"]["requested"] == before + 6


def _bodies() -> dict[str, tuple[bytes, str]]:
    """Two flows in every form a body may have, with its media type."""
    flows = [_flow(HULK) | {"src_ip": "10.0.0.9"}, _flow(0) | {"src_ip": "10.0.0.8"}]
    titles = [*flows[0]]
    rows = [[*flow.values()] for flow in flows]
    forms: dict[str, Any] = {
        "list": flows,
        "dataframe_split": {"dataframe_split": {"columns": titles, "data": rows, "index": [4, 5]}},
        "dataframe_records": {"dataframe_records": flows},
        "instances": {"instances": flows, "params": {}},
        "inputs": {"inputs": {title: [flow[title] for flow in flows] for title in titles}},
    }
    text = "\n".join(",".join(map(str, row)) for row in [titles, *rows]).encode()
    found = {form: (json.dumps(body).encode(), "application/json") for form, body in forms.items()}
    return found | {"csv": (text, "text/csv; charset=utf-8")}


@pytest.mark.parametrize("form", _bodies())
def test_every_form_of_a_body_is_judged_alike_by_both_routes(client: httpx.Client, form: str) -> None:
    content, media_type = _bodies()[form]
    for path in ("/predict", "/invocations"):
        answer = client.post(path, content=content, headers={"Content-Type": media_type})
        assert answer.status_code == 200, answer.text
        if path == "/invocations":
            assert answer.json() == {"predictions": [HULK, 0]}
            continue
        assert answer.json()["prediction"] == [HULK, 0]
        assert answer.json()["warnings"] == []
        assert [verdict["src_ip"] for verdict in answer.json()["verdicts"]] == ["10.0.0.9", "10.0.0.8"]


def test_mlflow_writes_a_body_that_is_read(client: httpx.Client) -> None:
    frame = pd.DataFrame([_flow(HULK), _flow(0) | {"idle_min": float("nan")}])
    answer = client.post("/invocations", content=dump_input_data(frame))
    assert answer.json() == {"predictions": [HULK, 0]}


def test_more_flows_than_are_judged_at_once(client: httpx.Client) -> None:
    body = {"dataframe_split": {"columns": ["idle_min"], "data": [[1]] * 100_000}}
    assert "100000 flows, at most 10000" in _problem(client, 413, json=body)["detail"]


def test_ping_is_ready_for_those_who_know_mlflow(client: httpx.Client, serve: Any, tmp_path: Path) -> None:
    answer = client.get("/ping")
    assert (answer.status_code, answer.text) == (200, "\n")
    with serve(ready=False, mlflow_tracking_uri=f"sqlite:///{tmp_path}/none.db") as empty:
        assert empty.get("/ping").status_code == 503
        assert empty.post("/invocations", json=record()).status_code == 503


def test_invocations_need_a_key_and_are_logged_like_predictions(serve: Any, tmp_path: Path) -> None:
    with serve(api_keys="one", log_dir=tmp_path) as client:
        body = {"dataframe_records": [_flow(HULK)]}
        assert client.post("/invocations", json=body).status_code == 401
        assert client.get("/ping").status_code == 200
        assert client.post("/invocations", json=body, headers={"X-API-Key": "one"}).status_code == 200
        wait_until(lambda: (tmp_path / "positive_predictions.log").exists())
        wait_until(lambda: (tmp_path / "positive_predictions.log").read_text().endswith("\n"))
    (line,) = (tmp_path / "positive_predictions.log").read_text().splitlines()
    assert json.loads(line)["label"] == "DoS Hulk"


def test_a_dialect_the_model_was_not_trained_on(client: httpx.Client) -> None:
    (warning,) = _predict(client, record(), params={"dialect": "cic-2017"})["warnings"]
    assert "trained on dialect improved" in warning
    assert _predict(client, record(), params={"dialect": " Improved"})["warnings"] == []


def test_an_unknown_dialect(client: httpx.Client) -> None:
    problem = _problem(client, 422, json=record(), params={"dialect": "klingon"})
    assert "klingon" in problem["detail"]
    assert "improved, " in problem["detail"]
    assert "python-cicflowmeter" in problem["detail"]


def _predictor(worker: ScoringWorker, logs: Path) -> Predictor:
    return Predictor(worker, Sink(PredictionLog(logs)), sensor="sensor-1", model_error=lambda: "loading")


class SwappingWorker(ScoringWorker):
    """Serves another model from the moment a request has been read."""

    def submit(self, table: FlowTable) -> Future[Verdicts]:
        self.scorer = make_scorer(version="2")
        return super().submit(table)


def test_the_model_that_explains_is_the_one_that_judged(tmp_path: Path) -> None:
    worker = SwappingWorker(lambda table, verdicts: None)
    worker.scorer = make_scorer(version="1")
    worker.start()
    body = Body(json.dumps(_flow(HULK)).encode())
    try:
        (verdict,) = asyncio.run(_predictor(worker, tmp_path).predict(body, None, explain=True))["verdicts"]
    finally:
        worker.stop(5)
    assert verdict["model"]["version"] == "1"
    assert verdict["explanation"]["features"]


def test_a_full_queue_asks_to_come_back(tmp_path: Path) -> None:
    worker = ScoringWorker(lambda table, verdicts: None, capacity=1)
    worker.scorer = make_scorer()
    worker.submit(flow_table(1))
    with pytest.raises(BusyError, match="send again"):
        asyncio.run(_predictor(worker, tmp_path).predict(Body(json.dumps(record()).encode()), None))


def test_a_worker_that_stops_serves_no_model(tmp_path: Path) -> None:
    worker = ScoringWorker(lambda table, verdicts: None)
    predictor = _predictor(worker, tmp_path)
    with pytest.raises(ModelNotAvailableError, match="Model not available: loading"):
        asyncio.run(predictor.predict(Body(json.dumps(record()).encode()), None))
    worker.scorer = make_scorer()
    worker.stop(1)
    with pytest.raises(ModelNotAvailableError, match="Model not available: the service is stopping"):
        asyncio.run(predictor.predict(Body(json.dumps(record()).encode()), None))


def test_keys(serve: Any) -> None:
    with serve(api_keys="one,two") as client:
        assert client.post("/predict", json=record()).status_code == 401
        assert client.post("/predict", json=record(), headers={"X-API-Key": "two"}).status_code == 200
        for path in ("/", "/health", "/ready", "/metrics"):
            assert client.get(path).status_code == 200


def test_requests_are_logged_like_captured_flows(serve: Any, tmp_path: Path) -> None:
    with serve(log_dir=tmp_path, log_negative_predictions=True) as client:
        _predict(client, [_flow(HULK) | {"src_ip": "10.0.0.9"}, _flow(0)])
        _predict(client, _flow(0) | {"tot_fwd_pkts": 1, "tot_bwd_pkts": 0})
        names = ("positive", "negative", "insufficient")
        files = {name: tmp_path / f"{name}_predictions.log" for name in names}
        wait_until(lambda: all(file.exists() for file in files.values()))
        metrics = client.get("/metrics").text
    lines = {
        name: [json.loads(line) for line in file.read_text().splitlines()] for name, file in files.items()
    }
    assert [len(found) for found in lines.values()] == [1, 1, 1]
    (positive,) = lines["positive"]
    assert (positive["source"], positive["label"], positive["src_ip"]) == ("api", "DoS Hulk", "10.0.0.9")
    assert 'mlids_predictions_total{label="DoS Hulk",result="attack",source="api"} 1.0' in metrics
    assert "mlids_prediction_latency_seconds_count 2.0" in metrics
    assert "mlids_requested_flows_scored_total 3.0" in metrics
