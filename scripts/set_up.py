"""Set the project up in `.venv`: once, anywhere, with the standard library alone.

Works without root, without an activated environment and without `ensurepip` (which Debian takes
out of its Python). The locked libraries are installed by uv, from the package index that pip or
uv is set up for; their hashes are checked, uv's own among them. Without pip, ensurepip and uv, a
wheel of uv is taken from the configured index.

`--spark` adds the libraries of the extra `spark` to an environment that is whole. They are locked
with the others, and left out of the first set-up, since Spark alone is larger than all of those.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import html.parser
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
READY = VENV / ".ready"
SPARK_READY = VENV / ".spark"
SPARK = ("py4j", "pyspark")  # what the extra adds to the lock
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")


def main() -> None:
    """Make the environment, fill it, and leave a stamp that says it is whole."""
    if sys.version_info < (3, 11):  # noqa: UP036  an older one may well run this file
        sys.exit(f"funnel needs Python 3.11 or newer; this is {platform.python_version()}.")
    READY.unlink(missing_ok=True)
    print("Setting up .venv (once; about half a minute) ...", flush=True)
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt", clear=True).create(VENV)
    environment = index_settings() | {"VIRTUAL_ENV": str(VENV)}
    uv = find_uv(environment)
    with listed(locked(without=SPARK)) as lock:
        run([uv, "pip", "sync", "--quiet", "--require-hashes", lock], environment)
    package = ["--no-build-isolation", "--no-deps", "--editable", ROOT]
    run([uv, "pip", "install", "--quiet", *package], environment)
    settings = VENV / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "scripts" / "overrides.json", settings)
    READY.write_text(f"{platform.python_version()}\n")


def add_spark() -> None:
    """Install Spark beside the rest; say so and go on where it cannot run or cannot be had."""
    if not has_java():
        print("Spark is left out, and its tests are skipped: there is no Java on this machine.")
        return
    print("Adding Spark to .venv (once; some 450 MB, about half a minute) ...", flush=True)
    environment = index_settings() | {"VIRTUAL_ENV": str(VENV)}
    # the source of Spark is built with the locked setuptools, not with one fetched for the purpose
    options = ["--quiet", "--require-hashes", "--no-deps", "--no-build-isolation"]
    try:
        with listed(locked(only=SPARK)) as lock:
            run([find_uv(environment), "pip", "install", *options, "-r", lock], environment)
    except SystemExit as stopped:
        print(f"{stopped}\nSpark is left out, and its tests are skipped.")
        return
    SPARK_READY.write_text(f"{platform.python_version()}\n")


def has_java() -> bool:
    """Tell whether there is a Java that starts."""
    home = os.environ.get("JAVA_HOME")
    return any(
        works([str(java), "-version"])
        for java in (Path(home) / "bin" / "java" if home else "", shutil.which("java"))
        if java
    )


@contextlib.contextmanager
def listed(requirements: str) -> Iterator[Path]:
    """Give a file that holds these lines for a while."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(requirements)
        yield file


def run(command: list[str | Path], environment: dict[str, str]) -> None:
    """Run a step of the set-up, and stop with what it said if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(
            f"Set-up stopped: `{' '.join(words[:4])} ...` ended with status {done.returncode}. "
            "The lines above say why. If packages cannot be reached, set PIP_INDEX_URL (or "
            "UV_DEFAULT_INDEX) to the index your company uses, and run make again."
        )


def index_settings() -> dict[str, str]:
    """Give uv the index, certificates and links that pip is set up for; uv's own settings win."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    pip = pip_settings()
    for ours, theirs in (
        ("UV_DEFAULT_INDEX", "index-url"),
        ("UV_INDEX", "extra-index-url"),
        ("UV_FIND_LINKS", "find-links"),
        ("SSL_CERT_FILE", "cert"),
        ("UV_INSECURE_HOST", "trusted-host"),
    ):
        if pip.get(theirs) and not environment.get(ours):
            reachable = [word for word in pip[theirs].split() if not missing_folder(word)]
            separator = "," if theirs == "find-links" else " "
            if reachable:
                environment[ours] = separator.join(reachable)
    # Hashes are checked, so a file found on any of the indexes is the right one or is refused.
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if not any(os.access(place, os.W_OK) for place in (cache, cache.parent) if place.exists()):
        environment.setdefault("UV_CACHE_DIR", str(VENV / ".cache"))
    return environment


def missing_folder(address: str) -> bool:
    """Tell whether an address is a local folder that is not there (pip passes over those)."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "file":
        return not Path(urllib.request.url2pathname(parts.path)).exists()
    return not parts.scheme and not Path(address).exists()


def pip_settings() -> dict[str, str]:
    """Read pip's settings as pip does: system, user, named file, environment; the later wins."""
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    system = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    files = [
        *(Path(folder) / "pip" / "pip.conf" for folder in system.split(os.pathsep)),
        Path("/etc/pip.conf"),
        Path.home() / ".pip" / "pip.conf",
        config_home / "pip" / "pip.conf",
        Path.home() / "Library" / "Application Support" / "pip" / "pip.conf",
        Path(os.environ.get("APPDATA") or "/nowhere") / "pip" / "pip.ini",
        Path(os.environ.get("PIP_CONFIG_FILE") or "/nowhere"),
    ]
    settings: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            settings[name[4:].lower().replace("_", "-")] = value
    return settings


