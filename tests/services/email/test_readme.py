"""The README's workflow runs, and its mail is in SES."""

from __future__ import annotations

import sys
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType

import pytest
from lambda_workflow_services import email

from tests.docs.blocks import run_page
from tests.services.email.conftest import TABLE, Office

README = Path(email.__file__).parent / "README.md"


async def test_the_readme_says_what_happens(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMAIL_SENDER", "shop@example.com")
    monkeypatch.setenv("EMAIL_TABLE", TABLE)
    module = ModuleType("page_email")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    await run_page(README, module)
    (sent,) = office.sent("RawMessage")
    message = message_from_string(sent["raw_data"], EmailMessage, policy=policy.default)
    (file,) = message.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("receipt.csv", "lamp;20.00\n")
