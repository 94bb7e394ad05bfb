#!/usr/bin/env python3
# What `convoy install` writes, read by those it is for: login shells of bash, dash, zsh and fish, systemd's parsers, udev. The
# program that the files ask is a stand-in whose answer is known. What is not on the machine is skipped and said.
# Usage: system_files_test.py <the convoy program> [test ...]
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import cli_env_test
from cli_case import main
from install_case import MINIMAL, InstallCase, may_mount, shells

SHELLS = shells()
ENVIRONMENT_D = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"


class Shells(InstallCase):
    def setUp(self):
        super().setUp()
        self.install("--strategy", "gemm")
        self.profile = self.root / "etc/profile.d/convoy.sh"

    def read_in(self, shell, before="", after="env", env=None, options=("-eu",)):
        script = f"{before}\n. '{self.profile}'\n{after}"
        return self.output([SHELLS[shell], *options, "-c", script], env)

    def test_it_sets_what_is_needed_and_quotes_survive(self):
        for shell in SHELLS:
            lines = self.read_in(shell).splitlines()
            self.assertIn("CONVOY_TEST_A=it's here", lines)
            self.assertIn("CONVOY_TEST_B=gemm", lines)

    def test_it_is_silent_and_leaves_nothing_else_behind(self):
        names = r"set | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)[=( ].*/\1/p'"
        for shell in SHELLS:
            functions = {"bash": "declare -F", "zsh": "print -l ${(k)functions}"}.get(shell, ":")
            alone = self.output([SHELLS[shell], "-eu", "-c", f"{names}; {functions}"])
            after = self.read_in(shell, after=f"{names}; {functions}")
            new = set(after.split()) - set(alone.split()) - {"_", "LINENO", "PIPESTATUS", "pipestatus", "RANDOM", "SECONDS"}
            self.assertEqual(new, {"CONVOY_TEST_A", "CONVOY_TEST_B"})
            self.assertEqual(self.read_in(shell, after=":"), "")

    def test_errors_in_somebodys_rules_do_not_take_the_rest_away(self):
        self.answer("bad-rules")
        for shell in SHELLS:
            self.assertIn("CONVOY_TEST_A=it's bad-rules\n", self.read_in(shell))

    def test_a_users_own_value_wins(self):
        for shell in SHELLS:
            self.assertIn("CONVOY_TEST_A=mine\n", self.read_in(shell, env={"CONVOY_TEST_A": "mine"}))

    def test_nothing_happens_when_nothing_is_needed_or_the_program_fails_or_is_gone(self):
        for answer in ("nothing", "broken", "gone"):
            self.answer(answer)
            if answer == "gone":
                (self.prefix / "bin/convoy").unlink()
            for shell in SHELLS:
                for options in (("-eu",), ("-e",), ()):
                    self.assertNotIn("CONVOY_TEST", self.read_in(shell, options=options))

    def test_fish(self):
        fish = self.need("fish", "its package is missing")
        (self.home / ".config").mkdir()
        self.install_for_user()
        conf = self.home / ".config/fish/conf.d/convoy.fish"
        self.assertFalse(conf.exists(), "fish has no folder there")
        (self.home / ".config/fish").mkdir()
        self.install_for_user()
        self.assertTrue(conf.exists())
        self.assertIn("CONVOY_TEST_A=it's here\n", self.output([fish, "-l", "-c", "env"]))
        self.assertNotIn("CONVOY_TEST_A", self.output([fish, "-c", "env"]))
        self.answer("bad-rules")
        self.assertIn("CONVOY_TEST_A=it's bad-rules\n", self.output([fish, "-l", "-c", "env"]))
        for answer in ("nothing", "broken"):
            self.answer(answer)
            self.assertNotIn("CONVOY_TEST_A", self.output([fish, "-l", "-c", "env"]))


