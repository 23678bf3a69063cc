"""The emitter: whatever is written reads back as what it was."""

from __future__ import annotations

import random
import string

import pytest

from lambda_workflow.aws.synth.values import Because
from lambda_workflow.aws.synth.yaml import Block, Tag, Titled, to_yaml
from tests.synth.template_text import bare, read

NASTY = [
    "", " ", "a: b", "a:", ":a", "#", "a #b", "it's", '"', "- a", "-", "?", "!Ref x", "&a", "*a",
    "yes", "No", "null", "~", "true", "0", "007", "1e3", "0x1F", "2010-09-09", "12:30:45", ".5",
    ".inf", "{a}", "[a]", "a,b", "a, b", "a]", "%a", "@a", "`a`", "a\\b", "é…~", "${Name}-x", "=",
    "<<", "a ", " a", "AWS::Region", "sts:AssumeRole", "../../build", "./x", "/a/b", "n", "Y",
    "a:b: c", "a:-b", "...", "---", "nan", "a::b::c", "a:::b",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_a_string_stays_the_string_that_it_is(text: str) -> None:
    tree = {
        "a": text,
        "list": [text],
        "flow": [text, "b"],
        "tag": Tag("Sub", text),
        "tags": Tag("Join", [text, [text, Tag("Ref", "A")]]),
        "in": {"x": [{"k": text}]},
    }
    assert read(to_yaml(tree)) == bare(tree)


def test_random_strings_stay_what_they_are() -> None:
    dice = random.Random(4)
    for _ in range(2000):
        text = "".join(dice.choices(string.printable[:95] + "é…", k=dice.randrange(12)))
        tree = {"a": text, "flow": [text, text], "tag": Tag("If", ["A", [text], text])}
        assert read(to_yaml(tree)) == bare(tree), repr(text)


def test_nested_trees_comments_and_blocks_read_back() -> None:
    tree = {
        "Top": {
            "One": Titled({"Deep": [{"a": 1, "b": [{"c": True}]}, {"d": {"e": []}}]}, "Why one."),
            "Two": Titled({"Count": Because(5, "It's five: # not four."), "Empty": {}}, "Why."),
            "Text": Block('{"a": "${B}"}\n{"c": 1}', "Sub"),
            "Long": ["x" * 60, "y" * 60],
            "LongTag": Tag("Join", ["x" * 60, ["y" * 60, Tag("GetAtt", "A.B")]]),
            "InList": [Because("a", "Reasons in lists are left out."), Tag("GetAtt", "A.Arn")],
        },
        "Float": 0.5,
    }
    del tree["Top"]["InList"][0]  # type: ignore[index]  # lists have no comments
    text = to_yaml(tree)
    assert read(text) == bare(tree)
    assert "# Why one.\n  One:" in text
    assert "# It's five: # not four.\n    Count: 5" in text


def test_long_comments_are_folded() -> None:
    text = to_yaml({"a": Because(1, "word " * 60)})
    assert all(len(line) <= 98 for line in text.splitlines())
    assert text.count("#") > 2


def test_what_has_no_yaml_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no YAML here"):
        to_yaml({"a": {1, 2}})
