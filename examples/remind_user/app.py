"""Remind a user: after an hour, and again a day later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lambda_workflow import App, Context, RetryPolicy, Service, ServiceError, Task, serve, workflow


@dataclass(frozen=True)
class Reminder:
    """What the user is to be told."""

    user: str
    text: str


MAIL: Service[Reminder, None] = Service(
    "mail",
    Reminder,
    None,
    retry=RetryPolicy(attempts=5, initial=timedelta(seconds=10), cap=timedelta(minutes=5)),
)


@workflow
async def remind(ctx: Context, reminder: Reminder) -> int:
    """How many reminders were sent."""
    await ctx.sleep(timedelta(hours=1))
    await ctx.call(MAIL, reminder, name="first")
    await ctx.sleep(timedelta(days=1))
    await ctx.call(MAIL, Reminder(reminder.user, f"Again: {reminder.text}"), name="second")
    return 2


@serve(MAIL)
async def send(reminder: Reminder, task: Task) -> None:
    """A mail server that refuses the first attempt."""
    if task.attempt == 1:
        raise ServiceError("try again later", type="Greylisted")


app = App("remind-user", workflows=[remind], adapters=[send])
