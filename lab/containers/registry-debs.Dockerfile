# Packages of the Ubuntu releases, put where internet/build.py looks for them.
ARG FROM
ARG JAMMY
ARG NOBLE
ARG RESOLUTE
FROM ${JAMMY} AS jammy
FROM ${NOBLE} AS noble
FROM ${RESOLUTE} AS resolute
FROM ${FROM}
COPY --from=jammy /debs /srv/debs/jammy
COPY --from=noble /debs /srv/debs/noble
COPY --from=resolute /debs /srv/debs/resolute
