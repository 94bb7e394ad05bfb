#!/usr/bin/env python3
# `convoy doctor` over roots of machines that the tests make: what it finds, in which order, and how it ends. The claims about
# single variables are tested in src/cli/environment_rules_test.cc. Usage: cli_doctor_test.py <the convoy program> [test ...]
import collections
import json
import os
import random
import shutil
import subprocess
import time

from cli_case import CliCase, main

Card = collections.namedtuple("Card", "device target simds per_unit architecture units")
# As in src/device/test_tree.h, with its sources.
CARDS = {"RX 5600 XT": Card(0x731f, 100100, 72, 2, "gfx1010", 36), "RX 6800": Card(0x73bf, 100300, 120, 2, "gfx1030", 60),
         "RX 7900 XTX": Card(0x744c, 110000, 192, 2, "gfx1100", 96), "MI210": Card(0x740f, 90010, 416, 4, "gfx90a", 104),
         "Raphael": Card(0x164e, 100306, 4, 2, "gfx1036", 2)}
# What the kernel tells of one.
KFD_PROPERTIES = """cpu_cores_count 0
simd_count {simds}
mem_banks_count 1
max_waves_per_simd 20
array_count 4
simd_arrays_per_engine 2
cu_per_simd_array 10
simd_per_cu {per_unit}
gfx_target_version {target}
vendor_id 4098
device_id {device}
location_id {location}
domain 0
drm_render_minor {minor}
unique_id 0
num_xcc 1
"""
PROFILE = """if lspci | grep -q 731f; then
    export HSA_OVERRIDE_GFX_VERSION=10.3.0
    export MIOPEN_DEBUG_CONV_GEMM=1 MIOPEN_DEBUG_CONV_DIRECT=0
    export MIOPEN_FIND_ENFORCE=3
    export HIP_FORCE_COARSE_GRAIN=1
fi
"""


