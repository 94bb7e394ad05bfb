#!/usr/bin/env python3
# `convoy env` over roots of machines that the tests make: what is advised and why, in which form, that real shells and services read
# it, and that rules of users count. Usage: cli_env_test.py <the convoy program> [test ...]
import json
import os
import shutil
import subprocess

from cli_case import CliCase, main

# Numbers on the PCI bus, gfx_target_version and compute units of cards; see src/device/detect_test.cc.
CARDS = {
    "RX 5600 XT": ("0x731f", 100100, 36),
    "RX 6700 XT": ("0x73df", 100301, 40),
    "RX 6800": ("0x73bf", 100300, 60),
    "RX 7900 XTX": ("0x744c", 110000, 96),
    "Radeon 8060S": ("0x1586", 110501, 40),
    "MI210": ("0x740f", 90010, 104),
    "RX 580": ("0x67df", 80003, 36),
    "Radeon 780M": ("0x15bf", 110003, 12),
    "Raphael": ("0x164e", 100306, 2),  # in the processor
}
GEMM_SWITCHES = {f"MIOPEN_DEBUG_CONV_{name}": "0" for name in ("WINOGRAD", "FFT", "IMPLICIT_GEMM")}


class Env(CliCase):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        self.root.mkdir()
        self.nodes = 0

    def add(self, path, text=""):
        return self.write("root" + path, text)

    def add_card(self, name, driver="amdgpu", kfd=True):
        device, version, units = CARDS[name]
        self.nodes += 1
        bus = self.nodes + 2
        pci = f"/sys/bus/pci/devices/0000:{bus:02x}:00.0"
        for file, text in {"vendor": "0x1002", "device": device, "class": "0x030000"}.items():
            self.add(f"{pci}/{file}", text + "\n")
        if driver:
            self.add(f"/sys/bus/pci/drivers/{driver}/bind")
            os.symlink(f"/sys/bus/pci/drivers/{driver}", self.root / pci[1:] / "driver")
        if kfd:
            node = f"/sys/class/kfd/kfd/topology/nodes/{self.nodes}"
            self.add(f"{node}/properties", f"simd_count {2 * units}\nsimd_per_cu 2\ngfx_target_version {version}\n"
                     f"vendor_id 4098\ndevice_id {int(device, 16)}\nlocation_id {bus << 8}\ndomain 0\n")
            self.add(f"{node}/gpu_id", f"{4000 + self.nodes}\n")

    def add_rocm(self, *architectures):
        self.add("/opt/rocm-6.2.0/.info/version", "6.2.0-66\n")
        for one in architectures:
            self.add(f"/opt/rocm-6.2.0/lib/rocblas/library/TensileLibrary_lazy_{one}.dat", "x")

    def env(self, *arguments, expect=0, **variables):
        return self.convoy("env", "--root", self.root, *arguments, expect=expect, env={"HOME": "/home/me", **variables})

    def settings(self, *arguments, expect=0, **variables):
        found = json.loads(self.env("--json", *arguments, expect=expect, **variables).stdout)["settings"]
        for one in found:
            self.assertEqual(list(one), ["name", "value", "reason", "rule", "source", "kept"])
            self.assertTrue(one["reason"])
            self.assertTrue(one["source"].startswith("https://") or one["name"].startswith("CONVOY_"))
        return {one["name"]: one for one in found}

    def values(self, *arguments, **variables):
        return {name: one["value"] for name, one in self.settings(*arguments, **variables).items() if not one["kept"]}

    def test_nothing_where_nothing_is_needed(self):
        self.assertEqual(self.env().stdout, "")
        self.assertEqual(self.env("--strategy", "gemm").stdout, "", "no AMD GPU")
        for card in ("RX 5600 XT", "RX 6800", "MI210", "RX 580"):
            self.add_card(card)
            self.assertEqual(self.env().stdout, "", card)

    def test_a_card_borrows_a_name_only_where_rocblas_lacks_its_own(self):
        self.add_card("RX 6700 XT")
        self.assertEqual(self.values(), {}, "without rocBLAS nobody knows")
        self.add_rocm("gfx1030", "gfx1100")
        settings = self.settings()
        self.assertEqual(list(settings), ["HSA_OVERRIDE_GFX_VERSION"])
        self.assertEqual(settings["HSA_OVERRIDE_GFX_VERSION"]["rule"], "gfx103x-borrows-gfx1030")
        self.assertIn("gfx1031 (1002:73df)", settings["HSA_OVERRIDE_GFX_VERSION"]["reason"])
        self.add_rocm("gfx1031")
        self.assertEqual(self.values(), {})

    def test_advice_stays_when_it_has_been_followed(self):
        self.add_card("RX 6700 XT")
        self.add_rocm("gfx1030")
        self.assertEqual(self.values(HSA_OVERRIDE_GFX_VERSION="10.3.0"), {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"})

    def test_what_the_user_has_set_stays(self):
        self.add_card("RX 6700 XT")
        self.add_rocm("gfx1030")
        self.assertEqual(self.settings(HSA_OVERRIDE_GFX_VERSION="10.3.1")["HSA_OVERRIDE_GFX_VERSION"]["kept"], "10.3.1")
        self.assertEqual(self.env(HSA_OVERRIDE_GFX_VERSION="10.3.1").stdout, "")

    def test_of_two_cards_only_one_pretends(self):
        self.add_card("RX 7900 XTX")
        self.add_card("RX 6700 XT")
        self.add_rocm("gfx1030", "gfx1100")
        self.assertEqual(self.values(), {"HSA_OVERRIDE_GFX_VERSION_2": "10.3.0"})

    def test_a_processors_small_gpu_beside_a_card_costs_the_card_nothing(self):
        self.add_card("Raphael")
        self.add_rocm("gfx1030", "gfx1100")
        self.assertEqual(self.values(), {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"})
        self.add_card("Radeon 780M")
        self.assertIn("MIOPEN_DEBUG_AMD_WINOGRAD_FURY_RXS_F2X3", self.values(), "no card yet")
        self.add_card("RX 7900 XTX")
        self.assertEqual(self.values(), {})
        self.add_card("Radeon 8060S")
        self.assertIn("MIOPEN_FIND_MODE", self.values(), "what can lock up the machine counts, and is no small one")

    def test_of_the_two_variables_the_cards_own_counts(self):
        self.add_card("RX 6700 XT")
        self.add_rocm("gfx1030")
        own = "HSA_OVERRIDE_GFX_VERSION_1"
        self.assertEqual(self.values(**{own: "10.3.0"}), {own: "10.3.0"}, "it is followed already")
        both = {"HSA_OVERRIDE_GFX_VERSION": "10.3.0", own: "10.3.1"}
        settings = self.settings(**both)
        self.assertEqual({name: one["kept"] for name, one in settings.items()}, {own: "10.3.1"})
        rules = self.write("rules.json", json.dumps({"format": 1, "rules": [{
            "id": "mine", "sentence": "Why.", "source": ["https://example.com"], "when": {"pretends": ["gfx1030"]},
            "then": {"environment": {"HSA_ENABLE_SDMA": "0"}}, "example": {"pretends": "gfx1030"}}]}))
        self.assertNotIn("HSA_ENABLE_SDMA", self.values(CONVOY_RULES=str(rules), **both))
        self.assertIn("HSA_ENABLE_SDMA", self.values(CONVOY_RULES=str(rules), HSA_OVERRIDE_GFX_VERSION="10.3.0"))

    def test_the_number_of_a_libmiopen_file_is_not_miopens_version(self):
        self.add_card("RX 6800")
        library = "/opt/rocm-6.2.0/lib/libMIOpen.so.1.0.60200"
        self.add_rocm("gfx1030")
        self.add(library)
        shutil.copy(self.program, self.root / library[1:])
        rules = self.write("rules.json", json.dumps({"format": 1, "rules": [{
            "id": "mine", "sentence": "Why.", "source": ["https://example.com"], "when": {"miopen": "<2"},
            "then": {"environment": {"MIOPEN_X": "0"}}, "example": {"miopen": "miopen 1.9"}}]}))
        self.assertEqual(self.values(CONVOY_RULES=str(rules)), {})

    def test_output_that_cannot_be_written_is_said(self):
        self.add_card("Radeon 8060S")
        with open("/dev/full", "w") as full:
            done = subprocess.run([self.program, "env", "--root", str(self.root)], stdout=full, stderr=subprocess.PIPE, text=True,
                                  env={"PATH": os.environ["PATH"], "HOME": str(self.folder)}, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("cannot be written", done.stderr)

    def test_a_card_that_another_driver_holds_needs_nothing(self):
        self.add_card("Radeon 8060S", driver="vfio-pci")
        self.assertEqual(self.values(), {})

    def test_a_card_that_locks_up(self):
        self.add_card("Radeon 8060S")
        self.assertEqual(self.values(), {"MIOPEN_FIND_MODE": "FAST", "MIOPEN_DEBUG_CONV_WINOGRAD": "0"})

    def test_a_card_whose_firmware_may_be_old(self):
        self.add_card("Radeon 780M")
        self.assertEqual(self.values(), {"MIOPEN_DEBUG_AMD_WINOGRAD_FURY_RXS_F2X3": "0"})
        self.assertEqual(self.values(HSA_OVERRIDE_GFX_VERSION="11.0.0"), {})

    def test_what_pytorch_on_rocm_7_does(self):
        self.add_card("RX 7900 XTX")
        for number, expected in (("6.2.41133", {}), ("7.1.52802", {"PYTORCH_MIOPEN_SUGGEST_NHWC": "0"})):
            library = f"/opt/rocm-{number[:3]}.0/lib/libamdhip64.so.{number}"
            self.add(library)
            self.add(f"/opt/rocm-{number[:3]}.0/.info/version", f"{number[:3]}.0\n")
            shutil.copy(self.program, self.root / library[1:])
            self.assertEqual(self.values(), expected, number)

    def test_the_strategy_gemm(self):
        self.add_card("RX 5600 XT")
        self.assertEqual(self.values("--strategy", "gemm"), {"CONVOY_STRATEGY": "gemm", **GEMM_SWITCHES})
        self.assertEqual(self.values(CONVOY_STRATEGY="gemm"), {"CONVOY_STRATEGY": "gemm", **GEMM_SWITCHES})
        self.assertEqual(self.values("--strategy", "cpu"), {"CONVOY_STRATEGY": "cpu"})
        self.write("config/convoy/convoy.conf", "strategy = gemm\n")
        self.assertEqual(self.values(XDG_CONFIG_HOME=str(self.folder / "config")), GEMM_SWITCHES, "the file says so already")

    def test_a_strategy_by_rule(self):
        self.add_card("RX 5600 XT")
        rules = str(self.write("rules.json", json.dumps({"format": 1, "rules": [{
            "id": "mine", "sentence": "Why.", "when": {"architecture": ["gfx1010"]}, "then": {"strategy": "gemm"},
            "example": {"architecture": "gfx1010"}}]})))
        self.assertEqual(self.values(CONVOY_RULES=rules), GEMM_SWITCHES, "programs with Convoy read the rule")
        self.assertEqual(self.values("--strategy", "auto", CONVOY_RULES=rules), {})
        self.assertEqual(self.values(CONVOY_RULES=rules, CONVOY_STRATEGY="cpu"), {"CONVOY_STRATEGY": "cpu"})

    def test_early_in_boot_the_number_on_the_bus_is_enough(self):
        self.add_card("RX 5600 XT", driver=None, kfd=False)
        self.assertIn("CONVOY_STRATEGY", self.values("--strategy", "gemm"))
        rules = self.write("rules.json", json.dumps({"format": 1, "rules": [{
            "id": "mine", "sentence": "Why.", "source": ["https://example.com"], "when": {"architecture": ["gfx1010"]},
            "then": {"environment": {"HSA_ENABLE_SDMA": "0"}}, "example": {"architecture": "gfx1010"}}]}))
        self.assertEqual(self.values(CONVOY_RULES=str(rules)), {"HSA_ENABLE_SDMA": "0"})

    def test_doctor_agrees_with_the_advice(self):
        self.add_card("RX 6800")
        self.add("/dev/kfd")
        for strategy in ("gemm", "implicit_gemm"):
            advice = self.values("--strategy", strategy)
            self.assertGreater(len(advice), 3)
            text = self.convoy("doctor", "--json", "--root", self.root, expect=None, env={"HOME": "/home/me", **advice}).stdout
            told = [one for one in json.loads(text)["findings"] if one["id"].startswith("environment.")]
            self.assertEqual({one["severity"] for one in told}, {"note"}, told)

    def test_real_shells_read_it(self):
        self.add_card("Radeon 8060S")
        value = "a:0.8,b=64"
        rules = self.write("rules.json", json.dumps({"format": 1, "rules": [{
            "id": "mine", "sentence": "Why.", "source": ["https://example.com"], "when": {}, "then": {"environment": {"MIOPEN_X": value}},
            "example": {}}]}))
        expected = {"MIOPEN_X": value, "MIOPEN_FIND_MODE": "FAST", "MIOPEN_DEBUG_CONV_WINOGRAD": "0"}
        text = self.env(CONVOY_RULES=str(rules)).stdout
        seen = 0
        for shell, options in (("dash", ["-eu"]), ("bash", ["-eu"]), ("zsh", ["-f", "-e", "-u"])):
            if not shutil.which(shell):
                continue
            seen += 1
            done = subprocess.run([shell, *options, "-c", 'eval "$1"; env -0', "sh", text], env={"PATH": os.environ["PATH"]},
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual(done.stderr, "", shell)
            got = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if "=" in entry)
            self.assertEqual({name: got.get(name) for name in expected}, expected, shell)
        self.assertGreaterEqual(seen, 2)
        if shutil.which("fish"):
            fish = self.env("--fish", CONVOY_RULES=str(rules)).stdout
            done = subprocess.run(["fish", "--no-config", "-c", "source; env -0"], input=fish, env={"PATH": os.environ["PATH"], "HOME":
                                  str(self.folder)}, capture_output=True, text=True, timeout=20)
            got = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if "=" in entry)
            self.assertEqual({name: got.get(name) for name in expected}, expected, "fish")

    def test_systemd_reads_it(self):
        generator = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
        if not os.path.exists(generator):
            self.skipTest("systemd is not installed")
        value = "a:0.8,b=64"
        rules = self.write("rules.json", json.dumps({"format": 1, "rules": [{
            "id": "mine", "sentence": "Why.", "source": ["https://example.com"], "when": {}, "then": {"environment": {"MIOPEN_X": value}},
            "example": {}}]}))
        self.add_card("Radeon 8060S")
        text = self.env("--systemd", CONVOY_RULES=str(rules)).stdout
        self.write("home/environment.d/60-convoy.conf", text)
        done = subprocess.run([generator], env={"XDG_CONFIG_HOME": str(self.folder / "home"), "HOME": "/home/me"}, text=True,
                              capture_output=True, timeout=20)
        self.assertIn("MIOPEN_FIND_MODE=FAST\n", done.stdout)
        # What is special to a shell the generator writes between quotation marks.
        got = subprocess.run(["sh", "-c", 'eval "$1"; printf %s "$MIOPEN_X"', "sh", done.stdout], capture_output=True, text=True)
        self.assertEqual(got.stdout, value)

    def test_an_env_file_for_containers(self):
        self.add_card("Radeon 8060S")
        lines = [line for line in self.env("--docker").stdout.splitlines() if not line.startswith("#")]
        self.assertEqual(lines, ["MIOPEN_FIND_MODE=FAST", "MIOPEN_DEBUG_CONV_WINOGRAD=0"])

    def test_rules_with_errors_are_named_and_the_others_count(self):
        self.add_card("Radeon 8060S")
        rules = self.write("rules.json", '{"format": 1, "rules": [{"id": "bad", "sentence": "x", "then": {"refuse": ["nobody"]}}]}')
        run = self.env(expect=1, CONVOY_RULES=str(rules))
        self.assertIn(f"{rules}: rules[0] (bad): then.refuse[0]: \"nobody\" is none of vendor, own", run.stderr)
        self.assertIn("MIOPEN_FIND_MODE", run.stdout)
        self.env(expect=1, CONVOY_RULES=str(self.write("rules.json", "{")))

    def test_doctor_tells_of_rules_and_advice(self):
        self.add_card("Radeon 8060S")

        def findings(**variables):
            text = self.convoy("doctor", "--json", "--root", self.root, expect=1, env={"HOME": "/home/me", **variables}).stdout
            return {one["id"]: one for one in json.loads(text)["findings"]}

        found = findings()
        self.assertIn("Convoy lets MIOpen use no winograd algorithms.", found["rule.gfx115x-winograd"]["sentence"])
        self.assertIn("Convoy tries own first there.", found["rule.gfx11-3d"]["sentence"])
        self.assertEqual(found["advice.MIOPEN_FIND_MODE"]["severity"], "warning")
        self.assertNotIn("advice.MIOPEN_FIND_MODE", findings(MIOPEN_FIND_MODE="FAST"))
        other = findings(MIOPEN_FIND_MODE="NORMAL")["advice.MIOPEN_FIND_MODE"]
        self.assertEqual(other["severity"], "note")
        self.assertIn("it is NORMAL", other["sentence"])
        self.assertIn("own.rules", findings(CONVOY_RULES=str(self.write("rules.json", "{"))))

    def test_doctor_knows_what_is_advised(self):
        for card in ("Radeon 780M", "Radeon 8060S"):
            self.add_card(card)
        advised = self.values()
        text = self.convoy("doctor", "--json", "--root", self.root, expect=1, env={"HOME": "/home/me", **advised}).stdout
        judged = [one for one in json.loads(text)["findings"] if any(name in one["sentence"] for name in advised)]
        self.assertEqual([one for one in judged if one["severity"] != "note" or "without effect" in one["sentence"]], [])
        self.assertEqual(len(advised), 3)

    def test_wrong_calls(self):
        self.env("--strategy", "fast", expect=2)
        self.env("--sh", "--json", expect=2)
        self.convoy("env", "--root", self.folder / "absent", expect=2)


class Rules(CliCase):
    """On a simulated card, by the engine."""

    def rules(self, *rules):
        return str(self.write("rules.json", json.dumps({"format": 1, "rules": list(rules)})))

    def test_a_pin_on_one_direction(self):
        pin = {"id": "direct-wrw", "sentence": "Why.", "source": ["https://example.com"],
               "when": {"architecture": ["gfx1010"], "problem": {"direction": ["wrw"]}}, "then": {"first": ["direct"]},
               "example": {"architecture": "gfx1010", "problem": "wrw:f32:nchw:n1c2h5w5:k2r3s3:pad1x1:stride1x1:dil1x1:g1"}}
        ban = {"id": "no-igemm", "sentence": "It is banned.", "when": {"problem": {"direction": ["fwd"]}}, "then": {"refuse": ["own"]},
               "example": {"problem": "fwd:f32:nchw:n1c2h5w5:k2r3s3:pad1x1:stride1x1:dil1x1:g1"}}
        shape = "f32:nchw:n1c2h5w5:k2r3s3:pad1x1:stride1x1:dil1x1:g1"
        out = self.convoy("run", "--device", "sim:gfx1010", "--explain", f"wrw:{shape}", f"fwd:{shape}", f"bwd:{shape}",
                          env={"CONVOY_RULES": self.rules(pin, ban)}).stdout
        self.assertIn("direct (generic): passed: put first by rule direct-wrw", out)
        self.assertIn("igemm (own): unfit: rule no-igemm: It is banned.", out)
        self.assertIn("igemm (own): passed\n", out, "bwd is neither pinned nor banned")


if __name__ == "__main__":
    main()
