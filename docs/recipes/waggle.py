"""Submits tasks to Waggle, and waits until they have ended."""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

# Key in use, rate limit, restart, overload, outcome unknown: the same request can succeed.
TRANSIENT = {409, 429, 502, 503, 504}


class Problem(Exception):
    """An error response. `errors` has the faults of an input, with JSON pointers."""

    def __init__(self, status, problem):
        super().__init__(problem.get("detail", f"HTTP status {status}"))
        self.status = status
        self.type = problem.get("type")
        self.errors = problem.get("errors", [])


class Waggle:
    def __init__(self, url, key=None):
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def submit(self, name, input, idempotency_key, **options):
        """Returns the task. A second call with the same key and input returns the same task."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        body = json.dumps({"input": input, "options": options}).encode()
        return self.request(f"/v1/tasks/{name}", body, headers)

    def wait(self, task_id, seconds=3600):
        """Returns the task when it has ended. The API responds at its end, or after 20 s."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            task = self.request(f"/v1/tasks/{task_id}?wait=20")
            if task["is_final"]:
                return task
        raise TimeoutError(f"Task {task_id} has not ended within {seconds} s")

    def request(self, path, body=None, headers={}):
        request = urllib.request.Request(self.url + path, body, self.headers | headers)
        for pause in (0.5, 1, 2, 4, 8, 16, None):
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                if error.code not in TRANSIENT or pause is None:
                    is_problem = error.headers.get_content_type() == "application/problem+json"
                    raise Problem(error.code, json.load(error) if is_problem else {}) from None
                retry_after = error.headers.get("Retry-After", "")
                pause = max(pause, int(retry_after) if retry_after.isdecimal() else 0)
            except (OSError, http.client.HTTPException):  # no response, or a part of one
                if pause is None:
                    raise
            time.sleep(pause)


if __name__ == "__main__":
    url, name, input, idempotency_key = sys.argv[1:]
    waggle = Waggle(url, os.environ.get("WAGGLE_API_KEY"))
    task = waggle.submit(name, json.loads(input), idempotency_key, tags=["python"])
    task = waggle.wait(task["id"])
    if task["status"] != "SUCCESS":
        sys.exit(f"{task['status']}: {task['error']}")
    print(json.dumps(task["result"]))
