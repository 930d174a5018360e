"""A Slurm with LUMI's partitions, accounts and limits on one machine, for tests: two nodes of eight GCDs, one CPU node.

Needs root, and Debian's packages slurm-wlm, slurmdbd, munge and mariadb-server. No service of the system is used or touched: all
daemons are children of this process, keep everything in one folder, listen on free ports, and end with it.

Example:
    python tests/slurm/one_machine.py      # until Ctrl-C; meanwhile `sinfo`, `sbatch -A project_465000001 …` in other terminals
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
# The jobs of Snakemake's plugin lose SLURM_CONF, so the configuration must lie where Slurm looks by default.
DEFAULT_CONFIGURATION = Path("/etc/slurm")
ACCOUNT = "project_465000001"
NODES = ("lumig1", "lumig2", "lumic1")
# Jobs that run and that are submitted, per user and partition (LUMI user guide, Slurm partitions, 2024-10).
LIMITS = {
    "standard-g": (200, 210),
    "small-g": (200, 210),
    "dev-g": (1, 2),
    "standard": (100, 120),
    "small": (200, 220),
    "debug": (1, 2),
}
PACKAGES = ["slurm-wlm", "slurmdbd", "munge", "mariadb-server"]
PROGRAMS = ["slurmctld", "slurmd", "slurmdbd", "sbatch", "munged", "mariadbd", "mariadb-install-db"]


def obstacle() -> str | None:
    """Why no Slurm of ours can be started on this machine; None if nothing is in the way."""
    configuration = DEFAULT_CONFIGURATION / "slurm.conf"
    if configuration.exists() and not left_behind(configuration):
        return f"this machine has a Slurm already ({configuration})"
    if os.geteuid() != 0:
        return "only root can start Slurm's daemons"
    if not all(map(shutil.which, PROGRAMS)) and not (Path("/etc/debian_version").exists() and shutil.which("apt-get")):
        return f"Slurm's programs are missing, and there is no Debian to install them from: {' '.join(PACKAGES)}"
    return None


def left_behind(link: Path) -> bool:
    """Whether a configuration is a link of ours whose controller no longer runs, as after a test run that was killed."""
    if not link.is_symlink():
        return False
    try:
        pid = (link.resolve().parent / "run/slurmctld.pid").read_text().strip()
        return "slurmctld" not in Path("/proc", pid, "cmdline").read_text()
    except OSError:
        return True


def install() -> None:
    """Install what is missing from Debian's packages."""
    if all(map(shutil.which, PROGRAMS)):
        return
    # RUNLEVEL: the packages start no services.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", "-q", *arguments], check=True, timeout=300, env=environment)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a condition; raise TimeoutError with the name of what did not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.2)


