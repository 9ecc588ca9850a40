# A server of S3's protocol over a folder, for docker-compose's profile s3.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends rclone >/dev/null && \
    apt-get clean && rm -rf /var/lib/apt/lists/* && install -d -o 10001 -g 10001 /s3
ENV HOME=/tmp
USER 10001:10001
EXPOSE 9000
ENTRYPOINT ["rclone", "serve", "s3", "--addr", "0.0.0.0:9000", "--vfs-cache-mode", "writes"]
CMD ["/s3"]
