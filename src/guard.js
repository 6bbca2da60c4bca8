// Runs before everything else (`node --import ./src/guard.js …`) and says in words that this Node is too old, where
// an old Node would otherwise trip over the first piece of newer syntax. Hence plain JavaScript that Node 12 can read.

var NEEDED_MAJOR = 24

if (Number(process.versions.node.split(".")[0]) < NEEDED_MAJOR) {
  console.error(
    [
      "AI Mint Executor needs Node " + NEEDED_MAJOR + " or newer, and this is Node " + process.versions.node + ".",
      "The right one comes with the packages: run `npm ci`, then start through npm (`npm start`, `npm run …`),",
      "or call node_modules/.bin/node directly.",
      "Started through npm already? Then npm did not run the install script of the package `node`, which puts the",
      "binary in place: `allowScripts` in package.json must list it. `npm rebuild node` makes up for it."
    ].join("\n")
  )
  process.exit(1)
}
