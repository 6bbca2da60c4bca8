// `pm2 start ecosystem.config.cjs` runs what `npm run build` made.
const path = require("node:path")

module.exports = {
  apps: [
    {
      name: "ai-mint-executor",
      cwd: __dirname,
      script: "dist/main.js",
      // The Node that the package `node` brought, whatever Node pm2 itself runs on. The guard says so if it is not there.
      interpreter: path.join(__dirname, "node_modules/.bin/node"),
      node_args: ["--enable-source-maps", "--import", "./dist/guard.js"],
      // One process. A second one would be held off by the database, and help nobody.
      exec_mode: "fork",
      instances: 1,
      // The executor tells pm2 when it has checked chain and database and starts to look at tasks. Where one of them does
      // not answer it ends with code 1, and pm2 tries again, at first soon and then every 15 s.
      wait_ready: true,
      listen_timeout: 60_000,
      // Longer than DRAIN_TIMEOUT (30 s unless set): a payment in flight is finished or written down before the end.
      // Whoever raises that raises this.
      kill_timeout: 45_000,
      // With treekill, pm2 sends SIGINT to child processes at the same moment as to the executor, and on `local` the
      // database would be gone while a mint is still being written to it. The executor ends its own children.
      treekill: false,
      // Bad settings stay bad, however often they are read. (pm2 7 lists the app as `waiting restart` and lets it be.)
      stop_exit_codes: [78],
      exp_backoff_restart_delay: 200,
      merge_logs: true,
      // The log has its own times.
      time: false,
      env: { NODE_ENV: "production" }
    }
  ]
}
