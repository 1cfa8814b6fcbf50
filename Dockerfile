# syntax=docker/dockerfile:1

# The sample app with the SDK inside it, and the support console.
FROM node:22-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
COPY web/api/package.json api/
COPY web/sdk/package.json sdk/
COPY web/app/package.json app/
COPY web/kit/package.json kit/
COPY web/node/package.json node/
COPY web/support/package.json support/
COPY web/react/package.json react/
COPY web/testing/package.json testing/
COPY web/vite/package.json vite/
RUN --mount=type=cache,target=/root/.npm npm ci
COPY web/ ./
COPY api/openapi.yaml /src/api/
RUN npm run build

# The program: static, so that the last stage needs nothing else.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
COPY --from=web /src/web/dist web/dist
# What `holdfast version` and holdfast_build_info say: docker build --build-arg VERSION=$(git describe --always --dirty)
ARG VERSION=
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.linked=${VERSION}" -o /holdfast ./cmd/holdfast
# A volume takes over the owner of the folder that it covers.
RUN mkdir -p /empty/holdfast && chmod 0700 /empty/holdfast

# The program with pg_dump and pg_restore, for the services backup and restore alone: the same major version as the
# database's, or a newer one.
FROM postgres:17-bookworm AS backup
COPY --from=build /holdfast /usr/local/bin/holdfast
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/holdfast /spool
USER 65532:65532
ENV HOLDFAST_DATA=/var/lib/holdfast \
    TMPDIR=/spool
ENTRYPOINT ["/usr/local/bin/holdfast"]
CMD ["backup", "-"]

# The server. Nothing but the program is in it.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /empty/ /var/lib/
COPY --from=build /holdfast /usr/local/bin/holdfast
USER 65532:65532
ENV HOLDFAST_DATA=/var/lib/holdfast \
    HOLDFAST_LISTEN=0.0.0.0:8080 \
    HOLDFAST_OPS_LISTEN=0.0.0.0:9090
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/holdfast"]
CMD ["serve"]
