"""The limits on what comes from outside, in one table: each with its reason.

docs/limits.md shows the same figures. A value over its limit is refused where it comes in, with an
error that names the limit; only the texts of errors are cut instead, because recording an error
must never fail.
"""

from __future__ import annotations

from typing import Final

# payloads

PAYLOAD_BYTES_MAX: Final = 16 * 1024 * 1024  # a replay holds every result in memory at once
INLINE_BYTES_MAX: Final = 32 * 1024  # above it a payload is stored apart; a record holds several
DEPTH_MAX: Final = 200  # Python 3.11 reads some 990 levels of JSON and writes fewer
INT_DIGITS_MAX: Final = 640  # Python reads and writes these whatever PYTHONINTMAXSTRDIGITS says

# errors

ERROR_TYPE_CHARACTERS_MAX: Final = 256  # retry policies compare it; a qualified name is shorter
ERROR_MESSAGE_CHARACTERS_MAX: Final = 4_000  # a dump in a message must not fill a record
ERROR_ARGS_CHARACTERS_MAX: Final = 2_000  # as JSON; past it the message has to do
ERROR_DETAILS_CHARACTERS_MAX: Final = 16_000  # as JSON
ERROR_STACK_CHARACTERS_MAX: Final = 4_000  # the innermost frames say it
RETRY_AFTER_SECONDS_MAX: Final = 365 * 24 * 3_600  # as long as a timer is sure to live

# names, ids and words

EXECUTION_ID_CHARACTERS_MAX: Final = 128  # of an SQS message group id
NAME_CHARACTERS_MAX: Final = 64  # leaves room for prefixes in queue and schedule names (80, 64)
DISPLAY_NAME_CHARACTERS_MAX: Final = 200  # of a step, call, branch, …: a line of the history; cut
ID_CHARACTERS_MAX: Final = 256  # of a start, signal, update or order; a run hands on 200 of them
OPERATION_CHARACTERS_MAX: Final = 1_000  # a path of tasks within tasks within tasks
SECRET_CHARACTERS_MAX: Final = 256  # of callback tokens; 43 are drawn
TOKEN_CHARACTERS_MAX: Final = 2_000  # has an execution id and an operation in it
URL_CHARACTERS_MAX: Final = 1_000  # of a queue
REASON_CHARACTERS_MAX: Final = 1_000  # of a cancel, a pause, a termination; stands in the listing
HEADER_REASON_BYTES_MAX: Final = 8_000  # of why it is BLOCKED, as the listing has it; cut
TAGS_MAX: Final = 10  # they travel in every listing
TAG_NAME_CHARACTERS_MAX: Final = 64
TAG_CHARACTERS_MAX: Final = 128
MEMO_BYTES_MAX: Final = 8 * 1024  # as JSON; it stands in the listing, beside a record

# numbers

TIME_MS_MAX: Final = 250_000_000_000_000  # in the year 9892: a year more is still a datetime
DURATION_MS_MAX: Final = 366 * 24 * 3_600_000  # hosts keep timers for a little longer than this
GRACE_MS_MAX: Final = 365 * 24 * 3_600_000  # as long as a timer is sure to live
ATTEMPTS_MAX: Final = 1_000_000_000  # a number that an operation and a row can carry
CHILDREN_DEPTH_MAX: Final = 1_000  # of a start; code may begin 16 children deep

# messages and records

MESSAGE_BYTES_MAX: Final = 1024 * 1024  # of an SQS message, attributes included
RECORD_BYTES_MAX: Final = 320 * 1024  # of DynamoDB's 400 KB: the first item has a header too
RECEIVES_MAX: Final = 3  # of a message that fails the same way each time, before it is moved aside
