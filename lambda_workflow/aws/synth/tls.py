"""Policies of queues and buckets: no request without TLS; a rule may send to its queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lambda_workflow.aws.synth.resources import (
    Bucket,
    BucketPolicy,
    Queue,
    QueuePolicy,
    Resource,
    Rule,
)


def only_tls(resources: Sequence[Resource]) -> Iterator[Resource]:
    """The policy of each queue and bucket among these resources."""
    rules = {
        queue: rule
        for rule in resources
        if isinstance(rule, Rule)
        for queue in (rule.queue, rule.dead_letters)
    }
    for resource in resources:
        match resource:
            case Queue(id=queue):
                yield _of_queue(queue, rules.get(queue))
            case Bucket(id=bucket):
                yield BucketPolicy(id=f"{bucket}-policy", why="Only TLS.", bucket=bucket)
            case _:
                pass


def _of_queue(queue: str, rule: Rule | None) -> QueuePolicy:
    id_ = f"{queue}-policy"
    if rule is None:
        return QueuePolicy(id=id_, why="Only TLS.", queue=queue)
    return QueuePolicy(
        id=id_,
        why="Only TLS. The rule may send to it, and no other rule may.",
        queue=queue,
        rule=rule.id,
        rule_unless_empty=rule.unless_empty,
    )
