from __future__ import annotations

import pytest

from detection.model_uri import ModelUri, parse_model_uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("models:/ml-ids@champion", ModelUri("ml-ids", "alias", "champion")),
        ("ml-ids@champion", ModelUri("ml-ids", "alias", "champion")),
        (" models:/ml-ids@v1.2-blue ", ModelUri("ml-ids", "alias", "v1.2-blue")),
        ("models:/ml-ids/latest", ModelUri("ml-ids", "latest", "latest")),
        ("models:/ml-ids/Latest", ModelUri("ml-ids", "latest", "Latest")),
        ("models:/ml-ids/12", ModelUri("ml-ids", "version", "12")),
        ("models:/ML_IDS_Model_v1/Production", ModelUri("ML_IDS_Model_v1", "stage", "Production")),
    ],
)
def test_reads_every_form(text: str, uri: ModelUri) -> None:
    assert parse_model_uri(text) == uri
    assert parse_model_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ml-ids",
        "models:/ml-ids",
        "models:/ml-ids/",
        "models:/ml-ids@",
        "models:/@champion",
        "models:/a/b/c",
        "models:/ml-ids@champion/1",
        "models://ml-ids@champion",
        "runs:/0123/model",
        "s3://bucket/model",
        "models:/it's@champion",
    ],
)
def test_says_what_to_write_instead(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"MLFLOW_MODEL_NAME .* names no model version: write models:/name@alias"
    ):
        parse_model_uri(text)
