"""`ml-ids data load`: flows into InfluxDB, every row a point of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from inference_server.cli.reading import errors, one_line_errors
from inference_server.cli.remote_data import remote_data
from inference_server.settings import load_settings


def load(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="training data: a file, folder or URL")],
    target: Annotated[
        str, typer.Argument(metavar="URL", help="influxdb://user:password@host:port/database/measurement")
    ],
    dialect: Annotated[
        str | None, typer.Option(help="who measured the flows, where the file does not say so")
    ] = None,
) -> None:
    """Write flows to InfluxDB 1.x: as many points as rows, also of one second, and as many when run again."""
    with one_line_errors():
        try:
            from training.sources.influx import InfluxLocation
            from training.sources.influx_load import load_source
            from training.sources.read import ReadOptions
        except ModuleNotFoundError as error:
            raise ValueError(f"training needs {error.name}: pip install 'ml-ids[sensor,training]'") from None

        location = InfluxLocation.parse(target)
        with remote_data(load_settings()) as fetching, errors.status(f"writing to {location}") as status:
            files = load_source(
                source,
                location,
                ReadOptions(dialect=dialect, fetching=fetching),
                lambda name, points: status.update(f"{name}: {points:,} points written"),
            )
            for name, loaded in files:
                typer.echo(f"{name}: {loaded.points:,} points in {location}, source={loaded.source}")
                if loaded.left_out:
                    typer.echo(f"{loaded.left_out:,} values, infinity or NaN, cannot be there: left out")
