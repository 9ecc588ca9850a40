"""`ml-ids data load`: flows into InfluxDB, every row a point of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from inference_server.cli.data_options import Dialect, Rules, read_options, training_errors
from inference_server.cli.reading import errors
from inference_server.cli.remote_data import remote_data
from inference_server.settings import load_settings


def load(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="flows, as ml-ids data describe reads them")
    ],
    target: Annotated[
        str, typer.Argument(metavar="URL", help="influxdb://user:password@host:port/database/measurement")
    ],
    dialect: Dialect = None,
    rules: Rules = None,
) -> None:
    """Write flows to InfluxDB 1.x: as many points as rows, also of one second, and as many when run again."""
    with training_errors():
        from training.sources.influx import InfluxLocation
        from training.sources.influx_load import load_source

        location, options = InfluxLocation.parse(target), read_options(dialect=dialect, rules=rules)
        with remote_data(load_settings()) as fetching, errors.status(f"writing to {location}") as status:
            files = load_source(
                source,
                location,
                replace(options, fetching=fetching),
                lambda name, points: status.update(f"{name}: {points:,} points written"),
            )
            for name, loaded in files:
                typer.echo(f"{name}: {loaded.points:,} points in {location}, source={loaded.source}")
                if loaded.left_out:
                    typer.echo(f"{loaded.left_out:,} values, infinity or NaN, cannot be there: left out")
