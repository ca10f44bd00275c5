# Builds the images of a project for a registry, in the folder of the project:
#
#   REGISTRY=… COMMIT=… docker buildx bake --file node_modules/waggle-tasks/docker/docker-bake.hcl --push
#
# A builder with the driver docker-container does not see the images of this machine, so `core` is not an image
# here: it is built with `app`.
variable "REGISTRY" {}
variable "COMMIT" {}

group "default" {
  targets = ["app", "web"]
}

target "package" {
  context  = "node_modules/waggle-tasks/docker"
  contexts = { package = "node_modules/waggle-tasks" }
}

target "core" {
  inherits = ["package"]
  target   = "core"
}

# `waggle-core` is the image that the Dockerfile of a project begins with.
target "app" {
  contexts = { waggle-core = "target:core" }
  target   = "app"
  tags     = ["${REGISTRY}/waggle-app:${COMMIT}"]
}

target "web" {
  inherits = ["package"]
  target   = "web"
  tags     = ["${REGISTRY}/waggle-web:${COMMIT}"]
}
