// Bee-Queue loads its Lua scripts at connect only; this is its own loader, which its typings leave out.
declare module 'bee-queue/lib/lua/index.js' {
  const lua: { buildCache(client: unknown): Promise<unknown> }
  export default lua
}
