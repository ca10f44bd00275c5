import { defineConfig } from 'vite'

export default defineConfig({
  // Relative, so that the page works under whatever host, port and path it is served from.
  base: './',
  build: { outDir: 'dist', emptyOutDir: true, target: 'es2022', modulePreload: { polyfill: false } },
})
