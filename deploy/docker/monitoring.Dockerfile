# Prometheus with the project's rules, for docker-compose's profile monitoring.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus >/dev/null && \
    apt-get clean && rm -rf /var/lib/apt/lists/* && install -d -o 10001 -g 10001 /prometheus
COPY deploy/monitoring /etc/ml-ids
USER 10001:10001
EXPOSE 9090
ENTRYPOINT ["prometheus", "--storage.tsdb.path=/prometheus", "--config.file=/etc/ml-ids/prometheus.yml"]
