"""apt's programs: where they look, who holds their locks, and what they say, in English and within a time limit."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import struct
import subprocess
import tempfile
import time

from ansible.module_utils.apt_sources import entries, place, stanza_at

ENGLISH = {"LC_ALL": "C.UTF-8", "LANGUAGE": ""}
"""apt and dpkg translate what we read."""
LOCKED = re.compile(r"(?i)could not get lock|could not open lock|unable to (acquire|lock)|is another process using it")
FLOCK = "hhqqi"
CAUSES = [
    (
        "enough free space|No space left|is full",
        "could not be stored",
        'The disk of this machine is full. Free space ("apt-get clean"; "df -h" shows what is left), then run again.',
    ),
    (
        "not valid yet",
        "is not valid yet",
        "The clock of this machine is behind, as it can be after Windows slept: say 'wsl --shutdown' on Windows, "
        "then run again.",
    ),
    (
        "SHA1 is not considered secure|Policy rejected|uses weak|weak digest",
        "is signed in a way that this apt no longer accepts",
        "The one who publishes it must sign it anew; until then switch it off.",
    ),
    (
        "Hash Sum mismatch|unexpected size|Clearsigned file isn't valid",
        "is not the one that was signed: a proxy or a mirror on the way has changed it or cut it short",
        "Run again; if it stays so, ask who runs the proxy, or wait until the vendor has finished publishing.",
    ),
    (
        r"keyring \"?(?P<key>/[^\"\s]+)\"? are ignored as the file is not readable|"
        r"keyring \"(?P<key2>/[^\"]+)\" .*(Permission denied|No such file)",
        "cannot be verified, because apt's own user cannot read the key {key}",
        "Open it and its folder: sudo chmod 644 {key}; sudo chmod 755 {folder} (where it is missing: sudo apt-get "
        "install --reinstall ubuntu-keyring), then run again.",
    ),
    (
        "NO_PUBKEY|BADSIG|EXPKEYSIG|is not signed|Missing key|signature",
        "is not signed by this key",
        "Look at the address in a browser (a proxy or a portal may answer in its place); if the vendor has "
        "announced a new key, put its fingerprint into the variable; then run again.",
    ),
    (
        "404 +Not Found|does not have a Release file",
        "does not exist",
        "The repository has nothing for suite {suites}. Compare it with what the vendor offers, then run again.",
    ),
]
"""What apt says (a pattern; the first that fits counts), and the cause and the remedy in our words."""
UNKNOWN_CAUSE = (
    "could not be fetched",
    "Check that the proxy program runs on Windows and has a connection itself, and that the repository offers suite "
    "{suites}, then run again.",
)


def cause(said, suites):
    """Return why an index could not be fetched, and what to do."""
    for pattern, why, remedy in CAUSES:
        found = re.search(pattern, said)
        if found:
            key = next((value for value in found.groupdict().values() if value), "")
            names = {"suites": " ".join(suites), "key": key, "folder": os.path.dirname(key)}
            return why.format(**names), remedy.format(**names)
    return UNKNOWN_CAUSE[0], UNKNOWN_CAUSE[1].format(suites=" ".join(suites))


def run(argv, limit=60, **settings):
    """Run a program; return rc, stdout and stderr. One that does not end in time has rc 124."""
    environment = {**os.environ, **ENGLISH, **settings}
    try:
        done = subprocess.run(
            argv, capture_output=True, env=environment, stdin=subprocess.DEVNULL, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return 124, "", f"E: {argv[0]} did not end within {limit} s"
    except FileNotFoundError:
        return 127, "", f"E: {argv[0]} is not installed"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def errors(said):
    """Return apt's own errors, each once."""
    return list(dict.fromkeys(re.findall(r"^E: (.*)$", said, re.MULTILINE)))


