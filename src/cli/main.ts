#!/usr/bin/env node
import "../guard.js"

// Loaded once the guard has looked: an older Node could not even read all of it.
await import("./program.ts")
