"""The command's flags: those of cstub/ml-ids-api-client, and more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.frames import Overflow

DatasetUri = Annotated[
    str,
    typer.Option(
        help="a file of flows, .h5, .csv, .csv.gz or .parquet: a path, file://PATH or s3://BUCKET/KEY; "
        "HDF5 files of others can run code when they are read"
    ),
]
ApiUrl = Annotated[str, typer.Option(help="URL of the server; /api/predictions is joined on")]
ApiKey = Annotated[str | None, typer.Option(envvar="ML_IDS_API_KEY", help="one of the server's API_KEYS")]
Timeout = Annotated[float, typer.Option(min=1, help="seconds to wait for an answer")]
S3Region = Annotated[str, typer.Option(help="region of the S3 bucket")]
S3LocalStoragePath = Annotated[Path, typer.Option(help="where a dataset from S3 is kept")]
S3Credentials = Annotated[
    bool,
    typer.Option(
        "--s3-credentials", help="sign with the credentials boto3 finds, instead of asking anonymously"
    ),
]
HdfKey = Annotated[str | None, typer.Option(help="which table of an HDF5 file that has several")]
DisplayOverflow = Annotated[
    Overflow, typer.Option(case_sensitive=False, help="of text wider than the window")
]
Category = Annotated[
    str | None,
    typer.Option(help="a label of the dataset, its number, or r for flows of any; asks nothing"),
]
Samples = Annotated[int | None, typer.Option(min=1, help="how many flows, chosen at random; asks nothing")]
Delay = Annotated[
    int | None, typer.Option(min=0, help="ms between requests of one flow each; without it, all in one")
]
All = Annotated[bool, typer.Option("--all", help="all flows, or all of --category; asks nothing")]
Seed = Annotated[int | None, typer.Option(min=0, help="makes the random choice the same every time")]
Details = Annotated[int, typer.Option(min=0, help="most flows to show in full")]
