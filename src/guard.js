import { spawn } from "node:child_process"
import { existsSync, realpathSync } from "node:fs"
import { constants } from "node:os"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"

// Runs before everything else (`node --import ./src/guard.js …`, and as the first import of each entry), where an older
// Node would trip over the first piece of newer syntax. Hence plain JavaScript that Node 16 can read.
// A command goes on in the Node that came with the packages. The executor does not: the process that a supervisor
// started has to be the one that it stops, and so one line says how to start it.

var NEEDED_MAJOR = 24

// Node would open its inspector on this signal, to every program of the machine: with it they could read the keys.
process.on("SIGUSR1", function () {})

/** The Node of the package `node`, beside src/ as beside dist/. */
var OWN = fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url))

if (Number(process.versions.node.split(".")[0]) < NEEDED_MAJOR) {
  if (isThere() && isCommand()) await goOnInOwn()
  else {
    console.error(
      "AI Mint Executor needs Node " +
        NEEDED_MAJOR +
        " or newer, and this is Node " +
        process.versions.node +
        ". " +
        advice()
    )
    process.exit(1)
  }
}

/** Not where this is the one that came with the packages. */
function isThere() {
  return existsSync(OWN) && realpathSync(OWN) !== realpathSync(process.execPath)
}

function isCommand() {
  return process.argv[1] !== undefined && /[\\/]cli[\\/]main\.[jt]s$/.test(realpathSync(process.argv[1]))
}

/** Never ends: the other process does, and this one with it. */
function goOnInOwn() {
  var child = spawn(OWN, process.execArgv.concat(process.argv.slice(1)), { stdio: "inherit" })
  process.on("SIGTERM", pass)
  process.on("SIGHUP", pass)
  process.on("SIGINT", function (signal) {
    // Ctrl-C of a terminal reaches both by itself.
    if (!process.stdin.isTTY) pass(signal)
  })
  child.on("exit", function (code, signal) {
    process.exit(signal === null ? code : 128 + (constants.signals[signal] || 0))
  })
  return new Promise(function () {})

  /** @param {NodeJS.Signals} signal */
  function pass(signal) {
    child.kill(signal)
  }
}

function advice() {
  if (!isThere())
    return "The right one comes with the packages: run npm ci, and if that leaves none in place, npm rebuild node."
  var own = relative(process.cwd(), OWN)
  var rest = process.argv.slice(1).map(function (part, index) {
    return index === 0 ? relative(process.cwd(), part) : part
  })
  return "Start it with the one of its packages: npm start, or " + [own].concat(rest).join(" ")
}
