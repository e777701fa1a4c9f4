"""Files for Slurm, KubeRay, SkyPilot and machines; mistakes in what they ask for."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.commands import call

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


def test_kuberay_is_a_rayjob(tmp_path: Path) -> None:
    found = yaml.safe_load(printed(tmp_path, "kuberay", "names", *BUCKET, "--nodes", 3, "--gpus", 1))
    assert (found["apiVersion"], found["kind"], found["spec"]["backoffLimit"]) == ("ray.io/v1", "RayJob", 0)
    cluster = found["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["replicas"] == 3
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "8", "nvidia.com/gpu": "1"}
    words = shlex.split(found["spec"]["entrypoint"])
    assert words[words.index("run") + 1] == "names"
    assert "s3://bucket/studies" in words


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


WRONG = [
    (["slrum", "names"], 2, ["slrum", "did you mean 'slurm'"]),
    (["slurm", "nmaes"], 2, ["did you mean 'names'"]),
    (["slurm", "names", "--nodes", "0"], 2, ["--nodes 0", "at least 1"]),
    (["slurm", "names", "--cpus", "0"], 2, ["--cpus 0", "at least 1"]),
    (["slurm", "names", "--gpus", "-1"], 2, ["--gpus -1", "0 or more"]),
    (["slurm", "names", "--hours", "0"], 2, ["--hours 0", "more than 0"]),
    (["slurm", "names", "--hours", "nan"], 2, ["--hours nan", "more than 0"]),
    (["slurm", "names", "--hours", "99999"], 2, ["at most 1440"]),
    (["slurm", "names", "--gpu-kind", "A 100"], 2, ["--gpu-kind", "A100 or H100"]),
    (["kuberay", "names", "--image", "a b"], 2, ["--image a b"]),
    (["sky", "names", "--nodes", "2"], 2, ["share no folder", "--store s3://"]),
    (["kuberay", "names", "--nodes", "2", "--store", "relative"], 2, ["share no folder"]),
    (["vm", "names", "--study", "/shared/a\nb"], 2, ["line break"]),
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
