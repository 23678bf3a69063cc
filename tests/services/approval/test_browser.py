"""The page in a real browser: what a human sees, clicks, and comes back to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lambda_workflow_services.approval import Choice, Question

from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.present import PRESENT
from tests.aws.server.process import Server
from tests.services.approval.browser import (
    ENTER,
    MISSING,
    SPACE,
    TAB,
    Browser,
    browsing,
    driver,
    is_missing,
    is_required,
)
from tests.services.approval.site import Site, serving
from tests.services.approval.stage import Clock, Stage, decision_of, question, set_up

APPROVE, REJECT = "button[value=approve]", "button[value=reject]"
NOW = int(datetime.now(UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def chromedriver() -> Iterator[int]:
    if is_missing():
        pytest.fail(MISSING) if is_required() else pytest.skip(MISSING)
    with driver() as port:
        yield port


@pytest.fixture(scope="module")
def browser(chromedriver: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(chromedriver, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
async def stage(
    server: Server, settings: None, site: Site, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    monkeypatch.setenv("APPROVAL_PUBLIC_URL", site.url)
    site.requests.clear()
    aws = Aws()
    present = PRESENT.set(aws)
    yield await set_up(aws, Clock(NOW))
    PRESENT.reset(present)
    await aws.close()


def books(**fields: Any) -> Question:
    return question(text="Up to 500 EUR.\nPlease decide.", facts={"Amount": "120 EUR"}, **fields)


async def test_a_human_comments_and_approves(stage: Stage, browser: Browser) -> None:
    browser.open((await stage.ask(books())).url)
    assert browser.title == "May Ada buy books?"
    assert "Up to 500 EUR.\nPlease decide." in browser.text()
    assert browser.text("tr") == "Amount 120 EUR"
    browser.type("textarea", "Well <b>read</b>\nGrüße")
    browser.type("#by", "Grace")
    browser.click(APPROVE)
    browser.see("Thank you")
    assert "Well <b>read</b>" in browser.text("table")
    (update,) = await stage.answers()
    decision = decision_of(update)
    assert (decision.approved, decision.comment) == (True, "Well <b>read</b>\nGrüße")
    assert decision.by == "Grace"


async def test_a_reload_of_the_thanks_sends_nothing_again(
    stage: Stage, browser: Browser, site: Site
) -> None:
    browser.open((await stage.ask(books())).url)
    browser.click(REJECT)
    browser.see("Thank you")
    browser.reload()
    browser.see("Thank you")
    assert [r.split()[0] for r in site.requests] == ["GET", "POST", "GET", "GET"]
    assert len(await stage.answers()) == 1


async def test_who_goes_back_and_presses_again_changes_nothing(
    stage: Stage, browser: Browser
) -> None:
    browser.open((await stage.ask(books())).url)
    for button, heading in (
        (REJECT, "Thank you"),
        (REJECT, "Thank you"),
        (APPROVE, "Already decided"),
    ):
        if browser.has(button):  # as the browser has kept the page, or made anew without a form
            browser.click(button)
            browser.see(heading)
        browser.back()
    browser.reload()
    browser.see("Already decided")
    assert not browser.has("form")
    (update,) = await stage.answers()
    assert decision_of(update).choice == "reject"


async def test_a_form_that_was_open_elsewhere_is_told_that_it_comes_too_late(
    stage: Stage, browser: Browser
) -> None:
    link = await stage.ask(books())
    browser.open(link.url)
    form = browser.run("return document.forms[0].outerHTML")
    browser.click(APPROVE)
    browser.see("Thank you")
    browser.open(f"{link.url}?other-tab")
    browser.run(f"document.querySelector('main').innerHTML = {form!r}")
    browser.click(REJECT)
    browser.see("Already decided")
    assert "was not recorded" in browser.text("[role=alert]")
    (update,) = await stage.answers()
    assert decision_of(update).approved


async def test_a_link_that_is_opened_a_second_time_shows_the_decision(
    stage: Stage, browser: Browser
) -> None:
    link = await stage.ask(books(choices=(Choice("no", "Not now"),)))
    browser.open(link.url)
    browser.click("button[value=no]")
    browser.see("Thank you")
    browser.open("about:blank")
    browser.open(link.url)
    browser.see("Already decided")
    assert "Not now" in browser.text("table")


async def test_it_is_decided_by_keyboard_alone(stage: Stage, browser: Browser) -> None:
    browser.open((await stage.ask(books())).url)
    browser.press(TAB, "o", "k", TAB, "A", "d", "a", TAB)
    assert browser.focused() == "Approve"
    assert browser.style(APPROVE, "outline-style") == "solid"
    browser.press(TAB)
    assert browser.focused() == "Reject"
    browser.press(SPACE)
    browser.see("Thank you")
    (update,) = await stage.answers()
    decision = decision_of(update)
    assert (decision.choice, decision.comment, decision.by) == ("reject", "ok", "Ada")


async def test_enter_in_the_names_field_decides_nothing(
    stage: Stage, browser: Browser, site: Site
) -> None:
    browser.open((await stage.ask(books())).url)
    browser.type("#by", f"Ada{ENTER}")
    browser.type("#by", "!")
    assert browser.value("#by") == "Ada!"
    assert [request.split()[0] for request in site.requests] == ["GET"]


async def test_it_needs_no_javascript(stage: Stage, browser: Browser) -> None:
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open("data:text/html,<title>off</title><script>document.title = 'on'</script>")
        assert browser.title == "off"
        browser.open((await stage.ask(books())).url)
        browser.type("textarea", "fine")
        browser.click(APPROVE)
        browser.see("Thank you")
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)
    (update,) = await stage.answers()
    assert decision_of(update).comment == "fine"


async def test_a_comment_that_is_too_long_comes_back_as_it_was(
    stage: Stage, browser: Browser
) -> None:
    browser.open((await stage.ask(books())).url)
    browser.run("document.forms[0].comment.maxLength = 9999")
    browser.run(r"document.forms[0].comment.value = 'x\n'.repeat(1001)")
    browser.click(APPROVE)
    assert "too long" in browser.text("[role=alert]")
    browser.see_focused("comment")
    assert browser.value("textarea").startswith("x\nx\nx\n")
    browser.run("document.forms[0].comment.value = 'short'")
    browser.click(APPROVE)
    browser.see("Thank you")


async def test_another_sites_page_can_neither_send_the_form_nor_frame_the_page(
    stage: Stage, browser: Browser, site: Site
) -> None:
    link = await stage.ask(books())
    browser.open(link.url)
    form = browser.run("return document.forms[0].outerHTML")
    browser.open("data:text/html," + form.replace("<form", f"<form action={link.url}"))
    browser.click(APPROVE)
    browser.see("Not from this page")
    browser.open(f"data:text/html,<iframe src={link.url}></iframe>")
    browser.post("/frame", id=0)
    assert not browser.has("form")
    browser.post("/frame", id=None)
    assert "decision" not in await stage.item()


async def test_every_field_is_labelled_and_nothing_of_the_page_is_blocked(
    stage: Stage, browser: Browser
) -> None:
    browser.open((await stage.ask(books(language="de"))).url)
    assert browser.label("textarea") == "Kommentar (freiwillig)"
    assert browser.label("#by") == "Ihr Name (freiwillig, wird nicht geprüft)"
    assert browser.label(APPROVE) == "Genehmigen"
    assert browser.run("return document.documentElement.lang") == "de"
    assert browser.style(APPROVE, "background-color") == "rgba(26, 127, 55, 1)"  # the style counts


def contrast(first: str, second: str) -> float:
    """Of two colours as `rgb(…)`, by WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour.strip("rgba()").split(",")[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_its_colours_can_be_read(stage: Stage, browser: Browser, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.devtools("Emulation.setEmulatedMedia", features=[feature])
    browser.open((await stage.ask(books())).url)
    card = browser.style("main", "background-color")
    pairs = {css: (browser.style(css, "color"), card) for css in ("h1", "th", ".faint", REJECT)}
    pairs["yes"] = (browser.style(APPROVE, "color"), browser.style(APPROVE, "background-color"))
    browser.devtools("Emulation.setEmulatedMedia", features=[])
    assert {name: pair for name, pair in pairs.items() if contrast(*pair) < 4.5} == {}


async def test_on_a_phone_nothing_is_wider_than_the_screen(
    stage: Stage, chromedriver: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    choices = tuple(Choice(f"c{n}", 59 * "x" + str(n)) for n in range(6))
    long = books(title=50 * "very", choices=choices)
    with browsing(chromedriver, tmp_path_factory.mktemp("phone"), phone=True) as phone:
        phone.open((await stage.ask(long)).url)
        assert phone.run("return [innerWidth, document.documentElement.scrollWidth]") == [390, 390]
        heights = phone.run("return [...document.forms[0].choice].map(b => b.offsetHeight)")
        assert min(heights) >= 44  # what a thumb hits


async def test_a_link_that_has_ended_says_so(stage: Stage, browser: Browser) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    browser.open((await stage.ask(books(expires=past))).url)
    browser.see("This link has expired")
    assert "books" not in browser.text()
