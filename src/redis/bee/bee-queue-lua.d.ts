// Types of Bee-Queue's script loader, which its typings leave out. Bee-Queue calls it only when it connects.
declare module 'bee-queue/lib/lua/index.js' {
  const lua: { buildCache(client: unknown): Promise<unknown> }
  export default lua
}
