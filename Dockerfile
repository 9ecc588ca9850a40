# The sensor, which is what a build without a target makes, and the target `mlflow`: its registry's server.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
# What kernels are compiled for: any x86-64 since 2009. For other machines: generic, and no features.
ARG NUMBA_CPU_NAME=x86-64-v2
ARG NUMBA_CPU_FEATURES=+sse4.2
ENV NUMBA_CPU_NAME=${NUMBA_CPU_NAME} NUMBA_CPU_FEATURES=${NUMBA_CPU_FEATURES} \
    PATH=/opt/ml-ids/bin:${PATH} PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null
COPY deploy/docker/sensor.txt src/capture/extractors/build.txt deploy/docker/slim.sh /tmp/
RUN python -m venv /opt/ml-ids && \
    pip install --quiet --require-hashes -r /tmp/sensor.txt -r /tmp/build.txt && \
    sh /tmp/slim.sh /opt/ml-ids/lib/python3.*/site-packages
COPY pyproject.toml README.md LICENSE /app/
COPY models /app/models
COPY data/demo /app/data/demo
COPY src /app/src
# Afterwards nothing is installed any more. The kernels are compiled where they will be looked for.
RUN pip install --quiet --no-deps --no-build-isolation -e /app && \
    pip uninstall --quiet --yes setuptools pip && \
    python -m compileall -q /app/src && \
    NUMBA_CACHE_DIR=/opt/ml-ids/kernels python -m inference_server.kernels

FROM ${PYTHON_IMAGE} AS ml-ids
ARG NUMBA_CPU_NAME=x86-64-v2
ARG NUMBA_CPU_FEATURES=+sse4.2
# libpcap compiles CAPTURE_FILTER. The one file with a capability is a second interpreter: containers without
# NET_RAW could not run it, and start with the first.
# hadolint ignore=DL3008
RUN apt-get update -qq && \
    apt-get install -y -qq --no-install-recommends libcap2-bin libpcap0.8 >/dev/null && \
    apt-get clean && rm -rf /var/lib/apt/lists/* && \
    install -d -o 10001 -g 10001 /app/logs /app/state
COPY --from=build /opt/ml-ids /opt/ml-ids
COPY --from=build /app /app
COPY deploy/docker/entrypoint.sh deploy/docker/healthcheck.py /opt/ml-ids/bin/
RUN cp "$(readlink -f /opt/ml-ids/bin/python)" /opt/ml-ids/bin/python-capture && \
    setcap cap_net_raw+ep /opt/ml-ids/bin/python-capture && \
    chmod 755 /opt/ml-ids/bin/entrypoint.sh
ENV PATH=/opt/ml-ids/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 HOME=/tmp ML_IDS_CONTAINER=1 \
    NUMBA_CPU_NAME=${NUMBA_CPU_NAME} NUMBA_CPU_FEATURES=${NUMBA_CPU_FEATURES} \
    NUMBA_CACHE_DIR=/app/state/cache/numba LOG_DIR=/app/logs STATE_DIR=/app/state ARROW_DEFAULT_MEMORY_POOL=system
WORKDIR /app
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "/opt/ml-ids/bin/healthcheck.py"]
ENTRYPOINT ["entrypoint.sh"]
CMD ["serve"]

FROM ${PYTHON_IMAGE} AS mlflow
ENV PATH=/opt/mlflow/bin:${PATH} MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
    PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
COPY deploy/docker/mlflow.txt /tmp/
RUN python -m venv /opt/mlflow && \
    pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r /tmp/mlflow.txt && \
    install -d -o 10001 -g 10001 /mlflow
USER 10001:10001
EXPOSE 5000
CMD ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", "1", \
     "--backend-store-uri", "sqlite:////mlflow/mlflow.db", "--artifacts-destination", "/mlflow/artifacts"]

FROM ml-ids
