# Training and serving as SageMaker starts them: what the sensor's image has, and what training needs.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE}
ARG NUMBA_CPU_NAME=x86-64-v2
ARG NUMBA_CPU_FEATURES=+sse4.2
ENV PATH=/opt/ml-ids/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp ML_IDS_CONTAINER=1 \
    NUMBA_CPU_NAME=${NUMBA_CPU_NAME} NUMBA_CPU_FEATURES=${NUMBA_CPU_FEATURES} NUMBA_CACHE_DIR=/opt/ml-ids/kernels \
    STATE_DIR=/tmp/ml-ids/state LOG_DIR=/tmp/ml-ids/logs MLFLOW_DISABLE_TELEMETRY=true
COPY deploy/docker/sagemaker.txt src/capture/extractors/build.txt /tmp/
RUN python -m venv /opt/ml-ids && \
    pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r /tmp/sagemaker.txt -r /tmp/build.txt
COPY pyproject.toml README.md LICENSE /app/
COPY models /app/models
COPY data/demo /app/data/demo
COPY src /app/src
WORKDIR /app
RUN pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --no-build-isolation -e /app && \
    python -m inference_server.kernels
EXPOSE 8080
# SageMaker starts it as root, with `train` or `serve`, and mounts /opt/ml.
ENTRYPOINT ["ml-ids", "sagemaker"]
CMD ["serve"]
