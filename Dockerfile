# One binary in a small image: `docker build -t wasmcloud .`, then
# `docker run -p 3000:3000 -p 3001:3001 -v wasmcloud:/data wasmcloud`.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The image has the C compiler that SQLite and aws-lc need.
RUN cargo build --release --locked -p wasmcloud

FROM debian:bookworm-slim
# Certificate authorities for outgoing TLS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin wasmcloud \
    && install --directory --owner=wasmcloud --group=wasmcloud --mode=0700 /data
COPY --from=build /src/target/release/wasmcloud /usr/local/bin/wasmcloud

# By number, so that Kubernetes can see that it is not root.
USER 10001
ENV HOME=/data
VOLUME /data
# 3000: API. 3001: the edge, where handlers answer.
EXPOSE 3000 3001
# SIGTERM, which `docker stop` sends, drains; docker waits 10 s unless told to wait longer.
STOPSIGNAL SIGTERM
ENTRYPOINT ["wasmcloud"]
CMD ["serve", "--data", "/data", "--api-listen", "0.0.0.0:3000", "--edge-listen", "0.0.0.0:3001"]
