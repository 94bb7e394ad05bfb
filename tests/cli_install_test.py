#!/usr/bin/env python3
# `convoy install`, `uninstall` and `status` as commands: what they ask, refuse, say and leave behind. What the files do in shells,
# systemd and udev is tested in system_files_test.py. Usage: cli_install_test.py <the convoy program> [test ...]
import json
import os
import pathlib
import pty
import random
import shutil
import subprocess
import time
import unittest

from cli_case import main
from install_case import InstallCase, may_mount, picture


class Install(InstallCase):
    def test_a_tree_is_the_same_byte_for_byte_after_uninstall(self):
        before = picture(self.root)
        self.install()
        self.assertNotEqual(picture(self.root), before)
        self.uninstall()
        self.assertEqual(picture(self.root), before)

    def test_the_second_time_changes_nothing_and_says_so(self):
        self.install()
        installed = picture(self.root)
        again = self.install()
        self.assertIn("Nothing to change", again.stdout)
        self.assertNotIn("Installed", again.stdout)
        self.assertEqual(picture(self.root), installed)

    def test_a_dry_run_names_every_file_and_changes_none(self):
        before = picture(self.root)
        said = self.convoy("install", "--system", "--root", self.root, "--prefix", self.prefix, "--dry-run").stdout
        self.assertEqual(picture(self.root), before)
        self.install()
        new = [path for path, what in picture(self.root).items() if what != before.get(path) and what[0][0] == "-"]
        for path in new:
            if not path.startswith("var/lib/convoy"):
                self.assertIn(f"/{path} ", said)

    def test_where_the_package_does_it_already(self):
        theirs = self.root / "usr/lib/systemd/system-environment-generators/60-convoy"
        theirs.parent.mkdir(parents=True)
        theirs.write_text("#!/bin/sh\n")
        before = picture(self.root)
        done = self.convoy("install", "--system", "--root", self.root, "--prefix", self.prefix, "--yes", expect=2)
        self.assertIn("convoy-system", done.stderr)
        self.assertIn("/etc/convoy/convoy.conf", done.stderr)
        self.assertEqual(picture(self.root), before)

    def test_without_a_terminal_nobody_is_asked(self):
        before = picture(self.root)
        done = self.convoy("install", "--system", "--root", self.root, "--prefix", self.prefix, expect=2)
        self.assertIn("--yes", done.stderr)
        self.assertEqual(picture(self.root), before)

    def test_at_a_terminal_only_yes_goes_on(self):
        before = picture(self.root)
        for answer, status in (("n\n", 1), ("\n", 1), ("\x04", 1), ("y\n", 0)):
            self.assertEqual(picture(self.root), before)
            try:
                master, slave = pty.openpty()
            except OSError as error:  # a root without /dev/pts
                self.skipTest(str(error))
            process = self.start("install", "--system", "--root", self.root, "--prefix", self.prefix, stdin=slave,
                                 stdout=subprocess.PIPE)
            os.write(master, answer.encode())
            said = process.communicate(timeout=60)[0]
            os.close(slave)
            os.close(master)
            self.assertEqual(process.returncode, status, answer)
            self.assertIn("Go on?", said)
        self.assertNotEqual(picture(self.root), before)

    def test_usage_errors_touch_nothing(self):
        before = picture(self.folder)
        place = ("--root", self.root, "--prefix", self.prefix, "--yes")
        for arguments, words in (
                (place, "--system"),
                (("--system", "--user", *place), "--system"),
                (("--system", "--strategy", "fastest", *place), "gemm"),
                (("--system", "--preload", "python", *place), "convoy exec"),
                (("--system", "--preload", "user:a b", *place), "no user's name"),
                (("--system", "--preload", "unit:x/../y", *place), "no service's name"),
                (("--system", "--preload", "unit:x.timer", *place), "no service's name"),
                (("--user", "--preload", "user:somebody-else", "--prefix", self.prefix, "--yes"), "give --system"),
                (("--system", "--preload", "unit:x", *place), "libconvoy_miopen.so is not installed"),
                (("--system", "--root", self.root, "--prefix", "/no/such", "--yes"), "--prefix"),
                (("--system", "--root", self.folder / "none", "--yes"), "none")):
            done = self.convoy("install", *arguments, expect=2)
            self.assertIn(words, done.stderr)
        self.assertEqual(picture(self.folder), before)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_only_root_may_change_the_system(self):
        self.need("setpriv", "util-linux")
        self.folder.chmod(0o755)
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", self.program, "install", "--system", "--yes"],
                              env=self.environment(), text=True, capture_output=True, timeout=60, check=False)
        if done.returncode == 126 or "failed to execute" in done.stderr:
            self.skipTest("the program cannot be reached as another user here")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("sudo", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give files away")
    def test_root_does_not_write_into_a_users_home(self):
        os.chown(self.home, 65534, 65534)
        done = self.install_for_user(expect=2)
        self.assertIn("without sudo", done.stderr)
        self.assertEqual(list(self.home.iterdir()), [])

    def test_what_was_changed_since_is_left_alone_and_named(self):
        self.install()
        rules = self.root / "etc/udev/rules.d/60-convoy.rules"
        rules.write_text(rules.read_text() + "# mine\n")
        done = self.uninstall(expect=1)
        self.assertRegex(done.stdout, r"leave alone .*60-convoy\.rules .*changed since")
        self.assertTrue(rules.read_text().endswith("# mine\n"))
        self.assertFalse((self.root / "etc/convoy").exists())

    def test_a_users_home_is_the_same_byte_for_byte_after_uninstall(self):
        self.write("home/.profile", "# no newline at the end")
        self.write("home/.bash_profile", "# mine\n")
        os.chmod(self.home / ".bash_profile", 0o600)
        (self.home / ".config/fish").mkdir(parents=True)
        (self.home / ".local/state").mkdir(parents=True)
        before = picture(self.home)
        self.install_for_user()
        installed = picture(self.home)
        for name in (".profile", ".bash_profile", ".config/fish/conf.d/convoy.fish", ".config/convoy/session-environment"):
            self.assertNotEqual(installed.get(name), before.get(name), name)
        self.assertEqual(installed[".bash_profile"][0], "-rw-------")
        self.uninstall(scope="--user")
        self.assertEqual(picture(self.home), before)

    def test_an_empty_home_is_empty_afterwards(self):
        self.install_for_user()
        self.uninstall(scope="--user")
        self.assertEqual(picture(self.home), {})

    def test_a_profile_that_is_a_link_is_not_followed(self):
        self.write("dotfiles/profile", "# elsewhere\n")
        os.symlink(self.folder / "dotfiles/profile", self.home / ".profile")
        done = self.install_for_user(expect=1)
        self.assertRegex(done.stdout, r"leave alone .*\.profile .*symbolic link")
        self.assertEqual((self.folder / "dotfiles/profile").read_text(), "# elsewhere\n")

    def test_folders_said_to_be_below_a_home_that_is_a_link_are_below_it(self):
        os.symlink(self.home, self.folder / "link")
        env = {"HOME": str(self.folder / "link"), "XDG_CONFIG_HOME": f"{self.folder}/link/.config", "XDG_STATE_HOME": f"{self.folder}/link/s"}
        self.convoy("install", "--user", "--prefix", self.prefix, "--yes", env=env)
        self.assertTrue((self.home / ".config/systemd/user/convoy-session.service").exists())
        self.convoy("uninstall", "--user", "--yes", env=env)
        self.assertEqual(picture(self.home), {})

    def test_what_could_not_be_taken_back_is_not_begun(self):
        home = os.fsencode(self.folder) + b"/h\xff"
        os.mkdir(home)
        environment = {os.fsencode(key): os.fsencode(value) for key, value in self.environment().items()}
        done = subprocess.run([self.program, "install", "--user", "--prefix", self.prefix, "--yes"], env={**environment, b"HOME": home},
                              capture_output=True, timeout=60, check=False)
        self.assertEqual((done.returncode, os.listdir(home)), (1, []), done.stderr)
        self.assertIn(b"could not be read back", done.stderr)
        self.assertNotIn(b"\xff", done.stdout + done.stderr)

    def test_a_program_may_have_a_name_that_is_not_ascii(self):
        elsewhere = self.folder / "jos\u00e9"
        self.stand_in(elsewhere / "bin")
        self.convoy("install", "--user", "--prefix", elsewhere, "--yes")
        self.assertIn(f"'{elsewhere}/bin/convoy'", (self.home / ".profile").read_text(encoding="utf-8"))

    def test_a_file_left_alone_is_said_at_the_end_too(self):
        self.write("home/.config", "in the way of a folder\n")
        self.assertIn("Installed but for what was left alone", self.install_for_user(expect=1).stdout)
        self.assertIn("Uninstalled.", self.uninstall(scope="--user").stdout)
        self.assertEqual(list(picture(self.home)), [".config"])

    def test_a_killed_run_is_finished_or_undone_by_the_next(self):
        seed = random.randrange(1 << 32)
        print("seed", seed)
        chance = random.Random(seed)
        before = picture(self.root)
        begin = time.monotonic()
        self.install()
        usual = time.monotonic() - begin
        installed = {path: what[:4] for path, what in picture(self.root).items()}
        self.uninstall()
        for i in range(12):
            process = self.start("install", "--system", "--root", self.root, "--prefix", self.prefix, "--yes",
                                 stdout=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, usual))
            process.kill()
            process.wait()
            if i % 2 == 0:
                self.install()
                finished = {path: what[:4] for path, what in picture(self.root).items()}
                self.assertEqual(finished.keys(), installed.keys())
            self.uninstall()
            self.assertEqual(picture(self.root), before)


