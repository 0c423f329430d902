"""Tasks for later, in whole seconds of the clock (src/switch_scheduler.c)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent

from orchestrator.sandbox.file_queue import SpawnLater


@dataclass(frozen=True, slots=True)
class Task:
    """One entry of the task list; `group` is the channel that it is about."""

    task_id: int
    group: str
    runtime: int
    timer: gevent.Greenlet[..., object] = field(repr=False, compare=False)

    def headers(self, description: str) -> dict[str, str]:
        """Return what ADD_SCHEDULE and DEL_SCHEDULE say of the task."""
        return {
            "Task-ID": str(self.task_id),
            "Task-Desc": description,
            "Task-Group": self.group,
            "Task-Runtime": str(self.runtime),
        }


class Scheduler:
    """switch_scheduler_add_task and _del_task_group. A task due at second 12 runs when second 12 begins."""

    def __init__(self, fire: Callable[[str, dict[str, str]], None], spawn_later: SpawnLater) -> None:
        """No task yet."""
        self._fire = fire
        self._spawn_later = spawn_later
        self._tasks: dict[int, Task] = {}
        self._last_id = 0

    def add(self, runtime: int, group: str, callback: Callable[[], None]) -> None:
        """Call back when the clock shows `runtime`."""
        self._last_id += 1
        task_id = self._last_id
        delay_seconds = max(0.0, runtime - time.time())
        timer = self._spawn_later(delay_seconds, self._run, task_id, callback)
        task = Task(task_id, group, runtime, timer)
        self._tasks[task_id] = task
        self._fire("ADD_SCHEDULE", task.headers("switch_ivr_schedule_hangup"))

    def delete_group(self, group: str) -> int:
        """Delete the tasks of a channel, which need not exist any more; returns how many there were."""
        found = [task for task in self._tasks.values() if task.group == group]
        for task in found:
            self._delete(task)
        return len(found)

    def delete(self, task_id: int) -> int:
        """Delete a task; returns how many there were: one or none."""
        task = self._tasks.get(task_id)
        if task is None:
            return 0
        self._delete(task)
        return 1

    def _delete(self, task: Task) -> None:
        task.timer.kill(block=False)
        del self._tasks[task.task_id]
        self._fire("DEL_SCHEDULE", task.headers("switch_ivr_schedule_hangup"))

    def _run(self, task_id: int, callback: Callable[[], None]) -> None:
        task = self._tasks.pop(task_id)
        callback()
        self._fire("DEL_SCHEDULE", task.headers("switch_ivr_schedule_hangup"))
