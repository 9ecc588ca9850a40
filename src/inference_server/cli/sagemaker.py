"""`ml-ids sagemaker`: what the image answers to SageMaker, and what is asked of SageMaker."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from inference_server.cli.reading import one_line_errors
from inference_server.settings import export_library_variables

FOLDER: Final = Path("deploy/sagemaker")
PARAMETERS: Final = Path("models/gradient_boost/training_params.json")
LOCAL: Final = Path("build/sagemaker/ml-ids-sagemaker-job")
IMAGE_NAME: Final = Path("sagemaker-image-name.txt")

sagemaker = typer.Typer(
    help="Train and serve as SageMaker starts its containers, and start such there.", no_args_is_help=True
)
Prefix = Annotated[Path, typer.Option(help="what SageMaker mounts as /opt/ml")]
JobId = Annotated[str, typer.Option(help="the training job")]
Ref = Annotated[str, typer.Option(help="instead of it, the tag that trained it, such as refs/tags/m1.0")]
TrainConfigFile = Annotated[Path, typer.Option(help="the job: machine, role, data, bucket of models")]
DeployConfigFile = Annotated[Path, typer.Option(help="the endpoint: name, machine, role, bucket of models")]
Parameters = Annotated[Path, typer.Option(help="hyperparameters, JSON")]


@sagemaker.command()
def train(prefix: Prefix = Path("/opt/ml")) -> None:
    """Train on input/data by input/config/hyperparameters.json; a failure is told in output/failure."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    with _training():
        from training.sagemaker.container import train_in_container
    raise typer.Exit(train_in_container(prefix))


@sagemaker.command()
def serve(prefix: Prefix = Path("/opt/ml")) -> None:
    """Answer /ping and /invocations on port 8080 with the model below `prefix`, else the starter."""
    from inference_server.sagemaker_service import serve_container

    with one_line_errors():
        serve_container(prefix / "model")


@sagemaker.command()
def push_image(
    image: Annotated[str, typer.Option(help="NAME:TAG, of the local engine")],
    region: Annotated[str, typer.Option(help="of the registry")] = "eu-west-1",
    output: Annotated[Path, typer.Option(help="the file that gets the image's name there")] = IMAGE_NAME,
) -> None:
    """Push an image to Amazon's registry of the account, and write its name there to a file."""
    with _amazon("ecr", region) as client:
        from training.sagemaker.images import push_image as push

        name = push(client, image)
        output.write_text(f"{name}\n", encoding="utf-8")
    typer.echo(name)


@sagemaker.command()
def train_local(
    image: Annotated[str, typer.Option(help="the training image, of the local engine")],
    train_path: Annotated[Path, typer.Option(help="flows to fit on, HDF5")] = Path("dataset/train.h5"),
    val_path: Annotated[Path, typer.Option(help="flows that say which iteration is the best")] = Path(
        "dataset/val.h5"
    ),
    test_path: Annotated[Path, typer.Option(help="flows to measure on")] = Path("dataset/test.h5"),
    params: Parameters = PARAMETERS,
    folder: Annotated[Path, typer.Option(help="the container's /opt/ml, in place of one there")] = LOCAL,
) -> None:
    """Train in a container on this machine, on the processor, as SageMaker would."""
    with _failures():
        from training.gradient_boost import TrainingParams
        from training.sagemaker.images import train_in_image

        paths = (train_path, val_path, test_path)
        made = train_in_image(image, folder, TrainingParams.read(params), paths)
    typer.echo(f"model: {made}")


@sagemaker.command()
def train_aws(
    image: Annotated[str, typer.Option(help="the training image's name in Amazon's registry")],
    job_id: JobId = "",
    ref: Ref = "",
    config: TrainConfigFile = FOLDER / "train-gpu.json",
    params: Parameters = PARAMETERS,
) -> None:
    """Train on SageMaker, and wait for the end."""
    with _failures():
        from training.gradient_boost import TrainingParams
        from training.sagemaker.config import read_train_config
        from training.sagemaker.jobs import follow_training, start_training

        wanted, job = read_train_config(config), _job(job_id, ref)
        given = TrainingParams.read(params)
        with _amazon("sagemaker", wanted.region) as client:
            start_training(client, wanted, given, image=image, job_id=job)
            follow_training(client, job, typer.echo)


@sagemaker.command()
def deploy(job_id: JobId = "", ref: Ref = "", config: DeployConfigFile = FOLDER / "deploy.json") -> None:
    """Serve what a job trained, in the place of what is served, and wait until it answers."""
    with _failures():
        from training.sagemaker.config import read_deploy_config
        from training.sagemaker.endpoints import deploy as serve_job

        wanted, job = read_deploy_config(config), _job(job_id, ref)
        region = wanted.deploy.region
        with _amazon("sagemaker", region) as client:
            name = serve_job(client, wanted, job)
    typer.echo(
        f"{name} serves {job}: AWS_REGION={region} "
        f"AWS_SAGEMAKER_HOST=runtime.sagemaker.{region}.amazonaws.com "
        f"AWS_SAGEMAKER_ENDPOINT=/endpoints/{name}/invocations"
    )


@sagemaker.command()
def undeploy(config: DeployConfigFile = FOLDER / "deploy.json") -> None:
    """Remove the endpoint, its configuration and its model."""
    with _failures():
        from training.sagemaker.config import read_deploy_config
        from training.sagemaker.endpoints import undeploy as remove

        wanted = read_deploy_config(config)
        with _amazon("sagemaker", wanted.deploy.region) as client:
            name = remove(client, wanted)
    typer.echo(f"{name} is removed")


def _job(job_id: str, ref: str) -> str:
    from training.sagemaker.config import checked_job, job_of_ref

    if bool(job_id) == bool(ref):
        raise ValueError(
            "name the job: make ... JOB_ID=ID, or the tag that trained it, DEPLOY_REF=refs/tags/m1.0"
        )
    return checked_job(job_id) if job_id else job_of_ref(ref)


@contextmanager
def _training() -> Iterator[None]:
    """What it needs of training, or how to install that."""
    with one_line_errors():
        try:
            yield
        except ModuleNotFoundError as error:
            needed = f"training needs {error.name}: pip install 'ml-ids[sensor,training,catboost]'"
            raise ValueError(needed) from None


@contextmanager
def _failures() -> Iterator[None]:
    with _training():
        try:
            yield
        except (LookupError, RuntimeError) as error:
            raise ValueError(str(error)) from None


@contextmanager
def _amazon(service: str, region: str) -> Iterator[Any]:
    """A client of Amazon's; AWS_ENDPOINT_URL names another."""
    from boto3.session import Session
    from botocore.exceptions import BotoCoreError, ClientError

    export_library_variables()
    with one_line_errors():
        try:
            yield Session().client(service, region_name=region)
        except (BotoCoreError, ClientError) as error:
            raise OSError(str(error)) from None
