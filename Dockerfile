FROM python:3.13-slim-bookworm AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/tokenwire

# `tokenizers` counts tokens exactly, at the price of a larger image.
ARG LOCK=server
COPY requirements/build.lock requirements/$LOCK.lock requirements/
RUN /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.lock \
 && /opt/build/bin/pip --python /opt/tokenwire install --no-compile --require-hashes --only-binary :all: -r "requirements/$LOCK.lock"

COPY pyproject.toml README.md LICENSE ./
COPY clients/python clients/python
COPY server server
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/build/bin/pip --python /opt/tokenwire install --no-compile --no-deps dist/*.whl
# By content, not by time: a copy between stages may round times, and all would be compiled at each start.
RUN /opt/tokenwire/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/tokenwire/lib


FROM python:3.13-slim-bookworm
# With the bytecode, as nothing can be written at run time.
COPY --from=build /opt/tokenwire /opt/tokenwire
ENV PATH=/opt/tokenwire/bin:$PATH

# Loopback is of no use in a container. Who may call stays the operator's word: auth.mode has no default here.
# (The linter takes TOKENWIRE_ for the name of a token.)
# hadolint ignore=DL3064
ENV TOKENWIRE_SERVER__LISTEN=0.0.0.0:50051 TOKENWIRE_METRICS__LISTEN=0.0.0.0:9464
EXPOSE 50051 9464

# Where ./tokenwire.toml is looked for.
WORKDIR /etc/tokenwire
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --retries=3 CMD ["tokenwire", "health", "--timeout=2"]
ENTRYPOINT ["tokenwire"]
CMD ["serve"]

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tokenwire" \
      org.opencontainers.image.description="One typed gRPC service in front of OpenAI, Mistral and every OpenAI-compatible model server" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
