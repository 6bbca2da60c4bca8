import { initial, type State } from "./state.ts"

export interface Store {
  readonly get: () => State
  /** Changes what is known, and has it shown. */
  readonly update: (change: (state: State) => State) => void
}

export const makeStore = (render: (state: State) => void): Store => {
  let state = initial
  return {
    get: () => state,
    update: (change) => {
      state = change(state)
      render(state)
    }
  }
}
