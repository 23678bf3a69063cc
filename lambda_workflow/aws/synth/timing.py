"""Times that depend on each other, each derived from the one before, with the reason.

Laws
 1. A message comes back only after the function that has it is surely dead: visibility = 6 × its
    timeout, which is AWS's advice for event source mappings.
 2. What fails comes back sooner (handlers.py, law 4); the receive count is what an outage of
    another service takes at that pace, so that it fills no dead-letter queue.
 3. A message is kept until it has been received that often, even if every time a function died.
 4. A standard queue's message keeps its age when it moves to the dead-letter queue; it must have
    time left there.
"""

from __future__ import annotations

import math
from typing import Any, Final

from lambda_workflow.aws.config import DEAD_LETTER_DAYS
from lambda_workflow.aws.handlers import RETRY_SECONDS_MAX
from lambda_workflow.aws.synth.options import TIMEOUT_SECONDS_MAX
from lambda_workflow.aws.synth.values import Because
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.service import Service

WORKFLOW_SECONDS: Final = 30
SERVICE_SECONDS: Final = 60
VISIBILITY_FACTOR: Final = 6
OUTAGE_SECONDS: Final = 3600  # of DynamoDB or SQS, that the workflow function rides out
SERVICE_OUTAGE_SECONDS: Final = 600
RETENTION_SECONDS: Final = 7 * 86_400
DEAD_SECONDS: Final = DEAD_LETTER_DAYS * 86_400
RESERVED_SECONDS: Final = 1  # the handler's, for its answer

KEPT: Final = Because(
    RETENTION_SECONDS, "A week: half of the dead-letter queue's time, in which age goes on."
)
KEPT_DEAD: Final = Because(DEAD_SECONDS, "Two weeks, SQS's longest: time to look and to redrive.")


def visibility(timeout: int) -> Because:
    """Law 1."""
    return Because(
        VISIBILITY_FACTOR * timeout,
        f"{VISIBILITY_FACTOR} times the function's timeout of {timeout} s: what a function has "
        "taken is given to no other before it is surely dead.",
    )


def receives(outage: int) -> Because:
    """Law 2."""
    count, waited = 1, 0
    while waited < outage:
        waited += min(RETRY_SECONDS_MAX, 2**count)
        count += 1
    return Because(
        count,
        f"Waits of 2, 4, 8 … {RETRY_SECONDS_MAX} s between them: an outage of {outage // 60} "
        "minutes is ridden out.",
    )


def workflow_timeout(chosen: int) -> Because:
    """Of the workflow function."""
    seconds = chosen or WORKFLOW_SECONDS
    _check(seconds, "workflow")
    return Because(seconds, "A turn takes milliseconds; this is for a batch of ten cold ones.")


def service_timeout(service: Service[Any, Any], chosen: int) -> Because:
    """Of a service's function: as long as one attempt may take by the contract.

    Raises:
        ConfigurationError: more is chosen than the workflow waits.
    """
    contract, word = _contract(service)
    if chosen:
        _check(chosen, f"service.{service.name}")
        if contract and chosen > contract + RESERVED_SECONDS:
            raise ConfigurationError(
                f"service {service.name!r}: its function has a timeout of {chosen} s, but a "
                f"workflow waits {contract} s for it ({word} of Service(…)): give the function "
                f"at most {contract} s in [service.{service.name}] timeout, or the contract more"
            )
        return Because(chosen, "As chosen in the options.")
    if service.attempt_ms:
        seconds = min(TIMEOUT_SECONDS_MAX, contract + RESERVED_SECONDS)
        return Because(seconds, f"The contract's {word} of {contract} s, and time to answer.")
    if contract and contract < SERVICE_SECONDS:
        return Because(
            contract + RESERVED_SECONDS, f"The contract's {word} of {contract} s: nobody waits on."
        )
    return Because(SERVICE_SECONDS, "The default; the contract names no attempt_timeout.")


def _contract(service: Service[Any, Any]) -> tuple[int, str]:
    if service.attempt_ms:
        return math.ceil(service.attempt_ms / 1000), "attempt_timeout"
    return math.ceil(service.timeout_ms / 1000), "timeout"


def _check(seconds: int, section: str) -> None:
    if not 1 <= seconds <= TIMEOUT_SECONDS_MAX:
        raise ConfigurationError(
            f"[{section}] timeout is {seconds} s: Lambda has 1 to {TIMEOUT_SECONDS_MAX}"
        )