def output_of(*command: str) -> str:
    """Standard output of one of Slurm's commands, which hang when the controller does not answer."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


class OneMachine:
    """Starts the daemons when a `with` block is entered and stops them, with their jobs, when it is left."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)  # MariaDB and munge have users of their own
        self.daemons: list[subprocess.Popen] = []
        self.links: list[Path] = []

    def __enter__(self) -> "OneMachine":
        try:
            self._start()
        except BaseException as error:
            for log in sorted(self.folder.glob("log/*.log")):
                error.add_note(f"{log.name}: …{log.read_text()[-1000:]}")
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _start(self) -> None:
        self._configure()
        self._daemon("munged", ["munged", "--foreground", "--key-file=munge/munge.key", *self._munge_files()], user="munge")
        database = ["--no-defaults", "--user=mysql", f"--datadir={self.folder}/mysql"]
        rights = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(["mariadb-install-db", *database, *rights], check=True, capture_output=True)
        address = [f"--socket={self.folder}/mysql/socket", "--bind-address=127.0.0.1", f"--port={self.ports['mariadb_port']}"]
        sizes = ["--innodb-buffer-pool-size=128M", "--innodb-log-file-size=64M", "--innodb-lock-wait-timeout=900"]
        self._daemon("mariadbd", ["mariadbd", *database, *address, *sizes], user="mysql")
        wait_until(lambda: self._sql("select 1").returncode == 0, "MariaDB")
        self._sql("create database slurm_acct_db; create user slurm@'127.0.0.1' identified by 'slurm'")
        self._sql("grant all on slurm_acct_db.* to slurm@'127.0.0.1'").check_returncode()
        self._daemon("slurmdbd", ["slurmdbd", "-D"])
        wait_until(self._database_listens, "slurmdbd")
        self._daemon("slurmctld", ["slurmctld", "-D"])
        wait_until(lambda: subprocess.run(["scontrol", "ping"], capture_output=True).returncode == 0, "slurmctld")
        self._add_account()
        for node in NODES:
            self._daemon(node, ["slurmd", "-D", "-N", node])
        wait_until(lambda: set(output_of("sinfo", "-h", "-N", "-o", "%T").split()) == {"idle"}, "the nodes")

    def _configure(self) -> None:
        for name in ("munge", "mysql", "run", "state", "log", "dev", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        key = self.folder / "munge/munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        for path, user in ((key, "munge"), (key.parent, "munge"), (self.folder / "mysql", "mysql")):
            shutil.chown(path, user, user)
        for number in range(128, 136):
            (self.folder / f"dev/renderD{number}").symlink_to("/dev/null")
        self.ports = {f"{name}_port": free_port() for name in ("controller", "database", "mariadb", *NODES)}
        values = {"folder": self.folder, "host": socket.gethostname().split(".")[0], **self.ports}
        for name in ("slurm.conf", "gres.conf", "slurmdbd.conf"):
            (self.folder / name).write_text((HERE / name).read_text().format_map(values))
            (self.folder / name).chmod(0o600 if name == "slurmdbd.conf" else 0o644)
        DEFAULT_CONFIGURATION.mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf", "slurmdbd.conf"):
            link = DEFAULT_CONFIGURATION / name
            if link.is_symlink():  # left behind
                link.unlink()
            link.symlink_to(self.folder / name)
            self.links.append(link)

    def _munge_files(self) -> list[str]:
        munge = self.folder / "munge"
        return [f"--{option}-file={munge}/munged.{option}" for option in ("pid", "log", "seed")] + [
            f"--socket={munge}/munge.socket"
        ]

    def _daemon(self, name: str, command: list[str], user: str | None = None) -> None:
        # --pdeathsig: not even a killed test run leaves a daemon behind. (A daemon that changes its user itself would lose that.)
        change_user = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        log = (self.folder / f"log/{name}.log").open("w")
        self.daemons.append(
            subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *change_user, *command],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        )

    def _sql(self, statement: str) -> subprocess.CompletedProcess:
        command = ["mariadb", "--no-defaults", f"--socket={self.folder}/mysql/socket", "--user=root", "--execute", statement]
        return subprocess.run(command, capture_output=True, text=True)

    def _database_listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.ports["database_port"])) == 0

    def _add_account(self) -> None:
        output_of("sacctmgr", "-i", "add", "account", ACCOUNT, "cluster=lumi")
        for partition, (running, submitted) in LIMITS.items():
            limits = [f"MaxJobs={running}", f"MaxSubmitJobs={submitted}"]
            output_of("sacctmgr", "-i", "add", "user", "root", f"account={ACCOUNT}", f"partition={partition}", *limits)
        # root is associated with an account of its own; a job without one of LUMI's is refused.
        output_of("sacctmgr", "-i", "modify", "user", "root", "where", "cluster=lumi", "account=root", "set", "MaxSubmitJobs=0")

    def lose(self, node: str) -> None:
        """Let a node go down as if its power failed: Slurm gives up its jobs, and nothing of them runs on."""
        output_of("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        self._kill_processes(node)

    def bring_back(self, node: str) -> None:
        output_of("scontrol", "update", f"nodename={node}", "state=resume")

    def _kill_processes(self, *nodes: str) -> None:
        """Kill the processes of jobs on some of our nodes, by their ids; a job's processes carry its node's name."""
        names = {f"SLURMD_NODENAME={node}".encode() for node in nodes}
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if names & set(environment.read_bytes().split(b"\0")):
                    os.kill(int(environment.parent.name), signal.SIGKILL)

    def stop(self) -> None:
        """Cancel the jobs, stop the daemons by their process ids, and remove what was written."""
        if len(self.daemons) > len(NODES):
            # The node daemons end what does not heed the warning, so they must outlive it.
            with contextlib.suppress(subprocess.SubprocessError, TimeoutError):
                output_of("scancel", "--user=root")
                wait_until(lambda: not output_of("squeue", "--noheader"), "the end of the jobs")
            self._kill_processes(*NODES)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
        self.daemons.clear()
        while self.links:
            self.links.pop().unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    if reason := obstacle():
        sys.exit(f"No Slurm is started: {reason}.")
    install()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    with OneMachine(), contextlib.suppress(KeyboardInterrupt):
        print(output_of("sinfo"), flush=True)
        while True:
            time.sleep(3600)
