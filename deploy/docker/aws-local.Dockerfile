# SNS and SQS without Amazon, for docker-compose's profile aws-local. It makes topic and queue at every start.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE}
ENV PATH=/opt/ministack/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
COPY deploy/docker/aws-local.txt /tmp/
RUN python -m venv /opt/ministack && \
    pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r /tmp/aws-local.txt && \
    install -d -o 10001 -g 10001 /state
COPY deploy/docker/aws_local.py /etc/localstack/init/ready.d/
USER 10001:10001
EXPOSE 4566
CMD ["ministack"]
