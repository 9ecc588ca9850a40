"""`ml_ids_rest_client`: sends flows of a file to a server, and says how right its answers are."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Final

import typer

from clients.errors import one_line_errors
from clients.frames import Overflow
from clients.rest_client import flags
from clients.rest_client.api import PredictionApi
from clients.rest_client.dataset import Dataset, read_dataset
from clients.rest_client.location import S3Access, local_copy
from clients.rest_client.prompts import ask
from clients.rest_client.results import Results, show
from clients.rest_client.selection import Selection, find_category, select

STORAGE_PATH: Final = Path("output/s3_dataset.h5")
DETAILS: Final = 100

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def rest_client(
    dataset_uri: flags.DatasetUri,
    api_url: flags.ApiUrl,
    s3_region: flags.S3Region = "eu-west-1",
    s3_local_storage_path: flags.S3LocalStoragePath = STORAGE_PATH,
    s3_credentials: flags.S3Credentials = False,
    hdf_key: flags.HdfKey = None,
    api_key: flags.ApiKey = None,
    timeout: flags.Timeout = 60,
    display_overflow: flags.DisplayOverflow = Overflow.WRAP,
    category: flags.Category = None,
    samples: flags.Samples = None,
    delay: flags.Delay = None,
    everything: flags.All = False,
    seed: flags.Seed = None,
    details: flags.Details = DETAILS,
) -> None:
    """Send flows of a file to a server and show how right its answers are; asks which, unless told."""
    with one_line_errors(), closing(PredictionApi(api_url, api_key, timeout)) as api:
        told = _check(category, samples, delay, everything)
        typer.echo("Loading dataset...")
        access = S3Access(s3_region, s3_local_storage_path, s3_credentials)
        dataset = read_dataset(local_copy(dataset_uri, access), dataset_uri, hdf_key)
        if told:
            label = find_category(category, dataset.categories) if category is not None else None
            chosen = _chosen(dataset, Selection(label, samples, delay), seed)
            show(Results(chosen, _predict(api, chosen, delay)), display_overflow, details)
        else:
            _converse(api, dataset, display_overflow, details, seed)


def _check(category: str | None, samples: int | None, delay: int | None, everything: bool) -> bool:
    """Whether the flags say what to send.

    Raises:
        ValueError: they say so only in part, or twice.
    """
    if everything and samples is not None:
        raise ValueError("--all and --samples exclude each other")
    if not everything and samples is None:
        if category is not None or delay is not None:
            raise ValueError("say how many flows to send: --samples N or --all")
        return False
    return True


def _converse(
    api: PredictionApi, dataset: Dataset, overflow: Overflow, details: int, seed: int | None
) -> None:
    """Ask and answer until the user has enough; a failure is told, and the next selection asked for."""
    while True:
        try:
            selection = ask(dataset.categories)
        except typer.Abort:
            typer.echo()
            return
        if selection is None:
            return
        chosen = _chosen(dataset, selection, seed)
        try:
            show(Results(chosen, _predict(api, chosen, selection.delay_ms)), overflow, details)
        except OSError as error:
            typer.echo(f"error: {error}", err=True)


def _chosen(dataset: Dataset, selection: Selection, seed: int | None) -> Dataset:
    chosen = select(dataset, selection, seed)
    if selection.samples is not None and len(chosen) < selection.samples:
        typer.echo(f"There are only {len(chosen)} such flows: all are sent.")
    return chosen


def _predict(api: PredictionApi, chosen: Dataset, delay_ms: int | None) -> list[float]:
    if delay_ms is None:
        return api.predict(chosen.flows)
    found: list[float] = []
    for row, label in enumerate(chosen.labels):
        typer.echo(f"Requesting prediction [{row + 1}] for label [{label}]...")
        found += api.predict(chosen.flows.iloc[[row]])
        time.sleep(delay_ms / 1000)
    return found
