"""The Celery app: the task, and the settings for throughput of the page "Optimizing" in Celery's manual."""

import os
from typing import Any

from celery import Celery, Task

REDIS_URL = os.environ["REDIS_URL"].rstrip("/")
# Messages and results are in two databases of the same Redis, so that DBSIZE counts the results.
BROKER = f"{REDIS_URL}/0"
RESULTS = f"{REDIS_URL}/1"

app = Celery("tasks", broker=BROKER, backend=RESULTS)
app.conf.update(
    # The manual recommends 64 or 128 for short tasks: the worker fetches messages while tasks run.
    worker_prefetch_multiplier=128,
    # A task whose worker or pool process dies is delivered again, as in the other systems. If a whole worker
    # dies, the Redis transport does so after an hour. Early acknowledgement takes no less CPU time per task.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # Results are stored without a time to live. Redis then keeps no list of expiry times.
    result_expires=0,
    # No tasks are started, stopped or inspected from outside, so the worker need not listen for commands.
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)


class CountedTask(Task):
    """Deletes the result of a failed task, so that the count of results is the count of successes."""

    def on_failure(self, _error: Exception, task_id: str, *_: Any) -> None:
        self.backend.forget(task_id)


@app.task(name="reverse", base=CountedTask)
def reverse(text: str) -> dict[str, str]:
    return {"text": text[::-1]}