class Logins(InstallCase):
    """Whole login shells, with the machine's own /etc/profile where the tree's folders are mounted over /etc's."""

    def login(self, shell, command="env", env=None):
        mounts = "".join(f"mount --bind {self.root}{folder} {folder}\n"
                         for folder in ("/etc/profile.d", "/etc/zsh") if os.path.isdir(folder))
        return self.output(["unshare", "-r", "-m", "sh", "-ec", mounts + 'exec "$0" -l -c "$1"', shell, command], env)

    def test_of_the_system(self):
        if not may_mount():
            self.skipTest("no private mounts here (unshare -r -m): only Shells and the user's logins are tested")
        self.install()
        for shell, path in SHELLS.items():
            with self.subTest(shell):
                if shell == "zsh" and not os.path.isdir("/etc/zsh"):
                    self.skipTest("this zsh has no /etc/zsh")
                self.assertIn("CONVOY_TEST_A=it's here\n", self.login(path))
                self.answer("nothing")
                self.assertNotIn("CONVOY_TEST", self.login(path))
                self.answer("here")

    def test_of_a_user(self):
        self.write("home/.zprofile", "")
        self.install_for_user()
        for shell, path in SHELLS.items():
            with self.subTest(shell):
                self.assertIn("CONVOY_TEST_A=it's here\n", self.output([path, "-l", "-c", "env"]))
        # bash reads this one instead, and in it nothing else.
        self.write("home/.bash_profile", "# mine\n")
        bash = [self.need("bash", "its package is missing"), "-l", "-c", "env"]
        self.assertNotIn("CONVOY_TEST_A", self.output(bash))
        self.install_for_user()
        self.assertIn("CONVOY_TEST_A=it's here\n", self.output(bash))
        self.uninstall(scope="--user")
        for path in SHELLS.values():
            self.assertNotIn("CONVOY_TEST", self.output([path, "-l", "-c", "env"]))

    def test_preloading_reaches_the_users_named(self):
        library = pathlib.Path(self.program).parent / "libconvoy_miopen.so"
        if not library.exists():
            self.skipTest("libconvoy_miopen.so is not built")
        shutil.copy(library, self.prefix / "bin")
        shutil.copy(library, self.root / str(self.prefix)[1:] / "bin")
        me = self.output(["id", "-un"]).strip()
        mapped = r"cat /proc/self/maps; . '{0}'; . '{0}'; cat /proc/self/maps; echo $LD_PRELOAD"
        preload = self.root / "etc/profile.d/convoy-preload.sh"
        for shell, path in SHELLS.items():
            for user, wanted in ((me, True), ("somebody-else", False)):
                self.install("--preload", f"user:{user}", "--preload", "user:nobody-here")
                said = self.output([path, "-eu", "-c", mapped.format(preload).replace("$LD_PRELOAD", "${LD_PRELOAD-}")])
                self.assertEqual("/libconvoy_miopen.so" in said, wanted, f"{shell} {user}")
                self.assertLessEqual(len(re.findall("convoy_miopen", said.splitlines()[-1])), 1, "twice in LD_PRELOAD")