class Apt:
    """Where apt looks, by its own word, not by that of one file."""

    NAMES = {
        "list": "Dir::Etc::sourcelist/f",
        "parts": "Dir::Etc::sourceparts/d",
        "lists": "Dir::State::lists/d",
        "archives": "Dir::Cache::archives/d",
        "status": "Dir::State::status/f",
        "trusted": "Dir::Etc::trustedparts/d",
        "architecture": "APT::Architecture",
        "user": "APT::Sandbox::User",
    }

    def __init__(self):
        self.rc, out, self.said = run(["apt-config", "shell", *[word for pair in self.NAMES.items() for word in pair]])
        found = dict(line.split("=", 1) for line in shlex.split(out) if "=" in line)
        self.list = found.get("list", "/etc/apt/sources.list")
        self.parts = found.get("parts", "/etc/apt/sources.list.d/").rstrip("/")
        self.lists = found.get("lists", "/var/lib/apt/lists/").rstrip("/")
        self.archives = found.get("archives", "/var/cache/apt/archives/").rstrip("/")
        self.dpkg = os.path.dirname(found.get("status", "/var/lib/dpkg/status"))
        self.trusted = [
            found.get("trusted", "/etc/apt/trusted.gpg"),
            found.get("trusted_parts", "/etc/apt/trusted.gpg.d"),
        ]
        self.trusted = found.get("trusted", "/etc/apt/trusted.gpg.d/").rstrip("/")
        self.architecture = found.get("architecture", "amd64")
        self.user = found.get("user", "_apt")

    @property
    def locks(self):
        return [
            f"{self.dpkg}/lock-frontend",
            f"{self.dpkg}/lock",
            f"{self.lists}/lock",
            f"{self.archives}/lock",
        ]

    def files(self):
        """Return the sources files that apt reads."""
        names = sorted(os.listdir(self.parts)) if os.path.isdir(self.parts) else []
        read = [f"{self.parts}/{name}" for name in names if re.fullmatch(r"[\w.-]+\.(list|sources)", name, re.ASCII)]
        return [path for path in [self.list, *read] if os.path.isfile(path)]

    def entries(self):
        return [entry for path in self.files() for entry in entries(path, text(path))]

    @contextlib.contextmanager
    def candidate(self, changes):
        """Yield apt's options for the sources as they will be: some files with other content, or (None) gone."""
        with tempfile.TemporaryDirectory(prefix="apt-candidate-") as folder:
            parts = f"{folder}/sources.list.d"
            os.makedirs(parts)
            os.chmod(folder, 0o755)  # apt works as a user of its own
            for path in {*self.files(), *changes}:
                name = f"{folder}/sources.list" if path == self.list else f"{parts}/{os.path.basename(path)}"
                if path not in changes:
                    os.symlink(path, name)
                elif changes[path] is not None:
                    with open(name, "wb") as file:
                        file.write(changes[path])
            self.names = (f"{parts}/", f"{self.parts}/"), (f"{folder}/sources.list", self.list)
            yield ["-o", f"Dir::Etc::SourceList={folder}/sources.list", "-o", f"Dir::Etc::SourceParts={parts}"]

    def real(self, said):
        """Return what apt said about a candidate, with the names of the real files."""
        for temporary, path in self.names:
            said = said.replace(temporary, path)
        return said

    def unreadable(self, changes=None):
        """Return why apt cannot read its sources, as they are or as they will be; empty when it can."""
        if not changes:
            return errors(run(["apt-get", "update", "--print-uris"])[2])
        with self.candidate(changes) as options:
            return errors(self.real(run(["apt-get", "update", "--print-uris", *options])[2]))

    def guilty(self, error, known):
        """Return the entries that an error of apt is about, and the line where it names one itself."""
        conflict = re.match(r"Conflicting values set for option \S+ regarding source (\S+) (\S+?)(:|$)", error)
        if conflict:
            where = place(conflict[1], conflict[2], self.architecture)
            return [
                entry
                for entry in known
                if entry.enabled
                and any(
                    place(uri, suite, self.architecture) == where and (suite == conflict[2] or suite.endswith("/"))
                    for uri in entry.uris
                    for suite in entry.suites
                )
            ]
        bare = [(entry, uri.split("$(")[0].rstrip("/")) for entry in known if entry.enabled for uri in entry.uris]
        return [
            entry
            for entry, uri in bare
            if re.search(rf"{re.escape(uri)}(?![\w.-])", error)
            and (len(entry.suites) == 0 or any(named(suite, error) for suite in entry.suites))
        ]

    @staticmethod
    def line_in(error):
        """Return the file and the line that an error of apt names itself."""
        for form in (
            r"Malformed (?:entry|line|stanza) (?P<at>\d+) in (?:list file|source list|sources file) (?P<file>\S+)",
            r"on (?:line|stanza) (?P<at>\d+) in source list (?P<file>\S+)",
        ):
            found = re.search(form, error)
            if found:
                file, at = found["file"], int(found["at"])
                return file, stanza_at(text(file), at) if file.endswith(".sources") else at
        found = re.search(r"(/\S+?):(\d+): ", error)
        if found:
            return found[1], int(found[2])
        found = re.search(r"(/\S+?)(?=[,:]?(\s|$))", error)
        return (found[1], None) if found and os.path.isfile(found[1]) else (None, None)

    # -- locks -------------------------------------------------------------------------------------------------------

    def held(self):
        """Return who holds a lock, as (path, process, program) of the first one held, else None."""
        for path in self.locks:
            process = holder(path)
            if process is not None:
                return path, process, program(process)
        return None

    def wait(self, seconds, limit=None):
        """Wait until nobody holds a lock; return who holds one still, in words, else nothing."""
        end = time.monotonic() + seconds
        while True:
            held = self.held()
            if held is None:
                return ""
            if time.monotonic() >= end:
                path, process, name = held
                return (
                    f"apt is in use: {path} has been held by process {process} ({name}) for more than "
                    f"{limit or seconds} s. Wait until it has ended ('ps -fp {process}' shows it; updates at boot take "
                    "some minutes), then run again."
                )
            time.sleep(min(1, max(0.05, end - time.monotonic())))

    # -- the index ---------------------------------------------------------------------------------------------------

    def update(self, options, wait=120, retries=2, limit=1800, **environment):
        """Fetch an index; while another program holds the lock, wait. Return rc and what apt said."""
        end = time.monotonic() + wait
        while True:
            argv = [
                "apt-get",
                "update",
                "-q",
                "-o",
                "APT::Update::Error-Mode=any",
                "-o",
                f"Acquire::Retries={retries}",
                *options,
            ]
            rc, _, said = run(argv, limit)
            if rc == 0 or not LOCKED.search(said):
                return rc, said
            left = end - time.monotonic()
            still = self.wait(max(0, left), wait)
            if still or left <= 0:
                return rc, f"E: {still or ' '.join(errors(said))}"
            time.sleep(1)  # held by somebody whom we do not see

    def troubles(self, said):
        """Return what apt said about each repository that it could not fetch, with the file and line that names it."""
        known, told = self.entries(), []
        for error in dict.fromkeys(re.findall(r"^[EW]: (.*)$", said, re.MULTILINE)):
            if not re.match(r"Some index files failed|The list of sources could|Target .* is configured", error):
                places = ", ".join(entry.where for entry in self.guilty(error, known))
                told.append(f"{places}: {error}" if places else error)
        return told


def named(suite, error):
    return suite == "/" or bool(re.search(rf"(?<![\w-]){re.escape(suite.strip('/'))}(?![\w-])", error))


def text(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def holder(path):
    """Return the process that holds the lock on a file, 0 where the kernel does not tell, None when it is free."""
    try:
        with open(path, "rb") as file:
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, process = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        return None
    return None if kind == fcntl.F_UNLCK else max(process, 0)


def program(process):
    """Return the name of a process, with the unit that started it."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            argv = [os.path.basename(word.decode(errors="replace")) for word in file.read().split(b"\0") if word]
        with open(f"/proc/{process}/cgroup") as file:
            unit = re.search(r"/([\w@.-]+\.service)$", file.read(), re.MULTILINE)
    except OSError:
        return "unknown program"
    interpreted = re.match(r"(python|perl|sh$|bash$|dash$)", argv[0]) if argv else None
    script = argv[1] if interpreted and len(argv) > 1 and not argv[1].startswith("-") else ""
    name = script or "".join(argv[:1])
    return f"{name}, {unit[1]}" if unit else name or "unknown program"
