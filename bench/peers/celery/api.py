"""The API of "FastAPI + Celery": a task is a message in Redis, and later a result in Redis. It has no row."""

import os
from typing import Annotated

import uvicorn
from celery import Celery
from celery.exceptions import TimeoutError as WaitTimeout
from fastapi import FastAPI
from pydantic import BaseModel, Field
from redis.asyncio import Redis

from tasks import BROKER, RESULTS, app

# Submits without a result backend. With one, Celery subscribes to the result of each submitted task: one more
# command per task, and a connection whose unread results make Redis close it.
producer = Celery("producer", broker=BROKER, backend="disabled://")
results = Redis.from_url(RESULTS)
api = FastAPI()


class ReverseInput(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=10_000)]


class Submission(BaseModel):
    input: ReverseInput


class TaskView(BaseModel):
    id: str
    name: str = "reverse"
    status: str
    result: dict[str, str] | None = None


@api.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@api.get("/unfinished")
async def count_unfinished(accepted: int) -> dict[str, int]:
    return {"count": accepted - await results.dbsize()}


# A coroutine although `send_task` blocks: one Redis command on the loopback interface costs less than the
# switch to a thread.
@api.post("/v1/tasks/reverse", status_code=202)
async def submit(submission: Submission) -> TaskView:
    sent = producer.send_task("reverse", (submission.input.text,))
    return TaskView(id=sent.id, status="PENDING")


# A function and not a coroutine: FastAPI runs it in a thread, which waits for the event of the result.
@api.get("/v1/tasks/{task_id}")
def read_task(task_id: str, wait: float = 0) -> TaskView:
    task = app.AsyncResult(task_id)
    try:
        task.get(timeout=wait, propagate=False)
    except WaitTimeout:
        return TaskView(id=task_id, status=task.status)
    return TaskView(id=task_id, status=task.status, result=task.result if task.successful() else None)


if __name__ == "__main__":
    # One process, as in the other systems: the worker is slower than the API, and both share the processors.
    uvicorn.run(
        api,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
