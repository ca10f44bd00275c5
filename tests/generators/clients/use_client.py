# A client as users write it, with the package that openapi-python-client generates. The test runs it.
import json
import sys
from uuid import UUID

from waggle_client import AuthenticatedClient
from waggle_client.api.submit import submit_reverse
from waggle_client.api.tasks import get_task, list_tasks
from waggle_client.models import (
    ListTasksInput,
    ListTasksStatusItem,
    Problem404,
    ReverseInput,
    ReverseSubmission,
    ReverseTask,
    SubmitOptions,
    TaskPage,
    TaskWithAttempts,
)

base_url, api_key, unknown_id = sys.argv[1:]

with AuthenticatedClient(base_url=base_url, token=api_key) as client:
    options = SubmitOptions(tags=["python"])
    body = ReverseSubmission(input_=ReverseInput(text="Waggle"), options=options)
    submitted = submit_reverse.sync(client=client, body=body)
    assert isinstance(submitted, ReverseTask), submitted

    finished = get_task.sync(submitted.id, client=client.with_timeout(30), wait=20)
    assert isinstance(finished, TaskWithAttempts), finished

    statuses = [ListTasksStatusItem.SUCCESS, ListTasksStatusItem.FAILURE]
    filtered = ListTasksInput.from_dict({"input.text": "Waggle"})
    page = list_tasks.sync(client=client, tag="python", status=statuses, input_=filtered)
    assert isinstance(page, TaskPage), page

    problem = get_task.sync(UUID(unknown_id), client=client)
    assert isinstance(problem, Problem404), problem

print(
    json.dumps(
        {
            "status": finished.status,
            "result": finished.result,
            "count": len(page.data),
            "problem": problem.type_,
        }
    )
)
