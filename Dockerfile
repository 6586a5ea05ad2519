# The platform on one machine. Build: docker build -t twolane .
# Run:   docker run -p 127.0.0.1:8080:8080 -e TWOLANE_ADMIN_TOKEN=… -e TWOLANE_INSECURE_HTTP=true -v twolane:/data twolane
# Other machines can reach a container, so it does not start without TWOLANE_ADMIN_TOKEN, nor without TLS
# (TWOLANE_TLS_CERTIFICATE_FILE and TWOLANE_TLS_KEY_FILE) unless TWOLANE_INSECURE_HTTP says that a port on this machine, or
# a proxy that speaks TLS, is the only way in.

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# --omit=optional leaves out the embedded ClickHouse, for runtimes that use a server.
ARG OMIT=
RUN npm ci --omit=dev $OMIT

FROM node:24-slim
ENV NODE_ENV=production TWOLANE_HOST=0.0.0.0 TWOLANE_PORT=8080 TWOLANE_DATA=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY runtime runtime
COPY plugins plugins
COPY schemas schemas
COPY pipelines pipelines
COPY config config
# The one folder that the platform writes to. The files of the project belong to root: it cannot change its own code.
# The lake in it may be a volume of its own, which then belongs to that user, too.
RUN mkdir -p /data/lake && chown node:node /data /data/lake && chmod 700 /data
USER node
VOLUME /data
EXPOSE 8080
# Whether the process answers. A pipeline that fails is no reason to end the others: /readyz tells about those.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "require(process.env.TWOLANE_TLS_CERTIFICATE_FILE ? 'node:https' : 'node:http').get({ host: '127.0.0.1', port: process.env.TWOLANE_PORT, path: '/healthz', rejectUnauthorized: false }, answer => process.exit(answer.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
CMD ["node", "runtime/main.ts"]
