"""Files for Slurm, KubeRay, SkyPilot and machines; mistakes in what they ask for."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.commands import call, wait_for
from tests.stand_ins.rayjob_schema import RAY_JOB

BUCKET = ("--store", "s3://bucket/studies")
HOSTILE = "x'; touch owned; echo '$(touch owned)`touch owned`"


def printed(tmp_path: Path, *words: object) -> str:
    """The file, without the line about its machines, which goes to the other output."""
    code, output = call("cluster", *words, cwd=tmp_path)
    assert code == 0, output
    text, _, about = output.rstrip().rpartition("\n")
    assert "stages at once" in about
    return text


@pytest.mark.parametrize("kind", ["slurm", "vm"])
def test_scripts_are_sound_shell(tmp_path: Path, kind: str) -> None:
    text = printed(tmp_path, kind, "names", *BUCKET, "--nodes", 3, "--gpus", 2, "--gpu-kind", "A100")
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    assert "RAY_AUTH_MODE=token" in text
    assert "6|130)" in text
    if shutil.which("shellcheck"):
        assert (
            subprocess.run(["shellcheck", "-S", "error", "-"], input=text, text=True, check=False).returncode
            == 0
        )


def test_slurm_asks_for_the_machines(tmp_path: Path) -> None:
    text = printed(
        tmp_path,
        "slurm",
        "names",
        "--nodes",
        2,
        "--cpus",
        4,
        "--gpus",
        2,
        "--gpu-kind",
        "A100",
        "--hours",
        1.5,
    )
    asked = {
        line.removeprefix("#SBATCH ").strip() for line in text.splitlines() if line.startswith("#SBATCH")
    }
    assert {"--nodes=2", "--cpus-per-task=4", "--gpus-per-node=A100:2", "--time=90", "--requeue"} <= asked


@pytest.mark.parametrize(("hours", "told_before"), [(12, 300), (0.1, 120), (0.01, 20)])
def test_a_short_job_is_not_told_to_end_as_it_begins(tmp_path: Path, hours: float, told_before: int) -> None:
    assert f"--signal=B:TERM@{told_before}\n" in printed(tmp_path, "slurm", "names", "--hours", hours)


@pytest.mark.parametrize("name", ["names", "A_study.With-a-name-of-64-characters" + "x" * 28])
def test_the_schema_takes_every_name_of_a_study(tmp_path: Path, name: str) -> None:
    text = printed(
        tmp_path, "kuberay", "names", *BUCKET, "--set", f"name={name}", "--image", "registry/relearn:1"
    )
    jsonschema.validate(yaml.safe_load(text), RAY_JOB)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text.replace("backoffLimit", "backOffLimit")), RAY_JOB)


def test_kuberay_is_a_rayjob(tmp_path: Path) -> None:
    found = yaml.safe_load(printed(tmp_path, "kuberay", "names", *BUCKET, "--nodes", 3, "--gpus", 1))
    assert (found["apiVersion"], found["kind"], found["spec"]["backoffLimit"]) == ("ray.io/v1", "RayJob", 0)
    cluster = found["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["replicas"] == 3
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "8", "nvidia.com/gpu": "1"}
    jsonschema.validate(found, RAY_JOB)
    environment = yaml.safe_load(found["spec"]["runtimeEnvYAML"])
    assert environment["env_vars"]["HF_HUB_OFFLINE"] == "1"
    words = shlex.split(found["spec"]["entrypoint"])
    assert words[words.index("run") + 1] == "names"
    assert "s3://bucket/studies" in words


def test_a_volume_is_mounted_on_every_node(tmp_path: Path) -> None:
    words = ("names", "--nodes", 2, "--study", "/shared/studies/names", "--volume", "results")
    found = yaml.safe_load(printed(tmp_path, "kuberay", *words))
    jsonschema.validate(found, RAY_JOB)
    cluster = found["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        assert pod["volumes"] == [{"name": "shared", "persistentVolumeClaim": {"claimName": "results"}}]
        (container,) = pod["containers"]
        assert container["volumeMounts"] == [{"name": "shared", "mountPath": "/shared/studies"}]
    assert yaml.safe_load(printed(tmp_path, "sky", *words))["volumes"] == {"/shared/studies": "results"}


@pytest.mark.slow
@pytest.mark.parametrize("misspelt", [False, True])
def test_skypilot_accepts_the_task(tmp_path: Path, misspelt: bool) -> None:
    program = shutil.which("sky")
    if program is None:  # its libraries are of other versions than ours
        pytest.skip("needs SkyPilot on the PATH, in an environment of its own: pip install skypilot==0.14.1")
    text = printed(tmp_path, "sky", "names", *BUCKET, "--nodes", 8, "--gpus", 8, "--gpu-kind", "H100")
    text = text.replace("num_nodes", "num_nodse") if misspelt else text
    given = "secrets_overrides=[('RAY_AUTH_TOKEN', 'x')]"
    code = f"import sky, yaml; print(sky.Task.from_yaml_config(yaml.safe_load({text!r}), {given}).secrets)"
    command = [str(Path(program).parent / "python"), "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode == 0) == (not misspelt), done.stderr[-2000:]
    assert misspelt or "RAY_AUTH_TOKEN" in done.stdout


@pytest.mark.parametrize("kind", ["slurm", "vm", "kuberay", "sky"])
def test_words_of_the_user_become_no_commands(tmp_path: Path, kind: str) -> None:
    study = f"/shared/{HOSTILE}"
    text = printed(tmp_path, kind, "names", *BUCKET, "--study", study)
    if kind == "kuberay":
        assert study in shlex.split(yaml.safe_load(text)["spec"]["entrypoint"])
        return
    script = yaml.safe_load(text)["run"] if kind == "sky" else text
    (line,) = [line for line in script.splitlines() if line.strip().startswith("relearn run")]
    assert study in shlex.split(line.strip().removesuffix("&"))


@pytest.mark.parametrize("kind", ["vm", "sky"])
def test_a_worker_ends_with_the_head(tmp_path: Path, kind: str) -> None:
    """Each machine costs money, and `ray start` looks two minutes for a head that is gone."""
    text = printed(tmp_path, kind, "names", *BUCKET, "--nodes", 3)
    ray = tmp_path / "ray"
    ray.write_text('#!/bin/sh\necho "$@" >> joined\nsleep 0.2\n')
    ray.chmod(0o755)
    with socket.create_server(("127.0.0.1", 6399 if kind == "sky" else 0)) as head:
        port = head.getsockname()[1]
        environment = {"RAY_AUTH_TOKEN": "0", "RELEARN_PORT": str(port), "SKYPILOT_NODE_RANK": "1"}
        environment |= {
            "SKYPILOT_NODE_IPS": "127.0.0.1\n127.0.0.2",
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
        }
        script = yaml.safe_load(text)["run"] if kind == "sky" else text
        words = ["bash", "-c", script, "file", "worker", "127.0.0.1"]
        worker = subprocess.Popen(words, env=environment, cwd=tmp_path, start_new_session=True)
        try:
            wait_for((tmp_path / "joined").exists, 30)
            head.close()
            assert worker.wait(30) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    assert f"--address=127.0.0.1:{port}" in (tmp_path / "joined").read_text()


WRONG = [
    (["slrum", "names"], 2, ["slrum", "did you mean 'slurm'"]),
    (["slurm", "nmaes"], 2, ["did you mean 'names'"]),
    (["slurm", "names", "--nodes", "0"], 2, ["--nodes 0", "at least 1"]),
    (["slurm", "names", "--cpus", "0"], 2, ["--cpus 0", "at least 1"]),
    (["slurm", "names", "--cpus", "99999999999999999999"], 2, ["at most 10,000"]),
    (["slurm", "names", "--gpus", "-1"], 2, ["--gpus -1", "0 or more"]),
    (["slurm", "names", "--gpus", "10001"], 2, ["--gpus 10001", "at most 1,000"]),
    (["slurm", "names", "--hours", "0"], 2, ["--hours 0", "more than 0"]),
    (["slurm", "names", "--hours", "nan"], 2, ["--hours nan", "more than 0"]),
    (["slurm", "names", "--hours", "99999"], 2, ["at most 1440"]),
    (["slurm", "names", "--gpu-kind", "A 100"], 2, ["--gpu-kind", "A100 or H100"]),
    (["kuberay", "names", "--image", "a b"], 2, ["--image a b"]),
    (["sky", "names", "--nodes", "2"], 2, ["share no folder", "--store s3://"]),
    (["kuberay", "names", "--nodes", "2", "--store", "relative"], 2, ["share no folder"]),
    (["slurm", "names", "--volume", "shared"], 2, ["slurm mounts none"]),
    (["kuberay", "names", "--volume", "a b", "--study", "/shared/x"], 2, ["--volume a b"]),
    (["kuberay", "names", "--volume", "shared", "--study", "x"], 2, ["absolute folder within it"]),
    (["sky", "names", "--volume", "shared", "--study", "/x"], 2, ["absolute folder within it"]),
    (["vm", "names", "--study", "/shared/a\nb"], 2, ["line break"]),
    (
        ["slurm", "names", "--study", "s3://bucket/x"],
        2,
        ["s3://bucket/x is no folder", "--store s3://bucket/x"],
    ),
    (["slurm", "names", "--store", "s4://x/y"], 2, ["s4://x/y", "expected a folder"]),
    (["slurm", "names", "--set", "execution.cpus=9"], 3, ["needs 9 CPUs", "a machine has 8", "--cpus"]),
    (["slurm", "names", "--set", "execution.gpus=1"], 3, ["needs 1 GPUs", "a machine has 0", "--gpus"]),
    (
        ["slurm", "names", "--set", "execution.of_kind={relearn: {gpus: 4}}", "--gpus", "2"],
        3,
        ["kind relearn", "4 GPUs"],
    ),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=lambda value: str(value)[:60])
def test_wrong_machines(tmp_path: Path, arguments: list[str], code: int, words: list[str]) -> None:
    refused(tmp_path, ["cluster", *arguments], code, words)


def refused(tmp_path: Path, arguments: list[str], code: int, words: list[str]) -> None:
    found, output = call(*arguments, cwd=tmp_path)
    assert found == code, output
    for word in words:
        assert word in output
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []
