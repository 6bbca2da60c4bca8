import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { app, teardown } from "./App.ts"

NodeRuntime.runMain(app, { disableErrorReporting: true, teardown })
