# One static binary in an empty file system, as a user without a name.
#
# tests/image runs the steps of the build stage as they stand here and starts what they make. The
# compiler is that of the base image, whatever rust-toolchain.toml says: that file stays outside
# (.dockerignore). To build for the other architecture no emulation is needed: clang and rust-lld
# make both from either.

FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build

# Records the dependency tree in the binary, so that scanners of vulnerabilities can read it there.
RUN cargo install cargo-auditable --locked --version 0.7.7 --debug

# The C compiler (cryptography and allocator have some), and the C library for the architecture asked
# for. Nothing of these packages but the C library's headers reaches the image, so their versions need not be fixed.
ARG TARGETARCH
# hadolint ignore=DL3008
RUN set -eu; \
    case "$TARGETARCH" in \
      amd64) arch=x86_64 ;; \
      arm64) arch=aarch64 ;; \
      *) echo "there is no image for the architecture '$TARGETARCH'" >&2; exit 1 ;; \
    esac; \
    target="$arch-unknown-linux-musl"; \
    dpkg --add-architecture "$TARGETARCH"; \
    apt-get update; \
    apt-get install -y --no-install-recommends clang "musl-dev:$TARGETARCH"; \
    rm -rf /var/lib/apt/lists/*; \
    rustup target add "$target"; \
    mkdir /.cargo; \
    printf '%s\n' \
      '[build]' \
      "target = '$target'" \
      "[target.$target]" \
      "linker = 'rust-lld'" \
      '[env]' \
      "CC_${arch}_unknown_linux_musl = 'clang'" \
      "CFLAGS_${arch}_unknown_linux_musl = '--target=$arch-linux-musl -nostdlibinc -isystem /usr/include/$arch-linux-musl'" \
      > /.cargo/config.toml

WORKDIR /build

# Without default features: the image has the controller, and nothing of the sandbox (no API server, no
# terminal library). The dependencies alone, over an empty crate: this layer stays until Cargo.toml or Cargo.lock changes.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo auditable build --release --locked --no-default-features --features controller

# The program. Sources may be older than the empty crate that was built, hence the touch.
COPY src src
RUN touch src/main.rs src/lib.rs \
    && cargo auditable build --release --locked --no-default-features --features controller \
    && cp target/*-linux-musl/release/endpointslice-controller /endpointslice-controller

# Symbols are a fifth of it. This tool comes with the compiler and knows every architecture. (The
# section that stays is cargo auditable's.)
RUN sysroot="$(rustc --print sysroot)" \
    && strip="$(find "$sysroot/lib/rustlib" -name rust-objcopy)" \
    && LD_LIBRARY_PATH="$sysroot/lib" "$strip" --strip-all --keep-section=.dep-v0 /endpointslice-controller

FROM scratch

ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="endpointslice-controller" \
      org.opencontainers.image.description="Replaces the two EndpointSlice controllers of kube-controller-manager" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE"

COPY --from=build /endpointslice-controller /endpointslice-controller

# A number, so that runAsNonRoot can be checked; the same as in distroless images.
USER 65532:65532
STOPSIGNAL SIGTERM
EXPOSE 8080
ENTRYPOINT ["/endpointslice-controller"]
CMD ["run"]
