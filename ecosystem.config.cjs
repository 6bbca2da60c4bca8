// `pm2 start ecosystem.config.cjs` runs the output of `npm run build`.
const path = require("node:path")

module.exports = {
  apps: [
    {
      name: "ai-mint-executor",
      cwd: __dirname,
      script: "dist/main.js",
      // The Node of the package `node`, independent of the one that pm2 runs on. The guard reports if it is missing.
      interpreter: path.join(__dirname, "node_modules/.bin/node"),
      // By default Node lets garbage come to several times what is in use before it collects it: a sweep of 10,000 orders
      // would leave 300 MB behind. Where memory is short, add "--optimize-for-size": with so many orders it takes 80 MB
      // less, and a third more processor time for a batch.
      node_args: [
        "--max-semi-space-size=4",
        "--heap-growing-percent=50",
        "--import",
        "./dist/guard.js"
      ],
      // One process on each machine. With RUNNERS=cluster (and otherwise the same .env) on two machines, start this on both:
      // they divide the wallets among them, and each goes on with the other's when that one is down. See docs/scale.md.
      // Without it a second process is safe, and does the work of the first again.
      exec_mode: "fork",
      instances: 1,
      // The executor signals pm2 when it has checked chain and database and starts its loops. If one of them does not
      // answer, it exits with code 1, and pm2 tries again, at first soon and then every 15 s.
      wait_ready: true,
      listen_timeout: 60_000,
      // Longer than DRAIN_TIMEOUT (default 30 s): a payment in flight is finished or recorded before the end. Raise both
      // together.
      kill_timeout: 45_000,
      // With treekill, pm2 sends SIGINT to child processes at the same moment as to the executor, and on `local` the
      // chain would be gone while a mint still needs it. The executor ends its own children.
      treekill: false,
      // A restart does not repair bad settings. (pm2 7 lists the app as `waiting restart` and leaves it stopped.)
      stop_exit_codes: [78],
      exp_backoff_restart_delay: 200,
      merge_logs: true,
      // The log has timestamps of its own.
      time: false,
      env: { NODE_ENV: "production" }
    }
  ]
}