# This machine, with the test's folders in the places that are written, and stand-ins for those that are told.
LIVE = r"""
mount --bind "$1/etc" /etc
mount --bind "$1/var/lib" /var/lib
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/udev /run/convoy
: >/run/udev/control
: >/run/convoy/environment
for name in systemctl udevadm; do mount --bind "$2" /usr/bin/$name; done
shift 2
"$@"
[ ! -e /run/convoy ] || echo kept
"""


class Live(InstallCase):
    def live(self, *arguments, told="exit 0", expect=0, mapped=True):
        """The command's output, and what the system was told."""
        calls = self.folder / "calls"
        calls.write_text("")
        stand_in = self.write("tell", f'#!/bin/sh\necho "${{0##*/}} $*" >>"{calls}"\n{told}\n')
        os.chmod(stand_in, 0o755)
        alone = ["unshare", "-r", "-m"] if mapped else ["unshare", "-m"]
        done = subprocess.run([*alone, "sh", "-ec", LIVE, "sh", self.root, stand_in, self.program, *arguments],
                              env=self.environment(), text=True, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done, calls.read_text().splitlines()

    def test_the_running_system_is_told_once(self):
        if not may_mount():
            self.skipTest("no private mounts here (unshare -r -m)")
        self.need("udevadm", "the package udev is missing")
        self.need("systemctl", "the package systemd is missing")
        both = ["udevadm control --reload", "systemctl daemon-reload"]
        before = picture(self.root)
        install = ("install", "--system", "--yes", "--prefix", str(self.prefix))
        done, calls = self.live(*install)
        self.assertEqual((calls, done.stderr), (both, ""))
        self.assertIn("kept", done.stdout)
        self.assertEqual(self.live(*install)[1], [], "nothing has changed")
        done, calls = self.live("uninstall", "--system", "--yes", told="exit 1")
        self.assertEqual(calls, both)
        self.assertIn("warning: 'systemctl daemon-reload' has failed", done.stderr)
        self.assertNotIn("kept", done.stdout)
        self.assertEqual(picture(self.root), before)


    def test_an_etc_that_is_read_only_stays_as_it_is(self):
        if not may_mount():
            self.skipTest("no private mounts here (unshare -r -m)")
        before = picture(self.root)
        read_only = 'mount --bind "$1/etc" "$1/etc"\nmount -o remount,bind,ro "$1/etc"\nshift\nexec "$@"'
        command = [self.program, "install", "--system", "--root", self.root, "--prefix", self.prefix, "--yes"]
        done = subprocess.run(["unshare", "-r", "-m", "sh", "-ec", read_only, "sh", self.root, *command], env=self.environment(),
                              text=True, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "Read-only file system; everything is as it was")
        self.assertEqual(picture(self.root), before)

    def test_the_system_runs_nothing_that_others_can_change(self):
        if not may_mount():
            self.skipTest("no private mounts here (unshare -r -m)")
        before = picture(self.root)
        for place in (self.prefix / "bin/convoy", self.prefix / "bin", self.prefix):
            mode = place.stat().st_mode
            place.chmod(0o777)
            done = self.live("install", "--system", "--yes", "--prefix", str(self.prefix), expect=2)[0]
            self.assertIn(f"{place}: everyone may write it, and the system would run it as root", done.stderr)
            place.chmod(mode)
        if os.geteuid() == 0:
            os.chown(self.prefix, 65534, 65534)
            done = self.live("install", "--system", "--yes", "--prefix", str(self.prefix), expect=2, mapped=False)[0]
            self.assertIn(f"{self.prefix}: belongs to user 65534", done.stderr)
            os.chown(self.prefix, 0, 0)
        self.assertEqual(picture(self.root), before)
        self.live("install", "--system", "--yes", "--prefix", str(self.prefix))


class Status(InstallCase):
    def status(self, expect):
        return json.loads(self.convoy("status", "--json", "--root", self.root, expect=expect).stdout)

    def test_it_follows_what_happens(self):
        self.assertEqual([one["installed"] for one in self.status(3)["installations"]], [False, False])
        self.install("--strategy", "gemm")
        system = self.status(0)["installations"][0]
        self.assertEqual((system["strategy"], system["program"]), ("gemm", f"{self.prefix}/bin/convoy"))
        self.assertEqual({file["state"] for file in system["files"]}, {"as written"})
        (self.root / "etc/udev/rules.d/60-convoy.rules").unlink()
        with open(self.root / "etc/profile.d/convoy.sh", "a", encoding="ascii") as file:
            file.write("# more\n")
        states = {file["path"]: file["state"] for file in self.status(1)["installations"][0]["files"]}
        self.assertEqual(states["/etc/udev/rules.d/60-convoy.rules"], "missing")
        self.assertEqual(states["/etc/profile.d/convoy.sh"], "changed")
        self.assertEqual(states["/etc/zsh/zprofile"], "as written")
        text = self.convoy("status", "--root", self.root, expect=1).stdout
        self.assertRegex(text, r"missing +/etc/udev/rules\.d/60-convoy\.rules")
        self.assertIn("convoy doctor", text)

    def test_it_says_what_applies_now(self):
        # Beside the program stands what answers as `convoy env`.
        shutil.copy(self.program, self.prefix / "bin/real")

        def settings():
            done = subprocess.run([self.prefix / "bin/real", "status", "--json"], env=self.environment(), text=True,
                                  capture_output=True, timeout=60, check=False)
            return json.loads(done.stdout)["settings"]
        self.assertEqual(settings(), ["CONVOY_TEST_A=\"it's here\"", "CONVOY_TEST_B=none"])
        self.answer("nothing")
        self.assertEqual(settings(), [])
        self.answer("broken")
        self.assertIsNone(settings())

    def test_it_knows_the_package(self):
        theirs = self.write("root/usr/lib/systemd/system-environment-generators/60-convoy", "#!/bin/sh\n")
        self.assertTrue(self.status(0)["installations"][0]["package"])
        self.assertIn("system: by the package convoy-system", self.convoy("status", "--root", self.root).stdout)
        os.unlink(theirs)
        self.assertFalse(self.status(3)["installations"][0]["package"])

    def test_a_program_that_is_gone_sets_nothing(self):
        self.install()
        program = self.root / str(self.prefix)[1:] / "bin/convoy"
        program.chmod(0o644)
        self.assertIn("nothing is set", self.status(1)["installations"][0]["problem"])
        program.unlink()
        said = self.convoy("status", "--root", self.root, expect=1).stdout
        self.assertIn(f"{self.prefix}/bin/convoy is not there", said)
        self.assertIn("as written", said)

    def test_a_list_that_would_drive_the_terminal_does_not(self):
        self.install()
        path = self.root / "var/lib/convoy/install.json"
        path.write_text(path.read_text().replace("/etc/profile.d/convoy.sh", "/etc/\\u001b[31m"))
        for command in ("status", "--root", self.root), ("uninstall", "--system", "--yes", "--root", self.root):
            done = self.convoy(*command, expect=1)
            self.assertIn("/etc/?[31m", done.stdout + done.stderr)
            self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_a_hostile_list_is_not_believed(self):
        self.install()
        path = self.root / "var/lib/convoy/install.json"
        content = json.loads(path.read_text())
        victim = self.write("root/etc/victim", "precious")
        content["files"][0]["path"] = "/etc/victim"
        path.write_text(json.dumps(content))
        for command in ("status", "--root", self.root), ("uninstall", "--system", "--yes", "--root", self.root):
            done = self.convoy(*command, expect=1)
            self.assertIn("no file that Convoy writes", done.stdout + done.stderr)
        self.assertEqual(pathlib.Path(victim).read_text(), "precious")

    def test_it_says_when_a_run_was_interrupted(self):
        self.install()
        path = self.root / "var/lib/convoy/install.json"
        path.write_text(path.read_text().replace('"complete": true', '"complete": false'))
        self.assertIn("interrupted", self.convoy("status", "--root", self.root, expect=1).stdout)
        self.install()
        self.status(0)


class Preload(InstallCase):
    def test_only_whom_it_was_asked_for(self):
        library = os.path.join(os.path.dirname(self.program), "libconvoy_miopen.so")
        if not os.path.exists(library):
            self.skipTest("libconvoy_miopen.so is not built")
        before = picture(self.root)
        shutil.copy(library, self.root / str(self.prefix)[1:] / "bin")
        with_library = picture(self.root)
        many = [word for i in range(300) for word in ("--preload", f"unit:u{i}")]
        self.assertIn("could not be read back", self.install(*many, expect=1).stderr)
        self.assertEqual(picture(self.root), with_library)
        twice = self.install("--preload", "unit:comfyui.service", "--preload", "user:ann", "--preload", "unit:comfyui")
        self.assertEqual(twice.stdout.count("comfyui.service.d"), 1)
        unit = (self.root / "etc/systemd/system/comfyui.service.d/60-convoy.conf").read_text()
        self.assertIn(f"Environment=LD_PRELOAD={self.prefix}/bin/libconvoy_miopen.so\n", unit)
        mentioned = [str(path) for path in (self.root / "etc").rglob("*") if path.is_file() and b"LD_PRELOAD" in path.read_bytes()]
        self.assertEqual(sorted(os.path.basename(path) for path in mentioned), ["60-convoy.conf", "convoy-preload.sh"])
        # Asked for no longer: gone.
        self.install()
        self.assertFalse((self.root / "etc/systemd/system/comfyui.service.d").exists())
        self.uninstall()
        self.assertEqual(picture(self.root), with_library)
        self.assertNotIn("etc/ld.so.preload", {**before, **with_library})


if __name__ == "__main__":
    main()
