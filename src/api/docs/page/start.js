// Starts the viewer with everything off that would ask another host.
const dark = matchMedia('(prefers-color-scheme: dark)')
const followColorScheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
followColorScheme()
dark.addEventListener('change', followColorScheme)

window.SwaggerUIBundle({
  dom_id: '#viewer',
  // Relative: beside this page, under whatever prefix it was found.
  url: 'openapi.json',
  validatorUrl: null,
  deepLinking: true,
  docExpansion: 'list',
  // The schemas are long, and stand beside every operation already.
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
})
