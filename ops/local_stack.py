"""The real template.yaml, built by `sam build` and deployed by `sam deploy`, on this machine.

ministack stands in for AWS: one process on a free loopback port, with IAM enforced. Functions run
as its child processes, under the role, the layers and the environment the template gives them.
"""

import fcntl
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import botocore.session
from botocore.config import Config

Progress = Callable[[str], None]

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".local"
BUILDS = ROOT / ".aws-sam"
SAM = ROOT / ".venv-sam/bin/sam"
MINISTACK_BIN = ROOT / ".venv-ministack/bin"

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
ACCESS_KEY_ID = "local"
STACK_NAME = "issuebridge"
BUCKET = "issuebridge-artifacts"

READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 10
KEPT_MAX = 20
START_TRIES_MAX = 3
LOG_LINES_SHOWN = 25

# Runs "$@" and ends its process group, ministack's Lambda workers included, when "$@" ends and
# when our end of the pipe to its standard input closes, which the kernel does however we die.
SUPERVISOR = """
exec 3<&0
trap : TERM
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill -TERM -$$; } &
wait $child
code=$?
trap '' TERM
kill -TERM -$$
wait $child
rm -rf "$TMPDIR"
exit $code
"""


class LocalStackError(Exception):
    """A tool of the local stack failed; the message names its log and shows what matters of it."""

    def __init__(self, what: str, log: Path) -> None:
        lines = log.read_text(errors="replace").splitlines()
        refused = [number for number, line in enumerate(lines) if "_FAILED" in line]
        start = refused[0] if refused else max(0, len(lines) - LOG_LINES_SHOWN)
        shown = lines[start : start + LOG_LINES_SHOWN]
        super().__init__("\n".join([f"{what} failed; from {log}:", *shown]))


@dataclass(frozen=True)
class LocalStack:
    """A deployed stack, for as long as `up` lasts."""

    endpoint_url: str
    environment: dict[str, str]  # makes any AWS tool or SDK talk to this stack as its admin
    folder: Path  # logs, and the credentials as an AWS configuration file
    outputs: Mapping[str, str]
    process_group: int = 0  # of ministack and the functions it runs
    region: str = REGION
    account_id: str = ACCOUNT_ID

    @classmethod
    @contextmanager
    def up(
        cls, parameters: Mapping[str, str] | None = None, progress: Progress = lambda _: None
    ) -> Iterator["LocalStack"]:
        """Start a local AWS, build, deploy with `parameters`; on the way out stop everything."""
        progress("Starting a local AWS")
        with cls.bare() as stack:
            with _one_build_at_a_time():
                target = _target()
                progress("Building the layers")
                build = _build(stack, target)
                progress("Deploying template.yaml")
                _deploy(stack, build, {**target, **(parameters or {})})
            yield replace(stack, outputs=_outputs(stack))

    @classmethod
    @contextmanager
    def bare(cls) -> Iterator["LocalStack"]:
        """A local AWS with nothing in it: no outputs yet."""
        LOGS.mkdir(exist_ok=True)
        LOGS.chmod(0o700)
        _forget_old()
        with _ministack(Path(tempfile.mkdtemp(prefix="stack-", dir=LOGS))) as stack:
            yield stack

    def session(self) -> boto3.Session:
        """Open an admin's session; each client it makes talks to this stack."""
        core = botocore.session.Session(profile="default")
        for name in ("config_file", "credentials_file"):
            core.set_config_variable(name, str(self.folder / "aws.ini"))
        core.set_default_client_config(Config(proxies={}))
        return boto3.Session(botocore_session=core)


def _forget_old() -> None:
    """The logs of earlier stacks, but for the last ones: some of these may be up."""
    for folder in sorted(LOGS.glob("stack-*"), key=lambda path: path.stat().st_mtime)[:-KEPT_MAX]:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ministack(folder: Path) -> Iterator[LocalStack]:
    log = folder / "ministack.log"
    for _ in range(START_TRIES_MAX):
        stack = _at_a_free_port(folder)
        settings = {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": stack.endpoint_url.rpartition(":")[2],
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
        }
        with supervised([MINISTACK_BIN / "ministack"], log, stack.environment | settings) as run:
            if _is_ready(stack, run):
                yield replace(stack, process_group=run.pid)
                return
    raise LocalStackError("ministack", log)


