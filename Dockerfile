# The image for all roles: `connector serve` unless another command is given. See docs/how-to/deploy-containers.md.
FROM python:3.12-slim AS build
WORKDIR /source
COPY setup.cfg pyproject.toml README.md LICENSE constraints.txt ./
COPY connector ./connector
RUN python -m venv /opt/connector \
    && /opt/connector/bin/pip install --no-cache-dir --constraint constraints.txt '.[celery,otel,postgres]'

FROM python:3.12-slim
LABEL org.opencontainers.image.title="Metric Connector" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/connector/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CONNECTOR_LOG_FORMAT=json
# With PostgreSQL nothing is ever written here; SQLite would have its file in this directory, on a volume.
RUN useradd --system --uid 10001 --no-create-home connector \
    && install --directory --owner=connector --mode=0700 /data
COPY --from=build /opt/connector /opt/connector
WORKDIR /data
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import urllib.request as web; web.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["connector", "serve", "--bind", "0.0.0.0:8000"]
