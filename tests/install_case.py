# The base of the tests of `convoy install`: a machine in a folder, a stand-in for the program that the installed files ask, and
# pictures of a whole tree to compare.
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess

from cli_case import CliCase

# Answers as `convoy env` does, by what stands in the file "answer" beside it: settings, nothing, half a line and a failure, no answer
# at all. With "bad-rules" the settings are whole and the status is 1.
STAND_IN = r"""#!/bin/sh
[ "$1" = env ] || exit 9
answer=$(cat "${0%/*}/answer")
case $answer in
  nothing) exit 0 ;;
  broken) printf "export CONVOY_TEST_A='half"; exit 3 ;;
  hanging) exec sleep 60 ;;
esac
strategy=${4-none}
case $2 in
  --sh)
    echo "# because"
    [ -n "${CONVOY_TEST_A-}" ] || echo "export CONVOY_TEST_A='it'\''s $answer'"
    echo "export CONVOY_TEST_B='$strategy'" ;;
  --fish)
    [ -n "$CONVOY_TEST_A" ] || echo "set -gx CONVOY_TEST_A 'it\'s $answer'"
    echo "set -gx CONVOY_TEST_B '$strategy'" ;;
  --systemd)
    echo "# gfx1 (1002:731f): it's because of \"this\" [a-rule]"
    [ -n "${CONVOY_TEST_A-}" ] || echo "CONVOY_TEST_A=\"it's $answer\""
    echo "CONVOY_TEST_B=$strategy" ;;
  *) exit 9 ;;
esac
[ "$answer" != bad-rules ]
"""
MINIMAL = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def picture(root):
    """Path -> kind, mode, owner, link, content, and the time of files."""
    result = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = pathlib.Path(folder, name)
            status = path.lstat()
            what = [stat.filemode(status.st_mode), status.st_uid, status.st_gid]
            if path.is_symlink():
                what.append(os.readlink(path))
            elif path.is_file():
                what += [hashlib.sha256(path.read_bytes()).hexdigest(), status.st_mtime_ns]
            result[str(path.relative_to(root))] = what
    return result


def may_mount():
    """Whether a private mount namespace can be had here."""
    try:
        return subprocess.run(["unshare", "-r", "-m", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def shells():
    """Paths by name; what is missing is said, and need not be here."""
    found = {name: shutil.which(name, path=MINIMAL["PATH"]) for name in ("bash", "dash", "zsh")}
    for name, path in found.items():
        if path is None:
            print(f"{name} is not here: its package is missing")
    return {name: path for name, path in found.items() if path}


class InstallCase(CliCase):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        self.home = self.folder / "home"
        self.home.mkdir()
        for name in ("etc/profile.d", "etc/zsh", "etc/fish", "var/lib"):
            (self.root / name).mkdir(parents=True)
        # One with a newline at its end, one without, both older than the test.
        for name, text in (("etc/zsh/zprofile", "# zsh\n"), ("etc/profile.d/convoy.sh", "# somebody else's")):
            self.write(f"root/{name}", text)
            os.utime(self.root / name, ns=(10**18, 10**18 + 7))
        self.prefix = self.folder / "opt"
        for place in (self.prefix, self.root / str(self.prefix)[1:]):
            self.stand_in(place / "bin")
        self.answer("here")

    def stand_in(self, folder):
        folder.mkdir(parents=True)
        (folder / "convoy").write_text(STAND_IN)
        (folder / "convoy").chmod(0o755)
        (folder / "answer").write_text("here")

    def answer(self, word):
        (self.prefix / "bin/answer").write_text(word)

    def install(self, *more, expect=0, **options):
        """Into the tree; the files there ask the stand-in, which is at the same place on this machine."""
        return self.convoy("install", "--system", "--root", self.root, "--prefix", self.prefix, "--yes", *more, expect=expect,
                           **options)

    def install_for_user(self, *more, expect=0):
        return self.convoy("install", "--user", "--prefix", self.prefix, "--yes", *more, expect=expect,
                           env={"XDG_CONFIG_HOME": str(self.home / ".config")})

    def uninstall(self, *more, expect=0, scope="--system"):
        where = ("--root", self.root) if scope == "--system" else ()
        return self.convoy("uninstall", scope, *where, "--yes", *more, expect=expect,
                           env={"XDG_CONFIG_HOME": str(self.home / ".config")})

    def need(self, program, why):
        path = shutil.which(program, path=MINIMAL["PATH"] + ":/usr/lib/systemd/user-environment-generators")
        if path is None:
            self.skipTest(f"{program} is not here: {why}")
        return path

    def output(self, command, env=None, **options):
        """Standard output of a command that has to succeed and to be silent on standard error."""
        done = subprocess.run([str(word) for word in command], env={**MINIMAL, "HOME": str(self.home), **(env or {})}, text=True,
                              capture_output=True, timeout=60, check=False, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), f"{command}\n{done.stdout}")
        return done.stdout
