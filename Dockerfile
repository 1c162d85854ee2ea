# The nightly run in a container: docs/operations.md builds and runs it.
#
# The base is Debian 13: its Python and its security updates are Debian's own, and a Debian can be
# made from packages alone. So tests/image builds this very file where there is no registry.
FROM debian:trixie-slim AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*

# What only installs packages stays behind in this stage.
FROM python AS packages
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN python3 -m venv /installer && python3 -m venv --without-pip /venv
COPY requirements/production.txt .
RUN /installer/bin/pip --python /venv/bin/python install \
    --no-cache-dir --only-binary :all: --require-hashes -r production.txt

FROM python
RUN useradd --uid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin sparkify
COPY --from=packages /venv /venv
WORKDIR /app
# .dockerignore says what this is. A saved parse would not help: dbt discards one that was made with
# another connection.
COPY . .
RUN cp profiles.yml.example profiles.yml && chmod -R a+rX .

# The root may be read-only: only /tmp is written to. It is a volume because ECS takes over the
# permissions of /tmp, which everybody may write to, only from a volume.
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    DBT_TARGET=redshift \
    DBT_USE_COLORS=false \
    DBT_TARGET_PATH=/tmp/target \
    DBT_LOG_PATH=/tmp/logs
VOLUME /tmp
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
