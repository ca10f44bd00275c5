// Types of Bee-Queue's loader of Lua scripts, which the typings of Bee-Queue leave out. Bee-Queue calls it
// only when it connects for the first time; connection.ts calls it when Redis has lost the scripts.
declare module 'bee-queue/lib/lua/index.js' {
  const lua: { buildCache(client: unknown): Promise<unknown> }
  export default lua
}
