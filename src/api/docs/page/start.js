// Starts Swagger UI on the documentation page. `validatorUrl` is null, so that the page sends no requests to
// the validator on another host.
const dark = matchMedia('(prefers-color-scheme: dark)')
const followColorScheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
followColorScheme()
dark.addEventListener('change', followColorScheme)

window.SwaggerUIBundle({
  dom_id: '#viewer',
  // The URL of the OpenAPI document is relative, because a proxy may serve the page under a path prefix.
  url: 'openapi.json',
  validatorUrl: null,
  deepLinking: true,
  docExpansion: 'list',
  // Hides the list of schemas. It is long, and every operation shows its own schemas.
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
})
