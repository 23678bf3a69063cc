"""What a workflow is told when SES refuses a mail, and whether another attempt may mend it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from lambda_workflow import ServiceError
from lambda_workflow_services.email.sending import Refused

PAUSED_WAIT: Final = timedelta(minutes=15)  # somebody paused the sending, and has to resume it
QUOTA_WAIT: Final = timedelta(hours=1)  # a day's quota is over a sliding day, and grows back

_THROTTLED: Final = frozenset(
    {"TooManyRequestsException", "LimitExceededException", "Throttling", "ThrottlingException"}
)
_NOT_VERIFIED: Final = (
    "verify the sender's address or domain in SES in this region; while the account is in SES's "
    "sandbox, each recipient too, or ask AWS for production access"
)


def error_of(refused: Refused) -> ServiceError:
    """The error of a call that SES has refused."""
    match refused.code:
        case code if code in _THROTTLED and "quota" in refused.message.lower():
            return _passing(refused, "EmailQuota", QUOTA_WAIT)
        case code if code in _THROTTLED:
            return _passing(refused, "EmailThrottled", None)
        case "SendingPausedException":
            return _passing(refused, "EmailPaused", PAUSED_WAIT)
        case "MailFromDomainNotVerifiedException":
            return _final(refused, "EmailNotVerified", _NOT_VERIFIED)
        case "MessageRejected" if "not verified" in refused.message.lower():
            return _final(refused, "EmailNotVerified", _NOT_VERIFIED)
        case "AccountSuspendedException":
            return _final(refused, "EmailSuspended", "AWS Support has to lift the restriction")
        case "NotFoundException":
            why = "SES has no such template, configuration set or identity in this region"
            return _final(refused, "EmailNotFound", why)
        case "AccessDeniedException" | "AccessDenied":
            why = "the function may send as EMAIL_SENDER only, which must be of EmailIdentity"
            return _final(refused, "EmailNotAllowed", why)
        case _:
            return _final(refused, "EmailRejected", "")


def _passing(refused: Refused, kind: str, wait: timedelta | None) -> ServiceError:
    details = {"code": refused.code, "message": refused.message}
    return ServiceError(f"SES: {refused}", type=kind, details=details, retry_after=wait)


def _final(refused: Refused, kind: str, advice: str) -> ServiceError:
    details = {"code": refused.code, "message": refused.message}
    text = f"SES: {refused}" + (f": {advice}" if advice else "")
    return ServiceError(text, type=kind, retryable=False, details=details)
