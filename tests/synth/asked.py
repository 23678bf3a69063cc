"""What IAM asks for where an operation is called: its actions, each with an ARN.

Mostly an action is named as its operation is; the exceptions are those of AWS's Service
Authorization Reference, and of S3's and SES's own pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACCOUNT = "123456789012"
SCHEDULER = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule"
_HERE = f"us-east-1:{ACCOUNT}"
_NAMES = {"sesv2": "ses", "stepfunctions": "states"}
_ACTIONS = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("s3", "CompleteMultipartUpload"): "PutObject",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "CreateMultipartUpload"): "PutObject",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "HeadObject"): "GetObject",
    ("s3", "ListParts"): "ListMultipartUploadParts",
    ("s3", "UploadPartCopy"): "PutObject",
}
_SENDS = {"Raw": "SendRawEmail", "Template": "SendTemplatedEmail"}

Asked = set[tuple[str, str]]


def asked(service: str, operation: str, params: Mapping[str, Any]) -> Asked:
    """The actions, and on what."""
    service = _NAMES.get(service, service)
    if service == "s3":
        return _of_s3(operation, params)
    if service == "ses":
        return _of_ses(params)
    action = _ACTIONS.get((service, operation), operation).removesuffix("Batch")
    found = {(f"{service}:{action}", _arn(service, operation, params))}
    if operation == "CreateSchedule":
        found.add(("iam:PassRole", params["Target"]["RoleArn"]))
    if operation == "RunTask":  # in tests the role of a definition is called as that is
        role = params["taskDefinition"].partition(":")[0]
        found.add(("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{role}"))
    return found


def asked_of_missing(service: str, params: Mapping[str, Any], status: int) -> Asked:
    """Without this S3 says 403 of an object that is not there, in place of 404."""
    if service == "s3" and status == 404 and "Key" in params and "UploadId" not in params:
        return {("s3:ListBucket", f"arn:aws:s3:::{params['Bucket']}")}
    return set()


def _of_s3(operation: str, params: Mapping[str, Any]) -> Asked:
    where = _object(params)
    action = _ACTIONS.get(("s3", operation), operation)
    found = {(f"s3:{_versioned(action, params)}", where)}
    if "Tagging" in params:
        found.add(("s3:PutObjectTagging", where))
    if source := params.get("CopySource"):
        found.add((f"s3:{_versioned('GetObject', source)}", _object(source)))
        if operation == "CopyObject":  # tags go along
            found.add((f"s3:{_versioned('GetObjectTagging', source)}", _object(source)))
            found.add(("s3:PutObjectTagging", where))
    return found


def _object(params: Mapping[str, Any]) -> str:
    key = f"/{params['Key']}" if "Key" in params else ""
    return f"arn:aws:s3:::{params['Bucket']}{key}"


def _versioned(action: str, params: Mapping[str, Any]) -> str:
    if "VersionId" not in params:
        return action
    return action.replace("Object", "ObjectVersion")


def _of_ses(params: Mapping[str, Any]) -> Asked:
    """AWS's reference has SendEmail for all; SES itself asks for what the content is."""
    (kind,) = params["Content"]
    domain = params["FromEmailAddress"].rpartition("@")[2].rstrip(">")
    resources = {f"identity/{domain}"}
    if kind == "Template":
        resources.add(f"template/{params['Content']['Template']['TemplateName']}")
    if "ConfigurationSetName" in params:
        resources.add(f"configuration-set/{params['ConfigurationSetName']}")
    actions = {"SendEmail", _SENDS.get(kind, "SendEmail")}
    return {(f"ses:{a}", f"arn:aws:ses:{_HERE}:{r}") for a in actions for r in resources}


def _arn(service: str, operation: str, params: Mapping[str, Any]) -> str:
    match service, operation:
        case "sqs", _:
            return f"arn:aws:sqs:{_HERE}:{params['QueueUrl'].rpartition('/')[2]}"
        case "dynamodb", _:
            table = f"arn:aws:dynamodb:{_HERE}:table/{params['TableName']}"
            return f"{table}/index/{params['IndexName']}" if "IndexName" in params else table
        case "ecs", "RunTask":
            definition = params["taskDefinition"]
            latest = definition if ":" in definition else f"{definition}:1"
            return f"arn:aws:ecs:{_HERE}:task-definition/{latest}"
        case "ecs", "ListTasks":
            return "*"  # a cluster is a condition alone, unless a container instance is named
        case "events", _:
            (entry,) = params["Entries"]
            return str(entry["EventBusName"])
        case "ssm", _:
            return f"arn:aws:ssm:{_HERE}:parameter{params['Name']}"
        case "scheduler", _:
            return f"{SCHEDULER}/{params['GroupName']}/{params['Name']}"
        case "secretsmanager", _:
            secret = str(params["SecretId"])
            prefix = f"arn:aws:secretsmanager:{_HERE}:secret:"
            return secret if secret.startswith("arn:") else f"{prefix}{secret}-AbCdEf"
        case "lambda", _:
            function = str(params["FunctionName"])
            prefix = f"arn:aws:lambda:{_HERE}:function:"
            return function if function.startswith("arn:") else f"{prefix}{function}"
        case _:
            return _named(service, operation, params)


def _named(service: str, operation: str, params: Mapping[str, Any]) -> str:
    """Where a parameter is the ARN itself."""
    for name in ("stateMachineArn", "executionArn", "task"):
        if name in params:
            return str(params[name])
    if operation == "DescribeTasks":
        (task,) = params["tasks"]
        return str(task)
    raise AssertionError(f"a function called {operation} of {service}")
