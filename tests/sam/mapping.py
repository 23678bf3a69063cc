"""Lambda for a stack: the artefacts under the runtime client, each fed from its queues."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lambda_workflow.aws.client import Aws
from tests.aws.lambda_runtime import Environment, event_of, function
from tests.synth.asked import ACCOUNT
from tests.synth.stack import Deployed
from tests.synth.template_text import read


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of a stack, each in a cold environment of its own."""

    deployed: Deployed
    running: Mapping[str, Environment]

    async def run_dry(self, aws: Aws) -> dict[str, int]:
        """Play the event source mappings until no queue has anything; the invocations of each."""
        invocations = dict.fromkeys(self.running, 0)
        while True:
            found = [await self._once(aws, *trigger) for trigger in self.deployed.triggers]
            if not any(found):
                return invocations
            for name in filter(None, found):
                invocations[name] += 1

    async def _once(self, aws: Aws, arn: str, name: str) -> str:
        url = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{arn.rpartition(':')[2]}"
        received = await aws.call("sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10,
                                  WaitTimeSeconds=0, AttributeNames=["All"])  # fmt: skip
        messages = received.get("Messages", [])
        if not messages:
            return ""
        answer = await asyncio.to_thread(self.running[name].invoke, event_of(messages, arn))
        assert answer == {"batchItemFailures": []}
        for message in messages:
            handle = message["ReceiptHandle"]
            await aws.call("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=handle)
        return name


@contextmanager
def functions(
    deployed: Deployed, built: Path, runtime: Path, variables: Mapping[str, str]
) -> Iterator[Functions]:
    """Every function of a stack, of what was built and what Lambda has itself; nothing else."""
    template = read((built / "template.yaml").read_text())
    stack = template["Parameters"]["Name"]["Default"]
    running = {}
    with ExitStack() as open_:
        for resource in template["Resources"].values():
            if resource["Type"] != "AWS::Serverless::Function":
                continue
            found = resource["Properties"]
            name = found["FunctionName"]["Fn::Sub"].replace("${Name}", stack)
            own = {**deployed.environments[name], "PYTHONDONTWRITEBYTECODE": "1"}
            running[name] = open_.enter_context(
                function(
                    found["Handler"],
                    {**variables, **own},
                    folders=(built / found["CodeUri"], runtime),
                )
            )
        yield Functions(deployed, running)
