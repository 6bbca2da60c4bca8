import { startFake } from "./fakeExecutor.ts"
import { explanation, overview } from "./sample.ts"

// The page with made-up orders, for whoever works on it: node test/page/serveFake.ts [port]
const all = overview()
const fake = await startFake(
  { overview: all, explanations: all.open.map((one) => explanation(one)) },
  Number(process.argv[2] ?? 4099)
)
setInterval(() => fake.emit("task.seen"), 3000)
console.log(fake.url)
