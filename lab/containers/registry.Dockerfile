# A base from the container registry (LAB_BASE=registry): genuine Ubuntu plus the packages that the lab needs.
ARG FROM
FROM ${FROM}
ARG PACKAGES
ARG DOWNLOAD
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
 && if [ -n "$PACKAGES" ]; then apt-get install -y --no-install-recommends $PACKAGES; fi \
 && if [ -n "$DOWNLOAD" ]; then mkdir -p /debs && cd /debs \
      && apt-get -o APT::Sandbox::User=root download $DOWNLOAD \
      && dpkg-deb -f python3-venv_*.deb Depends | grep -o 'python3\.[0-9]*-venv' | sort -u \
         | xargs apt-get -o APT::Sandbox::User=root download; fi \
 && rm -rf /var/lib/apt/lists/*
