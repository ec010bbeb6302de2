"""The manifests of docs/how-to/kubernetes.md: Kubernetes 1.37 accepts them, no load comes twice.

`data/kubernetes-1.37.json` has the definitions of Job and Pod, and all that they refer to, from the
strict schemas of kubernetes-validate 1.37.0 (Apache-2.0) without their descriptions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stress.cli.main import main

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "how-to" / "kubernetes.md"
DEFINITIONS = json.loads((HERE / "data" / "kubernetes-1.37.json").read_text())
TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
JOB = "io.k8s.api.batch.v1.Job"
POD = "io.k8s.api.core.v1.Pod"


def wrong(value: Any, schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """What does not fit a schema, as far as those of Kubernetes go."""
    if "$ref" in schema:
        yield from wrong(value, DEFINITIONS[schema["$ref"]], place)
        return
    if "oneOf" in schema:
        if all(list(wrong(value, each, place)) for each in schema["oneOf"]):
            yield f"{place} fits none"
        return
    names = schema.get("type", [])
    kinds = [TYPES[name] for name in ([names] if isinstance(names, str) else names)]
    mistaken = isinstance(value, bool) and bool not in kinds
    if kinds and (mistaken or not isinstance(value, tuple(kinds))):
        yield f"{place} is no {names}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is none of {schema['enum']}"
    if isinstance(value, dict):
        yield from wrong_object(value, schema, place)
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from wrong(each, schema.get("items", {}), f"{place}[{number}]")


def wrong_object(value: Mapping[str, Any], schema: Mapping[str, Any], place: str) -> Iterator[str]:
    """What does not fit in an object."""
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place} lacks {name}"
    for name, each in value.items():
        if name in known:
            yield from wrong(each, known[name], f"{place}.{name}")
        elif others is False:
            yield f"{place}.{name} is unknown"
        elif isinstance(others, dict):
            yield from wrong(each, others, f"{place}.{name}")


@pytest.fixture
def manifests() -> list[dict[str, Any]]:
    return [
        yaml.safe_load(text)
        for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    ]


def test_kubernetes_accepts_them(manifests: list[dict[str, Any]]) -> None:
    job, pod = manifests

    assert list(wrong(job, DEFINITIONS[JOB])) == []
    assert list(wrong(pod, DEFINITIONS[POD])) == []


def test_the_schema_finds_what_is_misspelt_missing_or_of_another_type(
    manifests: list[dict[str, Any]],
) -> None:
    job, _ = manifests
    spec = job["spec"]["template"]["spec"]
    spec["restart"] = spec.pop("restartPolicy")
    job["spec"]["completions"] = "3"
    job["kind"] = "job"
    del spec["containers"][0]["name"]

    assert sorted(wrong(job, DEFINITIONS[JOB])) == [
        ".kind is none of ['Job']",
        ".spec.completions is no ['integer', 'null']",
        ".spec.template.spec.containers[0] lacks name",
        ".spec.template.spec.restart is unknown",
    ]


def test_no_part_is_ever_started_again_and_all_parts_are_merged(
    manifests: list[dict[str, Any]],
) -> None:
    job, pod = manifests
    spec, template = job["spec"], job["spec"]["template"]["spec"]

    assert (spec["completionMode"], spec["backoffLimitPerIndex"]) == ("Indexed", 0)
    assert "backoffLimit" not in spec
    assert {template["restartPolicy"], pod["spec"]["restartPolicy"]} == {"Never"}
    (merging,) = pod["spec"]["containers"][0]["args"]
    (running,) = template["containers"][0]["args"]
    assert "/home-of-all/part-*.db" in merging
    assert 'cp "/results/part-$PART.db" /home-of-all/' in running
    assert template["volumes"] == pod["spec"]["volumes"]


def test_its_command_lines_are_ours(
    manifests: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    for manifest in manifests:
        pod = manifest["spec"].get("template", manifest)["spec"]
        (script,) = pod["containers"][0]["args"]
        line = re.search(r"tls-stress (.*?)\n(?! )", script.replace("\\\n", ""), re.DOTALL)
        assert line is not None
        command, *words = line[1].split()

        assert main([command, "--help"]) == 0

        shown = capsys.readouterr().out
        assert [word for word in words if word.startswith("-") and word not in shown] == []
