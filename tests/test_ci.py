"""What runs in somebody's pipeline: the action, the GitLab job and our own workflows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stress.errors import ExitCode
from stress.lab.farm import Farm, start

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
JOB = yaml.safe_load((ROOT / "docs" / "examples" / "gitlab-ci.yml").read_text())["tls-stress"]


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    """One node of eight sends the leaf alone."""
    with start("round-robin-1-of-8") as started:
        yield started


@pytest.fixture
def checkout(farm: Farm, tmp_path: Path) -> Path:
    """A repository with a load profile for the farm."""
    (tmp_path / "ca.pem").write_bytes(farm.ca_file.read_bytes())
    (tmp_path / "own.toml").write_text(
        f'count = 80\nprocesses = 1\nca = "ca.pem"\naddress = "{farm.addresses[0]}"\n'
    )
    return tmp_path


def shell(lines: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a step as a runner does: bash, which stops at the first command that fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", lines],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def steps(farm: Farm, folder: Path, **inputs: str) -> tuple[int, dict[str, str]]:
    """Runs the shell steps of the action with these inputs; its exit code and outputs."""
    given = {name: one.get("default", "") for name, one in ACTION["inputs"].items()}
    given |= {"target": farm.host} | inputs
    runner = {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    code = 0
    for step in ACTION["runs"]["steps"]:
        if "run" in step:
            variables = {
                name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: given[m[1]], value)
                for name, value in step["env"].items()
            }
            assert "${{" not in step["run"]  # an input would be pasted into the script
            code = shell(step["run"], folder, **variables, **runner).returncode
    written = Path(runner["GITHUB_OUTPUT"]).read_text().splitlines()
    return code, dict(line.split("=", 1) for line in written)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("goals", "code"),
    [
        ("", ExitCode.FAILING),
        ("failing<60%\nchains==2\n", ExitCode.CLEAN),
        ("failing<0.1%", ExitCode.FAILING),
        ("faling<1%", ExitCode.USAGE),
    ],
)
def test_the_action_fails_by_exit_code_and_leaves_its_reports(
    goals: str, code: ExitCode, farm: Farm, checkout: Path
) -> None:
    ended, outputs = steps(farm, checkout, profile="own.toml", goals=goals, options="--seed\n7")

    assert (ended, outputs) == (code, {"exit-code": str(int(code))})
    if code is not ExitCode.USAGE:
        assert (checkout / "tls-stress" / "run.db").is_file()
        assert "<testsuite " in (checkout / "tls-stress" / "junit.xml").read_text()
        assert "<title>" in (checkout / "tls-stress" / "report.html").read_text()
        assert "handshakes" in (checkout / "GITHUB_STEP_SUMMARY").read_text()


def test_the_action_uploads_what_it_wrote() -> None:
    (upload,) = (step for step in ACTION["runs"]["steps"] if "uses" in step)

    assert upload["if"].startswith("always()")
    assert upload["with"]["path"] == "${{ inputs.output }}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("goal", "code"), [("failing<60%", ExitCode.CLEAN), ("failing<0.1%", ExitCode.FAILING)]
)
def test_the_gitlab_job_runs(goal: str, code: ExitCode, farm: Farm, checkout: Path) -> None:
    variables = JOB["variables"] | {"TARGET": farm.host, "PROFILE": "own.toml", "GOAL": goal}

    done = shell("\n".join(JOB["script"]), checkout, **variables)

    assert done.returncode == code, done.stderr
    named = [*JOB["artifacts"]["paths"], JOB["artifacts"]["reports"]["junit"]]
    assert [name for name in named if not (checkout / name).exists()] == []


def test_the_container_needs_no_shell_and_no_root() -> None:
    text = (ROOT / "Containerfile").read_text()
    steps = re.findall(r"^([A-Z]+) (.+)$", text, re.MULTILINE)
    run = [json.loads(words) for step, words in steps if step in {"RUN", "ENTRYPOINT", "CMD"}]
    copied = [words.split()[:-1] for step, words in steps if step == "COPY" and "--" not in words]

    assert len(run) > 8  # json.loads: each is a program with its arguments
    assert {words for step, words in steps if step == "FROM"} == {"${BASE} AS build", "${BASE}"}
    assert [name for names in copied for name in names if not (ROOT / name).exists()] == []
    assert ("ENTRYPOINT", '["tls-stress"]') in steps
    assert ("VOLUME", "/results") in steps
    assert [words for step, words in steps if step == "USER"] == ["65532:65532"]


def test_the_check_of_the_container_says_when_it_did_nothing(tmp_path: Path) -> None:
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    command = ["/bin/sh", str(ROOT / "scripts" / "try_container")]
    ended = {
        required: subprocess.run(
            command,
            env={"PATH": str(tmp_path), "REQUIRED": required},
            capture_output=True,
            text=True,
            check=False,
        )
        for required in ("0", "1")
    }

    assert {required: done.returncode for required, done in ended.items()} == {"0": 0, "1": 1}
    assert all(done.stderr.startswith("SKIPPED: ") for done in ended.values())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_our_workflows_use_what_exists(workflow: Path) -> None:
    content: dict[Any, Any] = yaml.safe_load(workflow.read_text())
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    every = [step for job in content["jobs"].values() for step in job["steps"]]
    made = [word for step in every for word in re.findall(r"^make (.+)$", step.get("run", ""))]

    assert content["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in content["jobs"].values())
    assert {word for line in made for word in line.split()} <= {*targets}
    assert all(re.search(r"@(v\d+|release/v1)$", step["uses"]) for step in every if "uses" in step)
    assert all("${{" not in step.get("run", "") for step in every)


def test_every_python_that_we_name_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [one.rpartition(" ")[2] for one in project["classifiers"] if ":: Python :: 3." in one]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())

    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == named
