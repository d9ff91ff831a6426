"""The lab's stand-in of nvidia-ctk against what NVIDIA's own 1.20.0 said and wrote, quoted here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

STANDIN = Path(__file__).resolve().parents[2] / "lab" / "containers" / "internet" / "nvidia" / "nvidia-ctk"
NVIDIA = '"nvidia": {\n            "args": [],\n            "path": "nvidia-container-runtime"\n        }'
ONLY = f'{{\n    "runtimes": {{\n        {NVIDIA}\n    }}\n}}'


def ctk(*words):
    return subprocess.run([sys.executable, STANDIN, *map(str, words)], capture_output=True, timeout=20)


def said(done):
    return re.findall(r'^time="[^"]*" (level=\w+ msg=.*)$', done.stderr.decode(), re.MULTILINE)


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        (b"{}", (), ONLY),
        (b"{} what comes behind is not read", (), ONLY),
        (
            '{"a": "ü<>&\\u2028\\u0007\\b\\f", "n": 12345678901234567890, "f": 1e21, "g": 1.0, "h": 1e-7,'
            ' "i": 100000000000000000000}'.encode(),
            (),
            '{\n    "a": "ü\\u003c\\u003e\\u0026\\u2028\\u0007\\b\\f",\n    "f": 1e+21,\n    "g": 1,\n    "h": 1e-7,\n'
            f'    "i": 100000000000000000000,\n    "n": 12345678901234567000,\n{ONLY[2:]}',
        ),
        (
            b'{"a":{},"b":[],"features":{"x":true},"runtimes":{"x":{"path":"y"}}}',
            ("--set-as-default", "--cdi.enabled"),
            '{\n    "a": {},\n    "b": [],\n    "default-runtime": "nvidia",\n    "features": {\n        "cdi": true\n'
            f'    }},\n    "runtimes": {{\n        {NVIDIA},\n'
            '        "x": {\n            "path": "y"\n        }\n    }\n}',
        ),
    ],
)
def test_daemon_json_has_the_bytes_that_the_real_one_writes(tmp_path, before, words, after):
    path = tmp_path / "daemon.json"
    path.write_bytes(before)
    done = ctk("runtime", "configure", "--config", path, *words)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().decode() == after
    assert said(done) == [
        f'level=info msg="Loading config from {path}"',
        f'level=info msg="Wrote updated config to {path}"',
        'level=info msg="It is recommended that docker daemon be restarted."',
    ]


def test_a_missing_file_is_made_and_a_dry_run_writes_none(tmp_path):
    path = tmp_path / "docker" / "daemon.json"
    dry = ctk("runtime", "configure", "--config", path, "--dry-run")
    assert (dry.returncode, dry.stdout.decode(), path.exists()) == (0, ONLY + "\n", False)
    assert said(dry) == ['level=info msg="Config file does not exist; using empty config"']
    assert ctk("runtime", "configure", "--config", path).returncode == 0
    assert path.read_text() == ONLY


@pytest.mark.parametrize(
    ("before", "code", "error"),
    [
        (b"null", 2, "panic: assignment to entry in nil map"),
        (b'{"runtimes": null}', 2, "panic: interface conversion: interface {} is nil, not map[string]interface {}"),
        (
            b'{"runtimes": []}',
            2,
            "panic: interface conversion: interface {} is []interface {}, not map[string]interface {}",
        ),
        (b"", 1, r'msg="unable to load config for runtime docker: EOF"'),
        (b'{"a":1', 1, r'msg="unable to load config for runtime docker: unexpected EOF"'),
        (b"// c\n{}", 1, r"docker: invalid character '/' looking for beginning of value"),
        (b"\xef\xbb\xbf{}", 1, r"unable to load config for runtime docker: invalid character '"),
        (b"[]", 1, r"docker: json: cannot unmarshal array into Go value of type docker.Config"),
        (b'"x"', 1, r"docker: json: cannot unmarshal string into Go value of type docker.Config"),
    ],
)
def test_what_the_real_one_does_not_take_it_leaves_as_it_was(tmp_path, before, code, error):
    path = tmp_path / "daemon.json"
    path.write_bytes(before)
    done = ctk("runtime", "configure", "--config", path)
    assert done.returncode == code
    assert error in done.stderr.decode()
    assert path.read_bytes() == before


def test_what_it_does_not_know_it_refuses(tmp_path):
    assert "unrecognized runtime 'foo'" in ctk("runtime", "configure", "--runtime", "foo").stderr.decode()
    assert "lab stand-in configures docker only" in ctk("runtime", "configure", "--runtime", "crio").stderr.decode()
    assert ctk("system", "create-dev-char-symlinks").returncode == 2


def test_a_config_toml_that_was_there_is_written_anew_without_its_comments(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('# mine\n[nvidia-container-runtime]\nmode = "cdi"\n')
    for _ in range(2):
        assert ctk("--quiet", "config", f"--config-file={path}", "--in-place").returncode == 0
        assert "# mine" not in path.read_text()
        assert 'mode = "cdi"' in path.read_text()


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("auto", "failed to initialize NVML: ERROR_LIBRARY_NOT_FOUND"),
        ("wsl", "failed to initialize dxcore: failed to initialize dxcore context"),
    ],
)
def test_without_the_driver_there_is_no_specification(mode, error):
    done = ctk("cdi", "generate", f"--mode={mode}")
    assert done.returncode == 1
    assert error in done.stderr.decode()
