"""The remote champion that the settings name."""

from __future__ import annotations

from typing import Final

from detection.remote.champion import RemoteChampion
from detection.remote.endpoint import Endpoint
from inference_server.configuration.remote_model_settings import runtime_region
from inference_server.remote_first import RemoteFirst
from inference_server.settings import Settings

THRESHOLD: Final = 0.5
"""On P(attack) of a remote model, of which no record tells another."""


def configured_remote(settings: Settings) -> RemoteFirst | None:
    """Return the remote champion, not asked yet; None where the settings name none."""
    url = settings.remote_model_url
    if url is None:
        return None
    endpoint = _sagemaker(settings, url) if settings.aws_sagemaker_host else _mlflow(settings, url)
    champion = RemoteChampion(
        endpoint,
        threshold=settings.detection_threshold or THRESHOLD,
        probe_seconds=settings.remote_model_probe_seconds,
    )
    return RemoteFirst(champion, at_once=settings.max_concurrent_requests)


def _sagemaker(settings: Settings, url: str) -> Endpoint:
    # botocore is imported by those who pay for it.
    from detection.remote.signing import AwsSigning

    host = settings.aws_sagemaker_host or ""
    region = settings.aws_region or runtime_region(host) or ""
    return Endpoint(
        f"sagemaker:{settings.sagemaker_endpoint_name}",
        url,
        format=settings.remote_model_format or "pandas-split",
        numbers=settings.remote_model_numbers,
        seconds=settings.remote_model_seconds,
        tries=settings.remote_model_tries,
        auth=AwsSigning(region, *settings.aws_keys),
    )


def _mlflow(settings: Settings, url: str) -> Endpoint:
    key = settings.model_uri_key
    return Endpoint(
        url.partition("?")[0].removesuffix("/invocations"),
        url,
        format=settings.remote_model_format or "dataframe_split",
        numbers=settings.remote_model_numbers,
        seconds=settings.remote_model_seconds,
        tries=settings.remote_model_tries,
        headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
    )
