#!/bin/sh
# Makes a local stand-in for the Dockerfile's base, under its name: Debian's own Python where the real one has a
# later one, and the certificates and pip settings of this machine, which builds need behind a proxy.
set -eu
cd "$(dirname "$0")"
rootfs=$(mktemp -d)
trap 'rm -rf "$rootfs"' EXIT

debootstrap --variant=minbase --include=ca-certificates,netbase,python3,python3-venv,tzdata bookworm "$rootfs"
rm -rf "$rootfs"/var/cache/apt/* "$rootfs"/var/lib/apt/lists/*
for file in /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
  [ ! -f "$file" ] || cp "$file" "$rootfs$file"
done
tar -C "$rootfs" -c . | ./docker import \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["python3"]' \
  - docker.io/library/python:3.13-slim-bookworm
