"""The worker of "FastAPI + Celery": a pool of processes, Celery's default."""

import warnings

from celery.platforms import SecurityWarning

from tasks import app

# Containers and test machines run the bench as root.
warnings.filterwarnings("ignore", category=SecurityWarning)

# The pool has one process per processor, Celery's default. A process runs one task at a time, so as many
# concurrent tasks as in the other systems would be a hundred processes.
# A single worker needs no messages between workers (gossip, mingle) and no heartbeat to a broker.
app.worker_main(
    ["--quiet", "worker", "--loglevel=WARNING", "--pool=prefork"]
    + ["--without-gossip", "--without-mingle", "--without-heartbeat"]
)
