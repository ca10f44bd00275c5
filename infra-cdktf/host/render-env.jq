# Converts responses of Parameter Store to the lines of .env (`$output` is "env"), of .env.project ("project"), or
# of the file for the scripts of this host ("host"). A parameter of the role overrides one of the environment.

def needed($name): .[$name] // error("The parameter \($name) is missing below /waggle/\(env.ENVIRONMENT)");

# Neither Compose nor the shell interprets values in single quotes.
def line:
  if .value | test("['\\\\\\p{Cc}]") then error("The parameter \(.key) contains a quote, a backslash or a control character")
  elif .value | test("^[A-Za-z0-9._:/@+=,~-]*$") then "\(.key)=\(.value)"
  else "\(.key)='\(.value)'" end;

# The settings of the project's own services are in a folder of their own.
[.[].Parameters[] | select((.Name | test("/project/[^/]+$")) == ($output == "project"))
  | {key: (.Name | split("/") | last), value: .Value}] | from_entries
| . as $parameters
| (.COMPOSE_PROFILES != "redis") as $runsTasks
| ["DATABASE_PASSWORD", "DATABASE_HOST", "REDIS_USERNAME", "REDIS_SCHEME", "REDIS_HOST", "METRICS_API_KEY", "SMOKE_API_KEY",
   "MASTER_SECRET_ARN", "WORKER_KINDS", "DATA_VOLUME"] as $parts
| if $output == "project" then .
  elif $output == "host" then
    with_entries(select(.key == ("METRICS_API_KEY", "MASTER_SECRET_ARN", "DOMAIN")))
  else
    with_entries(select(.key | IN($parts[]) | not))
    + {
      COMPOSE_PROFILES: needed("COMPOSE_PROFILES"),
      # Added here and not in Parameter Store, because older releases do not contain these files.
      # host/render-env.sh writes those of the workers.
      COMPOSE_FILE: (needed("COMPOSE_FILE")
        + (if $parameters.DOMAIN then ":docker-compose.https.yml" else "" end)
        + (if $parameters.WORKER_KINDS then ":workers.json:workers.aws.json" else "" end)),
      AWS_REGION: needed("AWS_REGION"),
      ECR_REGISTRY: needed("ECR_REGISTRY"),
      # Compose requires a value also for services that a host with only Redis does not run.
      DATABASE_URL: (if $runsTasks then "postgres://waggle_app:\(needed("DATABASE_PASSWORD") | @uri)@\(needed("DATABASE_HOST")):5432/waggle" else "unused" end),
      REDIS_URL: (if $runsTasks then "\($parameters.REDIS_SCHEME // "redis")://\($parameters.REDIS_USERNAME // "default"):\(needed("REDIS_PASSWORD") | @uri)@\(needed("REDIS_HOST")):6379" else "unused" end),
      WAGGLE_HOST: "\(env.HOST_NAME)/\(env.INSTANCE_ID)",
      PRIVATE_ADDRESS: env.PRIVATE_ADDRESS,
      WAGGLE_TAG: $tag
    }
  end
| to_entries | sort_by(.key)[] | line
