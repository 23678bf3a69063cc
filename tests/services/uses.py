"""What each ready-made service is used for: every feature of its README that needs a right."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import urlencode, urlsplit

from lambda_workflow_services import (
    approval,
    delay,
    ecs_task,
    email,
    eventbridge,
    http,
    lambda_invoke,
    s3_object,
    stepfunctions,
)
from lambda_workflow_services.approval.page import Page
from lambda_workflow_services.approval.settings import read_settings
from lambda_workflow_services.ecs_task import settings as containing
from lambda_workflow_services.ecs_task.running import result_place
from lambda_workflow_services.email import sending
from lambda_workflow_services.lambda_invoke import invoking

from lambda_workflow.aws.backend import SystemClock
from lambda_workflow.aws.client import ATTEMPTS_MAX
from lambda_workflow.model.payload import codec_for
from lambda_workflow.model.tokens import make_token
from tests.aws.deployed import until
from tests.patience import patience
from tests.services.approval.stage import Fields, event
from tests.services.caller import EXECUTION, Caller
from tests.services.ecs_task.cluster import serving as serving_ecs
from tests.services.http.certificates import make as make_certificates
from tests.services.http.site import Reply, json_reply, running_site
from tests.services.lambda_invoke.lambdas import serving as serving_lambda
from tests.services.stepfunctions.conftest import ENDLESS, RENDER, run_machines
from tests.services.stepfunctions.conftest import make as make_machine
from tests.synth.asked import Asked
from tests.synth.stack import Recorder
from tests.synth.test_deployed import jump

MIB = 2**20
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


async def decide(link: str, environment: dict[str, str], calls: Asked, **fields: str) -> None:
    """Open a link in a page with these variables, and send its form."""
    url, recorder = urlsplit(link), Recorder(calls=calls)
    page = Page(recorder, read_settings(environment), SystemClock())

    async def browse(method: str, body: str = "", **headers: str) -> dict[str, Any]:
        request = event(method, url.path, body, **headers)
        request["requestContext"]["domainName"] = url.netloc
        return await page.answer(request)

    form = urlencode({**Fields((await browse("GET"))["body"]).hidden, **fields})
    led_back = await browse("POST", form, **FORM, Origin=f"https://{url.netloc}")
    assert led_back["statusCode"] == 303
    await recorder.close()


async def ask(caller: Caller) -> None:
    """approval: a link, which a human opens, and decides."""
    function = "approval-service-approval-page"
    environment = caller.deployed.environments[function]
    token = make_token("secret", EXECUTION, "1")
    question = approval.Question(title="May Ada buy books?", token=token)
    link = await caller.call(approval.APPROVAL, question, number=2)
    calls = caller.run.calls[function]
    await decide(link.url, environment, calls, choice="approve", comment="yes")
    answer = await caller.update()
    assert (answer.operation, answer.token) == ("1", token)
    decision = codec_for(approval.Decision).decode(answer.payload)
    assert (decision.approved, decision.comment) == (True, "yes")


async def sleep(caller: Caller) -> None:
    """delay: an answer after 17 minutes, which are two hops."""
    done = await caller.call(delay.DELAY, delay.Delay(seconds=1000), pace=900)
    assert done.since.tzinfo is not None


async def contain(caller: Caller) -> None:
    """ecs_task: a container with a result; an attempt after a lost one; one that is given up."""
    wanted = ecs_task.Container(task_definition="render", container="render", result=True)
    with serving_ecs() as cluster:
        caller.patch.setenv("AWS_ENDPOINT_URL_ECS", cluster.url)
        cluster.ends_with = 0
        chosen = containing.settings()
        bucket, key = result_place(f"{EXECUTION}/1", chosen)
        await caller.aws.call("s3", "CreateBucket", Bucket=bucket)
        await caller.aws.call("s3", "PutObject", Bucket=bucket, Key=key, Body=b'{"frames": 7}')
        done = await caller.call(ecs_task.ECS_TASK, wanted, pace=10)
        assert done.result == {"frames": 7}
        cluster.ends_with = None
        await caller.send(ecs_task.ECS_TASK, wanted, 2, attempt=2)
        await until(lambda: len(cluster.run) == 2)
        await caller.send(ecs_task.ECS_TASK, wanted, 2, attempt=2, cancelled=True)
        await until(lambda: all(one["lastStatus"] == "STOPPED" for one in cluster.tasks.values()))


async def mail(caller: Caller) -> None:
    """email: plain, with a file, of a template; what SES refuses, or says nothing to, or delays."""
    plain = email.Mail(to=("ann@example.org",), subject="Your receipt", text="Thank you.")
    file = email.Attachment(name="receipt.csv", content=b"lamp;20.00\n")
    kinds = (
        plain,
        plain.model_copy(update={"attachments": (file,)}),
        email.Mail(to=plain.to, template="receipt", data={"cents": 2000}),
    )
    sent, path = json_reply({"MessageId": "m-1"}), "/v2/email/outbound-emails"
    with running_site() as ses, caller.overhear(sending._session()):
        caller.patch.setenv("AWS_ENDPOINT_URL_SESV2", ses.url(""))
        ses.says(path, sent)
        for number, one in enumerate(kinds):
            assert (await caller.call(email.EMAIL, one, number)).message_id == "m-1"
        assert json.loads(ses.seen[0].body)["FromEmailAddress"] == "Shop <shop@example.com>"
        ses.says(path, Reply(400), Reply(500))
        assert await caller.refusal(email.EMAIL, plain, 7) == "EmailRejected"
        assert await caller.refusal(email.EMAIL, plain, 8) == "EmailUnanswered"
        goes_on = threading.Event()
        ses.answers[path] = lambda seen: sent if goes_on.wait(timeout=patience(60)) else Reply(500)
        for _ in range(2):
            await caller.send(email.EMAIL, plain, 9)
        await until(lambda: caller.has_called("sqs:SendMessage", "email-service-email"))
        goes_on.set()
        assert (await caller.update()).failure is None


async def tell(caller: Caller) -> None:
    """eventbridge: an event is published on each bus; one is waited for."""
    await caller.aws.call("events", "CreateEventBus", Name="orders")
    for number, bus in enumerate(("default", "orders")):
        packed = eventbridge.Publish(source="shop", detail_type="Packed", detail={}, bus=bus)
        assert (await caller.call(eventbridge.PUBLISH, packed, number)).event_id
    wanted = eventbridge.Wait(source="carrier", detail_type="Left", match={"order": 7})
    await caller.send(eventbridge.WAIT, wanted, 7)
    await until(lambda: caller.has_called("dynamodb:Query"))
    entry = {"Source": "carrier", "DetailType": "Left", "Detail": '{"order": 7}'}
    await caller.aws.call("events", "PutEvents", Entries=[entry])
    answer = await caller.update()
    left = eventbridge.WAIT.response_codec.decode(answer.payload)
    assert (answer.operation, left.detail) == ("7", {"order": 7})
    await jump(caller.server, caller.run, 900)  # the task comes back, and finds its end
    again = await caller.update()
    assert again.payload == answer.payload


async def request(caller: Caller) -> None:
    """http: a request with a secret from either store."""
    certificates = make_certificates(caller.folder)
    caller.patch.setenv("SSL_CERT_FILE", str(certificates.trusted))
    await caller.aws.call(
        "secretsmanager", "CreateSecret", Name="shop/http/key", SecretString="k-123"
    )
    name = "/shop/http/user"
    await caller.aws.call("ssm", "PutParameter", Name=name, Value="ada-1", Type="SecureString")
    headers = {"X-Key": http.Secret("key"), "X-User": http.Secret("user", store="parameter")}
    with running_site(certificates.server) as site:
        site.says("/7", Reply(body=b"seven"))
        wanted = http.HttpRequest(url=site.url("/7", "localhost", "https"), headers=headers)
        answer = await caller.call(http.HTTP, wanted)
        seen = site.seen[0].headers
    assert (answer.status, seen["x-key"], seen["x-user"]) == (200, "k-123", "ada-1")


async def invoke(caller: Caller) -> None:
    """lambda_invoke: each of the functions that are listed, one of them as an event."""
    with serving_lambda() as lambdas, caller.overhear(invoking._session()):
        caller.patch.setenv("AWS_ENDPOINT_URL_LAMBDA", lambdas.url)
        lambdas.functions["resize"] = lambda picture, context: f"small {picture}"
        made = await caller.call(
            lambda_invoke.LAMBDA, lambda_invoke.Invocation(function="resize", payload="cat")
        )
        told = lambda_invoke.Invocation(function="crop:live", invocation_type="Event")
        accepted = await caller.call(lambda_invoke.LAMBDA, told, 2)
    assert (made.payload, accepted.status) == ("small cat", 202)


async def store(caller: Caller) -> None:
    """s3_object: waited for, written, read, copied at once and in parts, and a copy given up."""
    aws, bucket = caller.aws, "orders"
    await aws.call("s3", "CreateBucket", Bucket=bucket)
    kept = {"Status": "Enabled"}
    await aws.call("s3", "PutBucketVersioning", Bucket=bucket, VersioningConfiguration=kept)
    missing = s3_object.WaitForObject(bucket=bucket, key="in/1")
    await caller.send(s3_object.S3_WAIT, missing, 1)
    await until(lambda: caller.has_called("s3:ListBucket"))
    made = await aws.call("s3", "PutObject", Bucket=bucket, Key="in/1", Body=b"abc", Tagging="a=b")
    assert s3_object.S3_WAIT.response_codec.decode((await caller.update(5)).payload).size == 3
    version = made["VersionId"]
    await store_small(caller, bucket, version)
    large = bytes(5 * MIB) + b"abc"
    made = await aws.call("s3", "PutObject", Bucket=bucket, Key="in/2", Body=large, Tagging="a=b")
    for number, one in enumerate((None, made["VersionId"]), start=6):
        copy = s3_object.CopyObject(
            bucket=bucket, key="in/2", version_id=one, to_bucket=bucket, to_key=f"out/{number}"
        )
        assert (await caller.call(s3_object.S3_COPY, copy, number)).size == len(large)
    get = s3_object.GetObject(bucket=bucket, key="in/2")
    assert await caller.refusal(s3_object.S3_GET, get, 5) == "LimitExceeded"
    denied = copy.model_copy(update={"to_key": "out/8"})
    caller.server.fault("s3", "PUT", "deny", count=ATTEMPTS_MAX)
    assert await caller.refusal(s3_object.S3_COPY, denied, 8) == "AccessDenied"


async def store_small(caller: Caller, bucket: str, version: str) -> None:
    put = s3_object.PutObject(bucket=bucket, key="out/1", text="hello")
    assert (await caller.call(s3_object.S3_PUT, put, 2)).size == 5
    for number, one in enumerate((None, version), start=3):
        get = s3_object.GetObject(bucket=bucket, key="in/1", version_id=one)
        assert (await caller.call(s3_object.S3_GET, get, number)).text == "abc"
        copy = s3_object.CopyObject(
            bucket=bucket, key="in/1", version_id=one, to_bucket=bucket, to_key=f"out/{number}"
        )
        assert (await caller.call(s3_object.S3_COPY, copy, number + 10)).size == 3
    none = s3_object.GetObject(bucket=bucket, key="in/none")
    assert await caller.refusal(s3_object.S3_GET, none, 15) == "NoSuchKey"


async def run_machine(caller: Caller) -> None:
    """stepfunctions: an execution to its end, and one that is given up."""
    run_machines(caller.server)
    await make_machine("render", RENDER)
    await make_machine("endless", ENDLESS)
    render = stepfunctions.Run(state_machine="render", input={"film": "Metropolis"})
    done = await caller.call(stepfunctions.STEPFUNCTIONS, render, pace=2)
    assert done.output == {"file": "Metropolis.mp4"}
    endless = stepfunctions.Run(state_machine="endless", input={})
    await caller.send(stepfunctions.STEPFUNCTIONS, endless, 2)
    await until(lambda: caller.has_called("states:StartExecution", "endless"))
    await jump(caller.server, caller.run, 2)
    await until(lambda: caller.has_called("states:DescribeExecution", "endless"))
    await caller.send(stepfunctions.STEPFUNCTIONS, endless, 2, cancelled=True)
    await until(lambda: caller.has_called("states:StopExecution", "endless"))
