"""Sends a mail once for each task, as far as that can be known.

1. A task that was sent is answered with its message id, and not sent again.
2. While one delivery of a task sends it, the others come back later.
3. What is in doubt (a crash or a broken connection between SES and the ledger) is sent again, or
   with EMAIL_ON_DOUBT=fail never again. What is known not to be sent may be sent again either way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from lambda_workflow import Later, ServiceError
from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client
from lambda_workflow_services.email import Mail, Sent
from lambda_workflow_services.email.ledger import Busy, Done, Doubt, Ledger, Mine
from lambda_workflow_services.email.refusals import error_of
from lambda_workflow_services.email.sending import Refused, Unanswered, Unreachable, send
from lambda_workflow_services.email.settings import Settings
from lambda_workflow_services.email.writing import request_of

_log = logging.getLogger("lambda_workflow")


def _now() -> int:
    return time.time_ns() // 1_000_000


class Mailer:
    """See the module.

    Args:
        now: milliseconds since the epoch.
    """

    def __init__(self, settings: Settings, now: Callable[[], int] = _now) -> None:
        self._settings = settings
        self._ledger = Ledger(settings.table, now)

    async def mail(self, mail: Mail, task_id: str) -> Sent:
        """Send a mail, or say that it was sent.

        Raises:
            ServiceError: it was not, or nobody knows; see the README for the types.
            Later: somebody else is sending it.
        """
        try:
            request = request_of(mail, self._settings)
        except ValueError as error:
            raise ServiceError(str(error), type="EmailRejected", retryable=False) from None
        state = await self._ledger.begin(task_id)
        if isinstance(state, Doubt):
            if self._settings.on_doubt == "fail":
                raise _in_doubt("an earlier delivery of this task began to send it, and died")
            state = await self._ledger.take_over(task_id, state)
        match state:
            case Done():
                return Sent(message_id=state.message_id)
            case Busy():
                raise Later(timedelta(seconds=state.left_ms // 1000 + 1))
            case Mine():
                return await self._send(request, task_id, state)

    async def _send(self, request: dict[str, object], task_id: str, mine: Mine) -> Sent:
        try:
            message_id = await send(aws_client().region, request)
        except Refused as refused:
            await self._ledger.not_sent(task_id, mine)
            raise error_of(refused) from None
        except Unreachable as error:
            await self._ledger.not_sent(task_id, mine)
            raise ServiceError(f"no way to SES: {error}", type="EmailUnreachable") from None
        except Unanswered as error:
            await self._ledger.in_doubt(task_id, mine)
            if self._settings.on_doubt == "fail":
                raise _in_doubt(str(error)) from None
            raise ServiceError(
                f"SES did not answer, and may have sent it: {error}", type="EmailUnanswered"
            ) from None
        try:
            await self._ledger.sent(task_id, message_id)
        except AwsError as error:  # the result is worth more than its note
            _log.warning("mail %s was sent, which could not be noted: %s", message_id, error)
        return Sent(message_id=message_id)


def _in_doubt(why: str) -> ServiceError:
    text = f"nobody knows whether the mail was sent, and it is not sent again: {why}"
    return ServiceError(text, type="EmailInDoubt", retryable=False)
