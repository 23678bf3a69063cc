"""The moto server, made trustworthy: `python -m tests.aws.server`, or `shared_server()` in a test.

1. One lock for each service: a request sees the backend as if it were alone. A long poll lets go of
   it between two looks (gate.py).
2. What SQS and DynamoDB enforce and moto forgets is enforced (rules.py).
3. Every request is logged with what it would cost (units.py, journal.py).
4. Faults are ordered over HTTP, for the next calls of an operation (faults.py).
5. The process has a clock of its own, which only moves faster when told to (clock.py). What falls
   due on EventBridge Scheduler is sent then, since moto's Scheduler fires nothing (schedules.py).

Over HTTP: GET /test/requests · POST /test/faults, /test/advance, /test/reset.

What it cannot show: how AWS throttles, loses and reorders by itself; eventual consistency, of the
table's index and of SQS's counts; DynamoDB's TTL deletions and transaction tokens; IAM; latency.
"""
