# A server of S3's protocol over a folder, for docker-compose's profile s3. Debian's rclone is too old for it.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE}
COPY deploy/docker/s3.txt /tmp/
# A folder is a bucket.
RUN pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r /tmp/s3.txt && \
    install -d -o 10001 -g 10001 /s3 /s3/mlflow
COPY deploy/docker/s3.sh /usr/local/bin/
ENV HOME=/tmp
USER 10001:10001
EXPOSE 9000
ENTRYPOINT ["sh", "/usr/local/bin/s3.sh"]