def find_uv(environment: dict[str, str]) -> str:
    """Find uv on the machine, or install the locked one into `.venv`."""
    on_path = shutil.which("uv")
    if on_path and works([on_path, "pip", "--version"]):
        return on_path
    wanted = locked_uv()
    ours = SCRIPTS / ("uv.exe" if os.name == "nt" else "uv")
    pip = find_pip()
    if pip is None:
        unpack_uv(environment, wanted)
    else:
        with listed(wanted) as lock:
            options = ["-qq", "--require-hashes", "--no-deps", "--disable-pip-version-check"]
            run([PYTHON, pip, "install", *options, "-r", lock], dict(os.environ))
    return str(ours)


def works(command: list[str]) -> bool:
    """Tell whether a command starts and ends well."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def locked_uv() -> str:
    """Cut the lines of uv, its version and hashes, out of the lock file."""
    return locked(only=("uv",))


def locked(*, only: Collection[str] = (), without: Collection[str] = ()) -> str:
    """Give the lock's lines for some libraries, or for all but some."""
    entries = re.split(r"^(?=[^\s#])", LOCK.read_text(), flags=re.MULTILINE)
    # a library may be there twice, for an older Python and a newer one
    named = [(entry.partition("==")[0], entry) for entry in entries if "==" in entry]
    missing = sorted({*only, *without} - {name for name, _ in named})
    if missing:
        sys.exit(f"requirements.lock does not name {', '.join(missing)}; `make lock` writes it.")
    return "".join(
        entry for name, entry in named if name not in without and (name in only or not only)
    )


def find_pip() -> Path | None:
    """Find a pip that another Python can run: an installed one, or a wheel run as a zip."""
    code = "import pip, pathlib; print(pathlib.Path(pip.__file__).parent)"
    asked = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if asked.returncode == 0:
        return Path(asked.stdout.strip())
    places = [Path("/usr/share/python-wheels")]
    places += [Path(folder) / "ensurepip" / "_bundled" for folder in sys.path]
    for place in places:
        for wheel in sorted(place.glob("pip-*.whl")):
            return wheel / "pip"
    return None


class Links(html.parser.HTMLParser):
    """The addresses of a page of a package index."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of a link."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def unpack_uv(environment: dict[str, str], wanted: str) -> None:
    """Take uv's wheel from the configured index and unpack its program into `.venv`."""
    index = environment.get("UV_DEFAULT_INDEX")
    if not index:
        sys.exit(
            "Set-up stopped: this machine has no uv, no pip and no ensurepip, and no package "
            "index is configured. Set PIP_INDEX_URL to the address of a package index (its "
            "'simple' page), or install uv or pip; then run make again."
        )
    version = re.match(r"uv==([^ ;\\]+)", wanted)[1]
    hashes = set(re.findall(r"sha256:([0-9a-f]{64})", wanted))
    page = index.rstrip("/") + "/uv/"
    accept = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5"}
    with urllib.request.urlopen(urllib.request.Request(page, headers=accept)) as answer:
        text, kind = answer.read().decode(), answer.headers.get_content_type()
    if kind.endswith("json"):
        links = [file["url"] for file in json.loads(text)["files"]]
    else:
        parser = Links()
        parser.feed(text)
        links = parser.found
    for link in links:
        address = urllib.parse.urljoin(page, link)
        name = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rsplit("/", 1)[-1])
        if not name.startswith(f"uv-{version}-") or not fits_here(name):
            continue
        with urllib.request.urlopen(address) as answer:
            wheel = answer.read()
        if hashlib.sha256(wheel).hexdigest() in hashes:
            program_from(wheel)
            return
    sys.exit(f"Set-up stopped: {page} has no uv {version} for this machine with a known hash.")


def fits_here(name: str) -> bool:
    """Tell whether a wheel's platform tag is that of this machine."""
    machine = platform.machine().lower()
    arch = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if sys.platform == "darwin":
        return "macosx" in name and (arch in name or "arm64" in name) and name.endswith(".whl")
    if os.name == "nt":
        return name.endswith(f"win_{'amd64' if arch == 'x86_64' else 'arm64'}.whl")
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    return libc in name and name.endswith(f"{arch}.whl")


def program_from(wheel: bytes) -> None:
    """Unpack the program out of uv's wheel."""
    with tempfile.TemporaryFile() as file:
        file.write(wheel)
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                if re.search(r"\.data/scripts/uv(\.exe)?$", member):
                    target = SCRIPTS / Path(member).name
                    target.write_bytes(archive.read(member))
                    target.chmod(0o755)


if __name__ == "__main__":
    add_spark() if sys.argv[1:] == ["--spark"] else main()