def _at_a_free_port(folder: Path) -> LocalStack:
    """Choose a port nobody uses. Somebody may be quicker: then ministack ends, and we retry."""
    endpoint_url = f"http://127.0.0.1:{free_port()}"
    secret_access_key = secrets.token_hex(20)  # ministack's admin is whoever knows it
    (folder / "aws.ini").write_text(
        f"[default]\nendpoint_url = {endpoint_url}\nregion = {REGION}\n"
        f"aws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {secret_access_key}\n"
    )
    environment = {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": secret_access_key,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    return LocalStack(endpoint_url, environment, folder, outputs={})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(stack: LocalStack, run: subprocess.Popen[bytes]) -> bool:
    give_up_at = time.monotonic() + READY_SECONDS_MAX
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while run.poll() is None and time.monotonic() < give_up_at:
        try:
            with direct.open(f"{stack.endpoint_url}/_ministack/ready", timeout=5):
                return run.poll() is None
        except OSError:
            time.sleep(0.05)
    return False


@contextmanager
def _one_build_at_a_time() -> Iterator[None]:
    BUILDS.mkdir(exist_ok=True)
    with (BUILDS / "local.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _target() -> dict[str, str]:
    """Read off the Python that ministack runs functions with, as the template's parameters."""
    question = "import sys; print('python%d.%d' % sys.version_info[:2], end='')"
    runtime = subprocess.check_output([MINISTACK_BIN / "python", "-c", question], text=True)
    return {"Runtime": runtime, "Architecture": platform.machine().replace("aarch64", "arm64")}


def _build(stack: LocalStack, target: Mapping[str, str]) -> Path:
    """Build apart from what ships to AWS."""
    folder = BUILDS / f"local-{target['Runtime']}"
    command: list[str | Path] = ["build", "--cached", "--parallel", "--cache-dir", folder / "cache"]
    settings = {
        "PATH": f"{MINISTACK_BIN}:{os.environ['PATH']}",
        "LAMBDA_RUNTIME": target["Runtime"],
        "LAMBDA_ARCHITECTURE": target["Architecture"],
    }
    _sam([*command, "--build-dir", folder / "build"], stack.folder, settings)
    return folder / "build/template.yaml"


def _deploy(stack: LocalStack, build: Path, parameters: Mapping[str, str]) -> None:
    stack.session().client("s3").create_bucket(Bucket=BUCKET)
    command: list[str | Path] = ["deploy", "--template-file", build, "--stack-name", STACK_NAME]
    command += ["--s3-bucket", BUCKET, "--capabilities", "CAPABILITY_IAM"]
    command += ["--no-confirm-changeset", "--no-progressbar"]
    command += ["--parameter-overrides", *(f'{k}="{v}"' for k, v in parameters.items())]
    _sam(command, stack.folder, stack.environment | {"SAM_CLI_POLL_DELAY": "0.2"})


def _outputs(stack: LocalStack) -> dict[str, str]:
    answer = stack.session().client("cloudformation").describe_stacks(StackName=STACK_NAME)
    return {o["OutputKey"]: o["OutputValue"] for o in answer["Stacks"][0]["Outputs"]}


def _sam(arguments: Sequence[str | Path], folder: Path, settings: dict[str, str]) -> None:
    log = folder / "sam.log"
    with supervised([SAM, *arguments], log, settings | {"SAM_CLI_TELEMETRY": "0"}) as run:
        if run.wait() != 0:
            raise LocalStackError(f"sam {arguments[0]}", log)


@contextmanager
def supervised(
    command: Sequence[str | Path], log: Path, settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a tool with its output in `log`; whatever is left of it on the way out is ended."""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON", "SAM_"))
    }
    scratch = tempfile.mkdtemp(prefix="issuebridge-")
    own = {"TMPDIR": scratch, "STATE_DIR": scratch}
    with log.open("ab") as output:
        run = subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, "supervisor", *command],
            cwd=ROOT,
            env=inherited | own | settings,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    assert run.stdin
    try:
        yield run
    finally:
        run.stdin.close()
        try:
            run.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
