"""What SES was given to send; moto tells of it only together with all that its services hold."""

from __future__ import annotations

from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends


def sent(region: str) -> list[dict[str, Any]]:
    """The mails of a region, in the order in which they came."""
    messages = ses_backends[DEFAULT_ACCOUNT_ID][region].sent_messages
    return [{"kind": type(message).__name__, **vars(message)} for message in messages]
