"""A dashboard in CloudWatch's form, which both formats have as JSON text."""

from __future__ import annotations

import json
from typing import Any

from lambda_workflow.aws.synth import resources as r
from lambda_workflow.aws.synth.values import Builtin


def as_json(value: Any, text: Any) -> str:
    """JSON of a dashboard, a line for each metric; `text` says what stands for a reference."""

    def line(part: Any) -> str:
        return json.dumps(part, default=text, ensure_ascii=False)

    charts = []
    for chart in value["widgets"]:
        metrics = ",\n    ".join(line(metric) for metric in chart["properties"]["metrics"])
        head = line(chart | {"properties": chart["properties"] | {"metrics": []}})
        charts.append(head.removesuffix("]}}") + f"\n    {metrics}]}}}}")
    return '{"widgets": [\n  ' + ",\n  ".join(charts) + "\n]}"


def dashboard(board: r.Dashboard) -> dict[str, Any]:
    """CloudWatch's form of a dashboard, with references in it."""
    width, height = 12, 6
    return {
        "widgets": [
            {
                "type": "metric",
                "x": width * (number % 2),
                "y": height * (number // 2),
                "width": width,
                "height": height,
                "properties": {
                    "title": title,
                    "region": Builtin("region"),
                    "stat": statistic,
                    "period": 60,
                    "metrics": [_series(metric) for metric in metrics],
                },
            }
            for number, (title, statistic, metrics) in enumerate(board.charts)
        ]
    }


def _series(metric: r.Metric) -> list[Any]:
    dimensions = [part for pair in metric.dimensions.items() for part in pair]
    return [metric.namespace, metric.name, *dimensions]