class Chain(InstallCase):
    """From a card in /sys by way of the program itself to whole logins and systemd's generators."""
    add, add_card = cli_env_test.Env.add, cli_env_test.Env.add_card
    nodes = 0
    NEEDED = {"MIOPEN_FIND_MODE": "FAST", "MIOPEN_DEBUG_CONV_WINOGRAD": "0"}

    def setUp(self):
        super().setUp()
        if not may_mount():
            self.skipTest("no private mounts here (unshare -r -m)")
        self.write(f"root{os.path.realpath(self.program)}", "only its place counts")
        self.add("/sys/class/drm/version", "")
        self.convoy("install", "--system", "--root", self.root, "--yes")

    def settings(self, command, env=None):
        """What the command's output sets; it has to be silent otherwise."""
        folders = [f"/{name}" for name in ("etc/profile.d", "etc/zsh", "etc/fish", "sys") if os.path.isdir(f"/{name}")]
        mounts = "".join(f"mount --bind {self.root}{folder} {folder}\n" for folder in folders)
        said = self.output(["unshare", "-r", "-m", "sh", "-ec", mounts + 'exec "$0" "$@"', *command], env)
        lines = [line.split("=", 1) for line in said.splitlines() if line.startswith(("MIOPEN_", "HSA_", "CONVOY_"))]
        return dict(lines)

    def ways(self):
        shells_here = {**SHELLS, "fish": shutil.which("fish", path=MINIMAL["PATH"])}
        for name, path in shells_here.items():
            if path and (name not in ("zsh", "fish") or os.path.isdir(f"/etc/{name}")):
                yield [path, "-l", "-c", "env"]
        yield [self.root / "etc/systemd/user-environment-generators/60-convoy"]
        yield [self.root / "etc/convoy/container-entrypoint", "env"]
        yield [self.program, "env", "--systemd"]

    def test_every_way_sets_exactly_what_the_card_needs(self):
        for way in self.ways():
            self.assertEqual(self.settings(way), {}, way)
        self.add_card("Radeon 8060S")
        for way in self.ways():
            with self.subTest(way=str(way[0])):
                self.assertEqual(self.settings(way), self.NEEDED)
                own = self.settings(way, {"MIOPEN_FIND_MODE": "NORMAL"})
                # Only shells show what was there before.
                self.assertEqual({"MIOPEN_FIND_MODE": "NORMAL", **own}, {**self.NEEDED, "MIOPEN_FIND_MODE": "NORMAL"})

    def test_a_strategy_reaches_all_of_them(self):
        self.add_card("RX 5600 XT")
        self.convoy("install", "--system", "--root", self.root, "--yes", "--strategy", "gemm")
        wanted = {"CONVOY_STRATEGY": "gemm", **cli_env_test.GEMM_SWITCHES}
        for way in list(self.ways())[:-1]:
            self.assertEqual(self.settings(way), wanted, way)


