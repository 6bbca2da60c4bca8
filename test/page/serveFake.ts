import { startFake } from "./fakeExecutor.ts"
import { closed, DELIVERIES, explanation, KEYS, LIMITS, overview, WEBHOOKS } from "./sample.ts"

// The page with made-up orders, for whoever works on it: node test/page/serveFake.ts [port]
const all = overview({ limits: LIMITS })
const tasks = [...all.open, ...closed(10_000)]
const fake = await startFake(
  {
    overview: all,
    explanations: tasks.map((one) => explanation(one)),
    tasks,
    keys: KEYS,
    webhooks: WEBHOOKS,
    deliveries: DELIVERIES
  },
  Number(process.argv[2] ?? 4099)
)
setInterval(() => fake.emit("task.seen"), 3000)
console.log(fake.url)
