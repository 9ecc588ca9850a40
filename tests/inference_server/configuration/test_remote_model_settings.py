from __future__ import annotations

from typing import Any

import pytest

from inference_server.configuration.remote_model_settings import runtime_region
from inference_server.settings import load_settings

HOST = "runtime.sagemaker.eu-west-1.amazonaws.com"
URL = f"https://{HOST}/endpoints/ml-ids/invocations"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"aws_sagemaker_host": f"https://{HOST}"}, "AWS_SAGEMAKER_HOST=https://.*: no host such as"),
        ({"aws_sagemaker_host": HOST}, "AWS_SAGEMAKER_HOST is set without AWS_SAGEMAKER_ENDPOINT"),
        ({"aws_sagemaker_endpoint": "ml-ids"}, "AWS_SAGEMAKER_ENDPOINT is set without AWS_SAGEMAKER_HOST"),
        ({"aws_sagemaker_endpoint": "/a b"}, "AWS_SAGEMAKER_ENDPOINT=/a b: no path such as"),
        (
            {"aws_sagemaker_host": "localhost:8443", "aws_sagemaker_endpoint": "ml-ids"},
            "AWS_SAGEMAKER_HOST is set without AWS_REGION: set it, such as to eu-west-1",
        ),
        (
            {"aws_sagemaker_host": HOST, "aws_sagemaker_endpoint": "ml-ids", "model_uri": "http://models"},
            "MODEL_URI and AWS_SAGEMAKER_HOST are set: there is one champion, unset one",
        ),
        ({"model_uri": "models:/ml-ids@champion"}, "MODEL_URI=.*: no URL such as .* is MLFLOW_MODEL_NAME"),
        ({"model_uri": "https://me:hush@models"}, "MODEL_URI.*: holds a password"),
        ({"remote_model_numbers": "labels"}, "REMOTE_MODEL_NUMBERS=labels: .*'attack' or 'code'"),
        ({"remote_model_seconds": 0}, "REMOTE_MODEL_SECONDS=0: .*greater than 0"),
        ({"remote_model_tries": 0}, "REMOTE_MODEL_TRIES=0: .*greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_setting_and_fix(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}") as caught:
        load_settings(**given)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("endpoint", ["/endpoints/ml-ids/invocations", "ml-ids"])
def test_an_endpoint_is_its_path_or_its_name(endpoint: str) -> None:
    settings = load_settings(aws_sagemaker_host=HOST, aws_sagemaker_endpoint=endpoint)
    assert (settings.remote_model_url, settings.sagemaker_endpoint_name) == (URL, "ml-ids")
    assert settings.remote_model_setting == "AWS_SAGEMAKER_HOST"


def test_without_one_there_is_no_remote_model() -> None:
    assert load_settings().remote_model_url is None


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, "eu-west-1"),
        ("runtime.sagemaker.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("vpce-0a1.runtime.sagemaker.eu-west-1.amazonaws.com", "eu-west-1"),
        ("localhost:8443", None),
    ],
)
def test_regions_are_read_from_hosts(host: str, region: str | None) -> None:
    assert runtime_region(host) == region