class Generators(InstallCase):
    def setUp(self):
        super().setUp()
        self.install("--strategy", "gemm")
        self.run_folder = self.folder / "run"
        self.bin = self.folder / "bin"
        self.calls = self.folder / "calls"
        self.write("bin/systemctl", f'#!/bin/sh\necho "$*" >>"{self.calls}"\nenv >>"{self.calls}"\n')
        (self.bin / "systemctl").chmod(0o755)

    def generator(self, kind):
        """The generator, with /run/convoy in the test's folder, and less patience."""
        path = self.root / f"etc/systemd/{kind}-environment-generators/60-convoy"
        self.assertTrue(os.access(path, os.X_OK))
        text = path.read_text()
        self.assertEqual(text.count("/run/convoy/"), int(kind == "system"))
        self.assertEqual(text.count("timeout 10 "), 1)
        path = self.folder / "generator"
        path.write_text(text.replace("/run/convoy/", f"{self.run_folder}/").replace("timeout 10 ", "timeout 1 "))
        path.chmod(0o755)
        return path

    def as_systemd_reads(self, text):
        """The variables, as systemd's own parser of such files has them."""
        if not os.path.exists(ENVIRONMENT_D):
            self.skipTest(f"{ENVIRONMENT_D} is not here: the package systemd is missing")
        self.write("reader/.config/environment.d/x.conf", text)
        read = self.output([ENVIRONMENT_D], {"HOME": str(self.folder / "reader")})
        return self.output(["sh", "-c", 'set -a; eval "$1"; env', "sh", read])

    def test_both_print_what_systemd_understands(self):
        for kind in ("system", "user"):
            with self.subTest(kind):
                self.answer("here")
                text = self.output([self.generator(kind)])
                read = self.as_systemd_reads(text)
                self.assertIn("CONVOY_TEST_A=it's here\n", read)
                self.assertIn("CONVOY_TEST_B=gemm\n", read)
                self.answer("bad-rules")
                self.assertIn("CONVOY_TEST_A=it's bad-rules\n", self.as_systemd_reads(self.output([self.generator(kind)])))
                for answer in ("nothing", "broken", "hanging"):
                    self.answer(answer)
                    self.assertEqual(self.output([self.generator(kind)]), "")
        (self.prefix / "bin/convoy").unlink()
        for kind in ("system", "user"):
            self.assertEqual(self.output([self.generator(kind)]), "")

    def arrive(self, more=None):
        """convoy-environment.service: has what the generator printed in its environment. Whether systemd was asked to reload."""
        printed = dict(line.split("=", 1) for line in (self.run_folder / "environment").read_text().splitlines()
                       if line and line[0] != "#")
        self.calls.unlink(missing_ok=True)
        said = self.output([self.folder / "generator", "arrival"],
                           {**printed, "PATH": f"{self.bin}:{MINIMAL['PATH']}", **(more or {})})
        self.assertEqual(said, "", "only a generator prints")
        return self.calls.exists() and self.calls.read_text().startswith("daemon-reload\n")

    def test_an_arrival_reloads_systemd_exactly_when_something_else_is_needed(self):
        generator = self.generator("system")
        for before, after, reloads in (("here", "here", False), ("here", "there", True), ("here", "nothing", True),
                                       ("nothing", "here", True), ("nothing", "nothing", False)):
            with self.subTest(before=before, after=after):
                self.answer(before)
                self.output([generator])
                self.answer(after)
                self.assertEqual(self.arrive(), reloads)
                self.output([generator])
                self.assertFalse(self.arrive(), "once is enough")

    def test_an_arrival_keeps_what_the_administrator_chose(self):
        generator = self.generator("system")
        own = {"CONVOY_TEST_A": "mine"}
        self.assertEqual(self.output([generator], own).splitlines()[1:], ["CONVOY_TEST_B=gemm"])
        self.assertFalse(self.arrive(own))

    def test_a_run_folder_that_cannot_be_written_is_no_failure(self):
        self.run_folder.write_text("no folder")
        self.assertIn("CONVOY_TEST_B=gemm", self.output([self.generator("system")]))

    def test_a_users_session_hands_over_exactly_the_names(self):
        self.install_for_user()
        script = self.home / ".config/convoy/session-environment"
        env = {"PATH": f"{self.bin}:{MINIMAL['PATH']}"}
        self.output(["/bin/sh", script], env)
        said = self.calls.read_text().splitlines()
        self.assertEqual(said[0], "--user import-environment CONVOY_TEST_A CONVOY_TEST_B")
        self.assertIn("CONVOY_TEST_A=it's here", said)
        self.answer("bad-rules")
        self.output(["/bin/sh", script], env)
        self.assertIn("CONVOY_TEST_A=it's bad-rules", self.calls.read_text().splitlines())
        for answer in ("nothing", "broken"):
            self.calls.unlink(missing_ok=True)
            self.answer(answer)
            self.output(["/bin/sh", script], env)
            self.assertFalse(self.calls.exists())

    def test_a_container_runs_its_command_with_the_settings(self):
        entry = self.root / "etc/convoy/container-entrypoint"
        self.assertIn("CONVOY_TEST_A=it's here\n", self.output([entry, "env"]))
        self.answer("bad-rules")
        self.assertIn("CONVOY_TEST_A=it's bad-rules\n", self.output([entry, "env"]))
        self.answer("broken")
        self.assertEqual(self.output([entry, "printf", "%s|", "two words", ""]), "two words||")


class Units(InstallCase):
    def complaints(self, *arguments):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *arguments],
                              env={**MINIMAL, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.folder)}, text=True,
                              capture_output=True, timeout=120, check=False)
        return done.stdout + done.stderr

    def test_systemd_has_nothing_to_complain_of(self):
        self.need("systemd-analyze", "the package systemd is missing")
        self.install()
        self.install_for_user()
        shutil.copytree("/usr/lib/systemd/system", self.root / "usr/lib/systemd/system", symlinks=True)
        service = self.root / "etc/systemd/system/convoy-environment.service"
        self.assertEqual(self.complaints(f"--root={self.root}", "convoy-environment.service"), "")
        users = self.home / ".config/systemd/user"
        self.assertEqual(self.complaints("--user", str(users / "convoy-session.service")), "")
        # A oneshot unit has no limit of its own, and a session waits for it.
        for unit in (service, users / "convoy-session.service"):
            self.assertRegex(unit.read_text(), r"(?m)^TimeoutStartSec=\d+$")
        # It is no praise when everything is well.
        for unit, arguments in ((service, (f"--root={self.root}", "convoy-environment.service")),
                                (users / "convoy-session.service", ("--user", str(users / "convoy-session.service")))):
            unit.write_text(unit.read_text() + "Exec=/bin/true\n")
            self.assertIn("Unknown key", self.complaints(*arguments))


