"""What absent takes away is what the role has brought: packages that were there before stay."""

import pytest

from tests.unit.role_values import role_value

CUDA = ["installed cuda-toolkit", "installed cuda-toolkit-13-4"]
TOOLKIT = ["installed nvidia-container-toolkit=1.17.0-1", "installed libnvidia-container1=1.17.0-1"]
DOCKER = {"docker-ce": "5:28.5.2-1", "docker-compose-plugin": "2.40.0-1", "docker.io": "28.5.2"}


def docker(expression, members=(), before=None, installed=DOCKER):
    facts = {"installed": dict(installed), "members": list(members), "before": before}
    return role_value("docker_engine", expression, __docker_engine_facts=facts, docker_engine_users=["dev", "mei"])


@pytest.mark.parametrize(
    ("note", "brought"),
    [
        ([], []),  # the role has never run here
        (["begun"], ["cuda-toolkit", "cuda-toolkit-13-4"]),
        (["begun", "before cuda-toolkit-13-4"], ["cuda-toolkit"]),
    ],
)
def test_cuda_wsl_takes_away_what_it_has_brought(note, brought):
    read = {"stdout_lines": CUDA + note}
    assert role_value("cuda_wsl", "__cuda_wsl_brought", __cuda_wsl_facts_read=read) == brought


def test_cuda_wsl_notes_what_is_there_at_its_first_run_and_keeps_that():
    first = {"stdout_lines": ["installed cuda-toolkit-12-4"]}
    assert role_value("cuda_wsl", "__cuda_wsl_note.content", __cuda_wsl_facts_read=first) == "cuda-toolkit-12-4\n"
    later = {"stdout_lines": [*CUDA, "begun", "before cuda-toolkit-12-4"]}
    assert role_value("cuda_wsl", "__cuda_wsl_note.content", __cuda_wsl_facts_read=later) == "cuda-toolkit-12-4\n"


@pytest.mark.parametrize(
    ("note", "brought", "removed"),
    [
        ([], [], ["/var/lib/wsl-dl-playbook/nvidia_ctk"]),
        (
            ["begun", "before nvidia-container-toolkit"],
            ["libnvidia-container1"],
            ["/var/lib/wsl-dl-playbook/nvidia_ctk"],
        ),
        (
            ["begun"],
            ["libnvidia-container1", "nvidia-container-toolkit"],
            ["/var/run/cdi/nvidia.yaml", "/etc/nvidia-container-runtime", "/var/lib/wsl-dl-playbook/nvidia_ctk"],
        ),
    ],
)
def test_nvidia_ctk_takes_away_what_it_has_brought(note, brought, removed):
    read = {"stdout_lines": [*TOOLKIT, "at /var/run/cdi/nvidia.yaml", *note]}
    assert role_value("nvidia_ctk", "__nvidia_ctk_brought", __nvidia_ctk_facts_read=read) == brought
    assert role_value("nvidia_ctk", "__nvidia_ctk_left", __nvidia_ctk_facts_read=read) == removed


def test_docker_engine_that_has_never_run_takes_nothing_away():
    assert docker("__docker_engine_brought", ["dev"]) == []
    assert docker("__docker_engine_leavers", ["dev"]) == []
    assert docker("__docker_engine_stays") is True


def test_docker_engine_takes_away_what_it_has_brought():
    bare = {"packages": [], "members": []}
    assert docker("__docker_engine_brought", before=bare) == ["docker-ce", "docker-compose-plugin"]
    assert docker("__docker_engine_stays", before=bare) is False
    half = {"packages": ["docker-ce"], "members": ["mei"]}
    assert docker("__docker_engine_brought", before=half) == ["docker-compose-plugin"]
    assert docker("__docker_engine_stays", before=half) is True
    assert docker("__docker_engine_leavers", ["dev", "mei"], before=half) == ["dev"]


def test_docker_engine_keeps_its_first_note():
    noted = {"packages": ["docker-ce"], "members": ["mei"]}
    assert docker("__docker_engine_before", ["dev", "mei"], before=noted) == noted
    assert docker("__docker_engine_before", ["dev"]) == {
        "packages": ["docker-ce", "docker-compose-plugin"],
        "members": ["dev"],
    }
