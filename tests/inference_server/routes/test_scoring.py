"""Whatever is sent to the routes that judge flows gets a verdict or a 4xx that names the fault."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.schema import COMMON_NAMES
from helpers.models import typical_flow
from inference_server.bodies.envelopes import ENVELOPES
from inference_server.routes.api_models import Problem
from inference_server.routes.scoring import ENDPOINTS, router

HULK = 5
PATHS = ("/predict", "/invocations")
FLOW = typical_flow(HULK) | dict.fromkeys(("flow_iat_mean", "flow_pkts_s", "flow_byts_s"), 0.0)


FORMS = ("flow", "flows", *ENVELOPES, "columns", "csv")


def _body(form: str, titles: list[str], rows: list[list[object]]) -> tuple[bytes, dict[str, str]]:
    """Rows in one of the forms that a body may have, and its headers."""
    if form == "csv":
        lines = [",".join(map(str, line)) for line in (titles, *rows)]
        return "\n".join(lines).encode(), {"Content-Type": "text/csv"}
    flows = [dict(zip(titles, row, strict=True)) for row in rows]
    bodies: dict[str, Any] = {
        "flow": flows[0],
        "flows": flows,
        "dataframe_split": {"dataframe_split": {"columns": titles, "data": rows}},
        "columns": {"inputs": {title: [flow[title] for flow in flows] for title in titles}},
    }
    return json.dumps(bodies.get(form, {form: flows})).encode(), {"Content-Type": "application/json"}


def _post(client: httpx.Client, path: str, form: str, changes: dict[str, object]) -> httpx.Response:
    flow = FLOW | changes
    content, headers = _body(form, [*flow], [[*flow.values()]])
    return client.post(path, content=content, headers=headers)


def _split(flow: dict[str, Any], rows: int = 1) -> dict[str, Any]:
    """An envelope of some good rows and, last, this one."""
    good = [list((FLOW | dict.fromkeys(flow.keys() - FLOW.keys(), 1)).values())] * (rows - 1)
    return {"dataframe_split": {"columns": [*flow], "data": [*good, [*flow.values()]]}}


def test_what_is_served_is_what_is_described() -> None:
    described = {
        (method, route.path): route.endpoint
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert described == ENDPOINTS


@pytest.mark.parametrize("path", PATHS)
def test_another_method_is_refused(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 405


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [True, False, "12", "many", [1], {"a": 1}, 10**400])
def test_what_is_no_number_is_named_with_its_row(client: httpx.Client, path: str, value: object) -> None:
    answer = client.post(path, content=json.dumps(_split(FLOW | {"idle_min": value}, rows=3)))
    assert answer.status_code == 422
    assert answer.json() == {"detail": "record 2: Not numeric: idle_min", "not_numeric": ["idle_min"]}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "NaN", "Infinity", None, -7, 1e308])
def test_numbers_the_data_sets_hold_are_judged(client: httpx.Client, value: object) -> None:
    answer = client.post("/invocations", content=json.dumps(_split(FLOW | {"idle_min": value})))
    assert answer.status_code == 200
    assert answer.json() == {"predictions": [HULK]}


def test_two_columns_of_one_feature(client: httpx.Client) -> None:
    titles, values = [*FLOW, "fwd_header_len"], [*FLOW.values()]
    length = FLOW["fwd_header_len"]
    for second, status in ((length, 200), (length + 1, 422)):
        body = {"dataframe_split": {"columns": titles, "data": [[*values, second]]}}
        answer = client.post("/predict", json=body)
        assert answer.status_code == status
    assert answer.json()["conflicting"] == [["fwd_header_len", "fwd_header_len"]]
    answer = client.post("/predict", json=FLOW | {"Fwd Header Length": length, "Fwd Header Length.1": 3})
    assert answer.json()["conflicting"] == [["fwd_header_len", "Fwd Header Length.1"]]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_body_is_held_to_the_same_rules(client: httpx.Client, path: str, form: str) -> None:
    quoted = form != "csv"
    for value in (math.nan, math.inf, -math.inf, -7, 1e308):
        answer = _post(client, path, form, {"idle_min": value})
        assert answer.status_code == 200, (value, answer.text)
    for value in ("many", "1_0", *((True, "12", [1], {"a": 1}, 10**400) if quoted else ("True",))):
        answer = _post(client, path, form, {"idle_min": value})
        assert (answer.status_code, answer.json()["not_numeric"]) == (422, ["idle_min"]), (value, answer.text)
        assert answer.json()["detail"].endswith("Not numeric: idle_min")
    null = _post(client, path, form, {"idle_min": None if quoted else ""})
    assert null.status_code == (422 if form in ("flow", "flows") else 200)
    for value, status in ((FLOW["idle_min"], 200), (FLOW["idle_min"] + 1, 422)):
        answer = _post(client, path, form, {"Idle Min": value})
        assert answer.status_code == status, answer.text
    assert answer.json()["conflicting"] == [["idle_min", "Idle Min"]]
    assert "'idle_min' and 'Idle Min'" in answer.json()["detail"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", [form for form in FORMS if form != "flow"])
def test_too_many_flows_or_bytes_are_refused_in_every_form(
    client: httpx.Client, path: str, form: str
) -> None:
    content, headers = _body(form, ["idle_min"], [[1]] * 100_000)
    answer = client.post(path, content=content, headers=headers)
    assert answer.status_code == 413
    assert "100000 flows, at most 10000" in answer.json()["detail"]
    longer = content + b" " * (10_000_001 - len(content))
    answer = client.post(path, content=longer, headers=headers)
    assert answer.status_code == 413
    assert "exceeds 10000000 bytes" in answer.json()["detail"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CELLS = st.one_of(st.floats(), st.integers(), st.none(), st.booleans(), st.text(max_size=4), JSON)
COLUMNS = st.sampled_from([*COMMON_NAMES[:3], "Fwd Header Length", "src_ip", "dst_port", "label", "odd"])
FLOWS = st.dictionaries(COLUMNS, CELLS, max_size=4).map(lambda odd: FLOW | odd)
SPLITS = st.lists(COLUMNS, max_size=4).flatmap(
    lambda more: st.lists(
        st.lists(CELLS, min_size=len(more), max_size=len(more)).map(lambda cells: [*FLOW.values(), *cells]),
        max_size=3,
    ).map(lambda rows: {"columns": [*FLOW, *more], "data": rows})
)
CONTENTS = st.one_of(
    JSON, FLOWS, st.lists(FLOWS, max_size=3), SPLITS, st.dictionaries(COLUMNS, st.lists(CELLS, max_size=2))
)
ENVELOPED = st.dictionaries(st.sampled_from(ENVELOPES), CONTENTS, min_size=1, max_size=2)
TEXTS = st.one_of(CONTENTS, ENVELOPED).map(lambda body: json.dumps(body).encode())
MEDIA_TYPES = st.sampled_from(["application/json", "text/csv", "text/csv; charset=utf-8", "a/b", ""])


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(TEXTS, TEXTS, st.binary(max_size=60)), MEDIA_TYPES, st.sampled_from(PATHS))
def test_no_body_is_a_server_error(client: httpx.Client, body: bytes, media_type: str, path: str) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": media_type})
    assert answer.status_code in (200, 413, 422), answer.text
    if answer.status_code != 200:
        assert Problem.model_validate(answer.json()).detail
