import { defineConfig } from 'vite'

export default defineConfig({
  // Relative URLs: the page works under any host, port and path.
  base: './',
  build: { outDir: 'dist', emptyOutDir: true, target: 'es2022', modulePreload: { polyfill: false } },
})
