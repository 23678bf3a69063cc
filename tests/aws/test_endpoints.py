"""The client's own knowledge of endpoints is botocore's."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from lambda_workflow.aws.client import _PLAIN_REGION, _public_url


def regions() -> list[str]:
    session: Any = botocore.session.get_session()
    partitions = session.get_available_partitions()
    return [
        region
        for partition in partitions
        for region in session.get_available_regions(
            "dynamodb", partition_name=partition, allow_non_regional=False
        )
    ]


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_every_region_has_the_host_that_botocore_names(service: str) -> None:
    session: Any = botocore.session.get_session()
    resolver = session._get_internal_component("endpoint_resolver")
    known = regions()
    assert len(known) > 30
    for region in known:
        host = resolver.construct_endpoint(service, region)["hostname"]
        assert _public_url(session, service, region) == f"https://{host}"


def test_regions_of_other_partitions_are_left_to_botocore() -> None:
    others = [region for region in regions() if not _PLAIN_REGION.fullmatch(region)]
    assert {"cn-north-1", "us-gov-west-1"} <= set(others)
    assert all(
        region.startswith(("cn-", "us-gov-", "us-iso", "eu-iso", "eusc-")) for region in others
    )


@pytest.mark.parametrize("variable", ["AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT"])
def test_dual_stack_and_fips_hosts_are_left_to_botocore(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "true")
    session: Any = botocore.session.get_session()
    assert _public_url(session, "sqs", "us-east-1") != "https://sqs.us-east-1.amazonaws.com"
