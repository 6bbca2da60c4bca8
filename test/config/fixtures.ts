import { ConfigProvider, Effect, FileSystem, type Layer, PlatformError } from "effect"
import { load, network } from "../../src/config/load.ts"

/** Every secret that a full set of settings holds, as an operator would write it. */
export const secrets = {
  databasePassword: "Tr0ub4dor&3",
  privateKey: "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  encryptionKey: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
  rpcKey: "Zq7WcExampleKey0n1y4Tests",
  queryKey: "k-2f9c1ab3"
}

/** What an operator of Base has to set, and nothing more. */
export const onBase = {
  NETWORK: "base",
  DATABASE_URL: `postgres://executor:${encodeURIComponent(secrets.databasePassword)}@db.example.com:5432/mint`,
  AGENT_ENCRYPTION_KEY: secrets.encryptionKey
}

/** The same with every secret there is. */
export const fullOnBase = {
  ...onBase,
  AI_AGENT_PRIVATE_KEY: secrets.privateKey,
  BASE_RPC_URL: `https://base-mainnet.example.com/v2/${secrets.rpcKey}, https://rpc.example.org/?apikey=${secrets.queryKey}`
}

const absent = (path: string) =>
  PlatformError.systemError({
    _tag: "NotFound",
    module: "FileSystem",
    method: "readFileString",
    pathOrDescriptor: path
  })

/** A disk that holds these files. A file without content is there and cannot be read. */
export const disk = (files: Record<string, string | undefined> = {}): Layer.Layer<FileSystem.FileSystem> =>
  FileSystem.layerNoop({
    // A name tells the mode of its file: `/run/key.666`.
    stat: (path) =>
      Effect.succeed({ mode: Number.parseInt(/\.([0-7]{3})$/.exec(path)?.[1] ?? "600", 8) } as FileSystem.File.Info),
    readFileString: (path) => {
      if (!Object.hasOwn(files, path)) return Effect.fail(absent(path))
      const content = files[path]
      const denied = { _tag: "PermissionDenied", module: "FileSystem", method: "readFileString" } as const
      return content === undefined ? Effect.fail(PlatformError.systemError(denied)) : Effect.succeed(content)
    }
  })

export type Env = Record<string, string>

/** The settings that an environment makes, with these files on disk. */
export const loadFrom = (
  env: Env,
  options: { readonly files?: Record<string, string | undefined>; readonly terminal?: boolean } = {}
) =>
  load({ terminal: options.terminal ?? false }).pipe(
    Effect.provide(network),
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord(env)),
    Effect.provide(disk(options.files))
  )

/** What an operator reads when an environment is not good enough. */
export const problemsOf = (env: Env, files?: Record<string, string | undefined>) =>
  Effect.map(Effect.flip(loadFrom(env, files === undefined ? {} : { files })), (error) => error.problems)