class Doctor(CliCase):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        self.root.mkdir()

    def add(self, path, text=""):
        return self.write("root" + path, text)

    def add_card(self, override=None, card=None, node=1):
        card = card or CARDS["RX 5600 XT"]
        bus, minor = 2 + node, 127 + node
        pci = f"/sys/bus/pci/devices/0000:{bus:02x}:00.0"
        for name, text in {"vendor": "0x1002", "device": f"{card.device:#06x}", "class": "0x030000", "revision": "0xca",
                           "subsystem_vendor": "0x1da2", "subsystem_device": "0x471e"}.items():
            self.add(f"{pci}/{name}", text + "\n")
        self.add("/sys/bus/pci/drivers/amdgpu/bind")
        self.add("/sys/module/amdgpu/version", "6.8.5\n")
        os.symlink("/sys/bus/pci/drivers/amdgpu", self.root / pci[1:] / "driver")
        self.add(f"{pci}/drm/renderD{minor}/dev", f"226:{minor}\n")
        folder = f"/sys/class/kfd/kfd/topology/nodes/{node}"
        self.add(f"{folder}/properties", KFD_PROPERTIES.format(
            simds=card.simds, per_unit=card.per_unit, target=card.target, device=card.device, location=bus << 8, minor=minor))
        self.add(f"{folder}/gpu_id", f"{4241 + node}\n")
        if override:
            self.add("/etc/profile.d/override.sh", f"export HSA_OVERRIDE_GFX_VERSION={override}\n")

    def doctor(self, *arguments, expect, env=None):
        text = self.convoy("doctor", "--json", "--root", self.root, *arguments, expect=expect,
                           env={"HOME": "/home/me", **(env or {})}).stdout
        report = json.loads(text)
        severities = [finding["severity"] for finding in report["findings"]]
        self.assertEqual(severities, sorted(severities, key=["broken", "warning", "note"].index), "the worst comes first")
        self.assertEqual(expect, 3 if "broken" in severities else 1 if "warning" in severities else 0)
        return report

    def finding(self, report, identity):
        found = [finding for finding in report["findings"] if finding["id"] == identity]
        self.assertEqual(len(found), 1, f"{identity} in {[finding['id'] for finding in report['findings']]}")
        self.assertEqual(list(found[0]), ["id", "severity", "sentence", "place", "cure", "source"])
        return found[0]

    def test_nothing_is_wrong_with_an_empty_root(self):
        report = self.doctor(expect=0)
        self.assertEqual(list(report), ["findings", "gpus", "driver", "rocm", "libraries", "variables"])
        self.assertEqual(report["gpus"], [])
        self.finding(report, "gpu.none")
        self.assertIn("0 broken, 0 warnings", self.convoy("doctor", "--root", self.root).stdout)

    def test_variables_of_the_shell_are_judged(self):
        report = self.doctor(expect=1, env={"MIOPEN_FIND_ENFORCE": "3", "MIOPEN_LOG_LEVEL": "4", "MIOPEN_FIND_MODUS": "2"})
        self.assertEqual(self.finding(report, "environment.find_enforce_search")["place"], "environment of this process")
        self.assertIn("MIOPEN_FIND_MODE", self.finding(report, "environment.misspelt_name")["cure"])
        self.assertEqual({one["name"]: one["judgement"] for one in report["variables"]},
                         {"MIOPEN_FIND_ENFORCE": "dangerous", "MIOPEN_LOG_LEVEL": "effective", "MIOPEN_FIND_MODUS": "invented"})

    def test_an_empty_variable_is_not_an_unset_one(self):
        report = self.doctor(expect=3, env={"HSA_OVERRIDE_GFX_VERSION": ""})
        self.assertEqual(report["findings"][0]["id"], "environment.override_empty")
        self.assertTrue(report["findings"][0]["source"].startswith("https://"))

    def test_files_that_set_variables_are_named_with_their_line(self):
        self.add("/etc/profile.d/rocm.sh", PROFILE)
        report = self.doctor(expect=1)
        self.assertEqual(self.finding(report, "environment.find_enforce_search")["place"], "/etc/profile.d/rocm.sh:4 (login shells)")
        self.finding(report, "environment.gemm_is_not_forced")
        self.assertIn("HIP_FORCE_COARSE_GRAIN", self.finding(report, "environment.invented")["sentence"])

    def test_places_that_contradict_each_other(self):
        self.add("/etc/profile.d/rocm.sh", "export MIOPEN_FIND_MODE=1\n")
        self.add("/home/me/.config/environment.d/rocm.conf", "MIOPEN_FIND_MODE=2\n")
        self.add("/etc/systemd/system.conf.d/rocm.conf", '[Manager]\nDefaultEnvironment="MIOPEN_FIND_MODE=3"\n')
        place = self.finding(self.doctor(expect=1, env={"MIOPEN_FIND_MODE": "5"}), "environment.contradiction")["place"]
        for part in ["=1 in /etc/profile.d/rocm.sh:1", "=2 in /home/me/.config/environment.d/rocm.conf:1",
                     "=3 in /etc/systemd/system.conf.d/rocm.conf:2 (services)", "=5 in environment of this process"]:
            self.assertIn(part, place)

    def test_quotes_belong_to_values_only_where_nobody_takes_them_off(self):
        self.add("/etc/systemd/system.conf.d/rocm.conf", '[Manager]\nDefaultEnvironment=HSA_XNACK="1"\n')
        report = self.doctor(expect=3, env={"HSA_OVERRIDE_GFX_VERSION": '"10.3.0"'})
        self.assertEqual(self.finding(report, "environment.quoted_value")["place"], "environment of this process")
        self.finding(report, "environment.xnack_on")

    def test_leftovers_of_scripts(self):
        self.add("/etc/profile.d/rocm-rdna1.sh", PROFILE)
        self.add("/etc/udev/rules.d/90-rocm-rdna1.rules")
        report = self.doctor(expect=1)
        self.assertEqual(self.finding(report, "leftover.profile")["cure"], "sudo rm /etc/profile.d/rocm-rdna1.sh")
        self.assertIn("no effect", self.finding(report, "leftover.udev")["sentence"])

    def test_a_card_that_pretends(self):
        self.add_card(override="10.3.0")
        report = self.doctor(expect=3)
        self.assertEqual(report["gpus"][0]["architecture"], "gfx1010")
        finding = self.finding(report, "gpu.pretends_across_families")
        self.assertEqual(finding["place"], "/etc/profile.d/override.sh:1 (login shells)")
        self.assertIn("gfx1030", finding["sentence"])

    def test_a_card_without_device_files(self):
        self.add_card()
        report = self.doctor(expect=3)
        self.assertIn("/dev/kfd", self.finding(report, "gpu.no_kfd_device")["sentence"])
        text = self.convoy("doctor", "--root", self.root, expect=3).stdout
        self.assertIn("GPU 0000:03:00.0 1002:731f gfx1010, 36 compute units", text)
        self.assertTrue(text.startswith("broken   gpu."), text)

    def add_device_files(self, *minors):
        for path in ["/dev/kfd"] + [f"/dev/dri/renderD{minor}" for minor in minors]:
            os.chmod(self.add(path), 0o666)

    def test_each_card_alone(self):
        for name in ["RX 5600 XT", "RX 6800", "RX 7900 XTX", "MI210"]:
            with self.subTest(name):
                self.root = self.folder / name.replace(" ", "_")
                self.root.mkdir()
                self.add = lambda path, text="": self.write(f"{self.root.name}{path}", text)
                card = CARDS[name]
                self.add_card(card=card)
                self.add_device_files(128)
                report = self.doctor(expect=0)
                self.assertEqual([(gpu["architecture"], gpu["compute_units"], gpu["lacks"]) for gpu in report["gpus"]],
                                 [(card.architecture, card.units, [])])
                self.assertEqual([one for one in report["findings"] if not one["id"].startswith("rule.")], [])

    def test_two_cards(self):
        self.add_card(card=CARDS["RX 7900 XTX"])
        self.add_card(card=CARDS["RX 6800"], node=2)
        self.add_device_files(128, 129)
        report = self.doctor(expect=0, env={"ROCR_VISIBLE_DEVICES": "1"})
        self.assertEqual([(gpu["kfd_node"], gpu["architecture"]) for gpu in report["gpus"]], [(1, "gfx1100"), (2, "gfx1030")])
        report = self.doctor(expect=3, env={"ROCR_VISIBLE_DEVICES": "2"})
        self.assertIn("programs get no GPU", self.finding(report, "gpu.visible_devices_absent")["sentence"])

    def test_a_card_beside_a_processor_with_graphics(self):
        self.add_card()
        self.add_card(card=CARDS["Raphael"], node=2)
        self.add_device_files(128, 129)
        report = self.doctor(expect=1)
        self.assertIn("ROCR_VISIBLE_DEVICES=0", self.finding(report, "gpu.integrated_visible")["cure"])
        self.assertEqual([gpu["integrated"] for gpu in report["gpus"]], [False, True])

    def test_a_container_without_kfd(self):
        self.add_card()
        shutil.rmtree(self.root / "sys/class/kfd")
        self.add("/.dockerenv")
        self.add("/proc/mounts", "shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k,inode64 0 0\n")
        report = self.doctor(expect=3)
        self.assertIn("/sys/class/kfd", self.finding(report, "gpu.no_kfd")["sentence"])
        self.assertIn("64 MiB", self.finding(report, "container.shared_memory")["sentence"])

    def test_truncated_files(self):
        self.add_card(card=CARDS["MI210"])
        for file in self.root.rglob("*"):
            if file.is_file() and not file.is_symlink():
                whole = file.read_bytes()
                for size in sorted({0, 1, len(whole) // 2, max(0, len(whole) - 1)}):
                    file.write_bytes(whole[:size])
                    process = subprocess.run([self.program, "doctor", "--json", "--root", self.root], env=self.environment(),
                                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
                    self.assertIn(process.returncode, (0, 1, 3), f"{file} {size} {process.stderr}")
                    json.loads(process.stdout)
                file.write_bytes(whole)

    def test_options_of_the_driver(self):
        self.add("/etc/modprobe.d/amdgpu.conf", "options amdgpu gpu_recovery=0\n")
        self.assertIn("amdgpu.conf:1", self.finding(self.doctor(expect=1), "driver.gpu_recovery")["place"])

    def test_variables_of_a_service(self):
        self.add("/usr/lib/systemd/system/ollama.service", "[Service]\nEnvironment=MIOPEN_FIND_MODE=2\n"
                 "EnvironmentFile=-/etc/default/ollama\n")
        self.add("/etc/systemd/system/ollama.service.d/override.conf", '[Service]\nEnvironment="MIOPEN_LOG_LEVEL=7"\n')
        self.add("/etc/default/ollama", "MIOPEN_FIND_ENFORCE=4\n")
        report = self.doctor(expect=1)
        self.assertEqual(self.finding(report, "environment.log_flood")["place"],
                         "/etc/systemd/system/ollama.service.d/override.conf:2 (system service ollama.service)")
        self.finding(report, "environment.find_mode_overruled")  # the unit and the file that it names are one program's

    def test_variables_that_a_script_writes_elsewhere_are_not_its_own(self):
        self.add("/etc/profile.d/installer.sh", "tee /etc/x > /dev/null << 'PROFILE'\nexport HSA_XNACK=1\nPROFILE\n")
        self.assertEqual(self.doctor(expect=0)["variables"], [])

    def test_files_that_are_named(self):
        self.add("/srv/compose.yaml", 'services:\n  a:\n    environment:\n      - HSA_OVERRIDE_GFX_VERSION="10.3.0"\n')
        report = self.doctor("--also", "/srv/compose.yaml", expect=3)
        self.assertEqual(self.finding(report, "environment.quoted_value")["place"], "/srv/compose.yaml:4 (named with --also)")
        self.convoy("doctor", "--also", "/srv/absent.yaml", "--root", self.root, expect=2)

    def test_the_folder_where_it_runs(self):
        project = self.folder / "project"
        project.mkdir()
        (project / "Dockerfile").write_text("FROM x\nENV MIOPEN_FIND_ENFORCE=3 \\\n    HSA_XNACK=1\n")
        process = subprocess.run([self.program, "doctor", "--json"], env=self.environment(), cwd=project, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
        finding = self.finding(json.loads(process.stdout), "environment.find_enforce_search")
        self.assertEqual(finding["place"], f"{project}/Dockerfile:2 (images built here)")

    def test_rocm_without_a_card(self):
        self.add("/opt/rocm-6.2.0/.info/version", "6.2.0-66\n")
        report = self.doctor(expect=1)
        self.assertEqual(self.finding(report, "gpu.none")["severity"], "warning")
        self.assertEqual(report["rocm"], [{"path": "/opt/rocm-6.2.0", "version": "6.2.0-66"}])

    def test_this_machine(self):
        process = subprocess.run([self.program, "doctor", "--json"], env=self.environment(CONVOY_THREADS="many"), text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertIn(process.returncode, (1, 3), process.stderr)
        self.assertIn("CONVOY_THREADS", self.finding(json.loads(process.stdout), "own.setting")["sentence"])
        self.assertFalse((self.folder / "cache").exists(), "it makes nothing")

    def test_what_convoy_cannot_write(self):
        self.write("cache", "a file where the folder should be")
        process = subprocess.run([self.program, "doctor", "--json"], env=self.environment(), text=True, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, check=False, timeout=60)
        self.finding(json.loads(process.stdout), "own.folder_unwritable")

    def test_what_is_in_quarantine(self):
        incident = {"kind": "incident", "solver": "onednn", "problem": "p", "problem_class": "c", "device": "d", "library": "l",
                    "verdict": "crashed", "strikes": 2, "signal": 11, "reason": "r", "host": "h", "at": int(time.time())}
        lines = [{"format": "convoy-decisions", "version": 1}, incident]
        self.convoy("db", "import", self.write("decisions.jsonl", "".join(json.dumps(line) + "\n" for line in lines)))
        process = subprocess.run([self.program, "doctor", "--json"], env=self.environment(), text=True, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertIn("1 pair", self.finding(json.loads(process.stdout), "own.quarantine")["sentence"])

    def test_hostile_files(self):
        source = random.Random(20261121)
        for path in ["/etc/environment", "/etc/profile.d/a.sh", "/etc/systemd/system.conf", "/home/me/.bashrc",
                     "/sys/class/kfd/kfd/topology/nodes/1/properties", "/sys/bus/pci/devices/0000:03:00.0/vendor"]:
            lines = [b"MIOPEN_FIND_MODE=" + source.randbytes(40) + b"\n" for _ in range(50)]
            target = self.root / path[1:]
            target.parent.mkdir(parents=True)
            target.write_bytes(b"DefaultEnvironment=" + b"".join(lines))
        process = subprocess.run([self.program, "doctor", "--root", self.root], env=self.environment(HOME="/home/me"),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertIn(process.returncode, (0, 1, 3))
        for byte in range(32):
            if byte != 10:
                self.assertNotIn(bytes([byte]), process.stdout)

    def test_wrong_calls(self):
        self.assertIn("DIR", self.convoy("doctor", "--help").stdout)
        self.convoy("doctor", "--root", self.folder / "absent", expect=2)
        self.convoy("doctor", "more", expect=2)
        with open("/dev/full", "w") as full:
            self.assertIn("No space left", self.convoy("doctor", "--root", self.root, expect=1, stdout=full).stderr)


if __name__ == "__main__":
    main()
