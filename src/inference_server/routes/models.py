"""The routes about models: thin; the model desk answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, ParamSpec, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from inference_server.routes.api_models import Problem
from inference_server.service import Service
from inference_server.web.api_keys import Role
from inference_server.web.auth import SECURITY
from inference_server.web.errors import NOT_YET, ConflictError, ModelNotAvailableError, NotFoundError
from inference_server.web.responses import OrjsonResponse

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
Alias = Literal["champion", "challenger"]
GUARDED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No accepted API key"},
    403: {"model": Problem, "description": "A key that does not allow this"},
    503: {"model": Problem, "description": "No model serves yet, or the registry cannot be used"},
}
CHANGING: Final[dict[int | str, dict[str, Any]]] = GUARDED | {
    404: {"model": Problem, "description": "No such version"},
    409: {
        "model": Problem,
        "description": "The version fails its checks, or is worse than the champion; nothing has changed",
    },
}


class ModelClass(BaseModel):
    """A class that a model knows."""

    code: int
    label: str
    family: str


class ClassFigures(BaseModel):
    """What was measured of one class."""

    label: str
    n: int = Field(0, description="flows of the class")
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None


class Measured(BaseModel):
    """What a model was measured on, and how it did."""

    on: str
    figures: dict[str, float]
    classes: list[ClassFigures]
    confusion: dict[str, dict[str, int]] | None = Field(description="class, then label given, then flows")


class ModelInFull(BaseModel):
    """The model that serves."""

    follows: str = Field(description="MLFLOW_MODEL_NAME")
    name: str
    version: str
    description: str
    dialect: str = Field(description="by whose rules flows must be measured")
    schema_id: str
    features: list[str]
    classes: list[ModelClass]
    record_threshold: float
    measured: list[Measured]
    card: str = Field(description="Markdown")
    source: Literal["registry", "cache"] | None
    checked_at: str | None
    problems: list[str]
    threshold: float = Field(description="in force")
    threshold_source: str | None
    drift: dict[str, Any] | None = Field(description="with the population stability index of every feature")
    challenger: dict[str, Any] | None = Field(description="and where it disagrees")
    judged: dict[str, dict[str, int]] = Field(
        description="labelled alerts: class that the model gave, then class that somebody gave, then alerts"
    )


class ModelVersion(BaseModel):
    """A version of the model that is configured."""

    version: str
    aliases: list[str]
    champion: bool
    challenger: bool
    created: str
    dialect: str | None
    threshold: float | None
    features: int | None
    measured: list[Measured]


class Reloaded(BaseModel):
    """What serves after a look at the registry."""

    checked: bool = Field(description="false: the registry did not answer in time; it is still being asked")
    version: str | None
    challenger: str | None
    problems: list[str]


class Promoted(Reloaded):
    """What became of an alias, and what serves then."""

    alias: Alias
    promoted: str
    before: str | None


class Promote(BaseModel):
    """Which version gets which alias."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(pattern=r"^[0-9]{1,9}$")
    alias: Alias = "champion"
    force: bool = Field(
        False,
        description="promote a version that is worse than the champion, or whose figures are not known; "
        "the log says who did",
    )


class Rollback(BaseModel):
    """Which alias goes back."""

    model_config = ConfigDict(extra="forbid")

    alias: Alias = "champion"


router = APIRouter(dependencies=SECURITY)


@router.get("/api/model", response_model=ModelInFull, responses=GUARDED)
async def get_model(request: Request) -> Response:
    """Tell all of the model that serves: card, figures, threshold, drift, challenger."""
    service, _ = _allowed(request, Role.READ)
    found = await service.off_loop.run(service.model_desk.model)
    if found is None:
        raise ModelNotAvailableError(f"{NOT_YET}: {service.watcher.status().error}")
    return OrjsonResponse(found)


@router.get("/api/model/versions", response_model=list[ModelVersion], responses=GUARDED)
async def list_model_versions(request: Request) -> Response:
    """List the versions of the model in the registry, the latest first."""
    service, _ = _allowed(request, Role.READ)
    return OrjsonResponse(await _asked(service, service.model_desk.versions))


@router.post("/api/model/reload", response_model=Reloaded, responses=GUARDED)
async def reload_model(request: Request) -> Response:
    """Look at the registry at once; what failed its checks is tried again."""
    service, who = _allowed(request, Role.ADMIN)
    return OrjsonResponse(await _asked(service, service.model_desk.reload, who))


@router.post("/api/model/promote", response_model=Promoted, responses=CHANGING)
async def promote_model(request: Request, wanted: Promote) -> Response:
    """Check a version, give it an alias, and serve it; the champion's only to one that is not worse."""
    service, who = _allowed(request, Role.ADMIN)
    promote = service.model_desk.promote
    return OrjsonResponse(
        await _asked(service, promote, wanted.version, wanted.alias, who, force=wanted.force)
    )


@router.post("/api/model/rollback", response_model=Promoted, responses=CHANGING)
async def roll_back_model(request: Request, wanted: Rollback | None = None) -> Response:
    """Give an alias, @champion without a body, back to the version that had it before."""
    alias = (wanted or Rollback()).alias
    service, who = _allowed(request, Role.ADMIN)
    return OrjsonResponse(await _asked(service, service.model_desk.rollback, alias, who))


def _allowed(request: Request, role: Role) -> tuple[Service, str | None]:
    service: Service = request.app.state.service
    return service, service.keys.require(request, role)


async def _asked(
    service: Service, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs
) -> ResultT:
    try:
        return await service.registry_calls.run(function, *args, **kwargs)
    except LookupError as error:
        raise NotFoundError(str(error)) from None
    except OSError as error:
        raise ModelNotAvailableError(str(error)) from None
    except ValueError as error:
        raise ConflictError(str(error)) from None
