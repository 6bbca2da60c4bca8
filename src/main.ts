import "./guard.js"

// Loaded once the guard has looked: an older Node could not even read all of it.
const [{ runMain }, { app, teardown }] = await Promise.all([
  import("@effect/platform-node/NodeRuntime"),
  import("./App.ts")
])

runMain(app, { disableErrorReporting: true, teardown })