# /sys with one card as the kernel shows it, in a namespace of its own; udev of this machine reads the rule and nothing else.
CARD = r"""
mount -t tmpfs none /sys
for folder in /usr/lib/udev/rules.d /run /dev; do mount -t tmpfs none $folder; done
mkdir -p /sys/class/drm /sys/class/kfd /sys/bus/pci/drivers/$2 /sys/bus/pci/devices /sys/devices/pci0000:00/0000:03:00.0/drm/renderD128
mkdir -p /sys/devices/virtual/kfd/kfd
cd /sys/devices/pci0000:00/0000:03:00.0
printf 'DRIVER=%s\nPCI_ID=1002:731F\n' "$2" >uevent
ln -s ../../../bus/pci/drivers/$2 driver
ln -s ../../../bus/pci subsystem
cd drm/renderD128
printf 'MAJOR=226\nMINOR=128\nDEVNAME=dri/renderD128\nDEVTYPE=drm_minor\n' >uevent
ln -s ../../../../../class/drm subsystem
cd /sys/devices/virtual/kfd/kfd
printf 'MAJOR=234\nMINOR=0\nDEVNAME=kfd\n' >uevent
ln -s ../../../../class/kfd subsystem
mount --bind "$1" /etc/udev
SYSTEMD_LOG_LEVEL=info SYSTEMD_DEVICE_VERIFY_SYSFS=0 exec udevadm test --action=$4 /sys/devices/$3 2>&1
"""
RENDER_NODE = "pci0000:00/0000:03:00.0/drm/renderD128"
WANTED = "SYSTEMD_WANTS=convoy-environment.service"


class Udev(InstallCase):
    def setUp(self):
        super().setUp()
        self.need("udevadm", "the package udev is missing")
        if not may_mount():
            self.skipTest("no private mounts here (unshare -r -m)")
        self.install()
        self.rules = self.root / "etc/udev/rules.d/60-convoy.rules"

    def event(self, device, driver="amdgpu", action="add"):
        done = subprocess.run(["unshare", "-r", "-m", "sh", "-ec", CARD, "sh", self.root / "etc/udev", driver, device, action],
                              text=True, capture_output=True, timeout=60, check=False)
        self.assertIn(f"ACTION={action}", done.stdout, done.stderr)
        return done.stdout

    def test_the_arrival_of_a_card_starts_the_unit(self):
        for device in (RENDER_NODE, "virtual/kfd/kfd"):
            for action in ("add", "change"):
                with self.subTest(device=device, action=action):
                    said = self.event(device, action=action)
                    self.assertIn(WANTED, said)
                    self.assertIn("CURRENT_TAGS=:systemd:", said)
            self.assertNotIn(WANTED, self.event(device, action="remove"))

    def test_other_cards_start_nothing(self):
        self.assertNotIn(WANTED, self.event(RENDER_NODE, driver="i915"))

    def test_udev_has_nothing_to_complain_of(self):
        complaint = re.compile(r"60-convoy\.rules:\d+")
        self.assertNotRegex(self.event(RENDER_NODE), complaint)
        text = self.rules.read_text()
        for mistake in (text.replace("KERNEL==", "KERNAL=="), text.replace('"renderD*"', '"renderD*'),
                        text.replace("convoy_end", "elsewhere", 1)):
            self.rules.write_text(mistake)
            self.assertRegex(self.event(RENDER_NODE), complaint)


if __name__ == "__main__":
    main()
