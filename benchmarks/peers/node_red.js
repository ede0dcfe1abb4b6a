// Node-RED as it comes, without its editor, and with what the flow's function needs.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: process.env.BENCH_PORT,
  httpAdminRoot: false,
  flowFile: undefined,
  functionGlobalContext: {
    crypto: require("crypto"),
    secret: process.env.BENCH_SECRET,
    metrics: process.env.BENCH_LAUNCHDARKLY + "/api/v2/metrics/demo",
  },
  logging: { console: { level: "warn" } },
  telemetry: { enabled: false },
};
