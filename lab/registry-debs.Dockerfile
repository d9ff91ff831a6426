# Packages of both Ubuntu releases, put where lab/internet/build.py looks for them.
ARG FROM
ARG JAMMY
ARG NOBLE
FROM ${JAMMY} AS jammy
FROM ${NOBLE} AS noble
FROM ${FROM}
COPY --from=jammy /debs /srv/debs/jammy
COPY --from=noble /debs /srv/debs/noble
