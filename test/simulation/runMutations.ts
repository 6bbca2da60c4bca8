import { MUTATIONS } from "./mutations.ts"
import { noticed } from "./noticed.ts"

// `npm run simulate:mutations [-- part of a name]`

const wanted = process.argv[2] ?? ""
let survivors = 0
for (const mutation of MUTATIONS.filter(({ name }) => name.includes(wanted))) {
  const { seed, said } = noticed(mutation)
  if (seed === undefined) survivors++
  const verdict = seed === undefined ? "SURVIVES" : `caught by seed ${seed} of ${mutation.withinSeeds}`
  console.log(
    `${verdict}: ${mutation.name} (${[...new Set(mutation.patches.map(({ file }) => file))].join(", ")})\n    ${said}`
  )
}
console.log(survivors === 0 ? "Every mutation is caught." : `${survivors} mutation(s) survive.`)
process.exitCode = survivors === 0 ? 0 : 1
