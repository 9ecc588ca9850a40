"""The application: `uvicorn inference_server.main:app`, or `ml-ids serve`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import metadata

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from inference_server.dashboard.mount import PATH as DASHBOARD
from inference_server.dashboard.mount import Dashboard
from inference_server.routes.alerts import router as alert_router
from inference_server.routes.captures import router as capture_router
from inference_server.routes.common import router
from inference_server.routes.live import router as live_router
from inference_server.routes.models import router as model_router
from inference_server.routes.scoring import ScoringRoutes
from inference_server.routes.scoring import router as scoring_router
from inference_server.routes.sensors import router as sensor_router
from inference_server.service import Service
from inference_server.settings import Settings, export_library_variables, load_settings
from inference_server.supervisor import READY, STOPPING, tell_supervisor
from inference_server.web.errors import install_errors
from inference_server.web.openapi_document import describe


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; the settings are read when it starts unless given."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        export_library_variables()
        service = Service(settings or load_settings())
        app.state.service = service
        service.start()
        await dashboard.start(service)
        tell_supervisor(READY)
        try:
            yield
        finally:
            tell_supervisor(STOPPING)
            await dashboard.stop()
            await asyncio.to_thread(service.stop)

    dashboard = Dashboard()
    about = metadata("ml-ids")
    app = FastAPIOffline(
        title="ML-IDS",
        version=about["Version"],
        description=about["Summary"],
        redoc_url=None,
        static_url="/docs/assets",
        swagger_ui_parameters={"validatorUrl": None},
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(ScoringRoutes)
    install_errors(app)
    app.include_router(scoring_router)
    app.include_router(capture_router)
    app.include_router(live_router)
    app.include_router(alert_router)
    app.include_router(model_router)
    app.include_router(sensor_router)
    app.include_router(router)
    app.mount(DASHBOARD, dashboard, name="dashboard")
    describe(app)
    return app


app = create_app()
