import { startFake } from "./fakeExecutor.ts"
import { closed, explanation, overview } from "./sample.ts"

// The page with made-up orders, for whoever works on it: node test/page/serveFake.ts [port]
const all = overview()
const tasks = [...all.open, ...closed(10_000)]
const fake = await startFake(
  { overview: all, explanations: tasks.map((one) => explanation(one)), tasks },
  Number(process.argv[2] ?? 4099)
)
setInterval(() => fake.emit("task.seen"), 3000)
console.log(fake.url)
