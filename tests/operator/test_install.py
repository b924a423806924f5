"""cmake --install: everything lands where the documents say, and works from there."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.operator.ctl import musterctl
from tools.local.main import find_program

FILES = {
    "bin/muster-inspect", "bin/musterctl", "bin/musterd",
    "lib/systemd/system/musterd.service", "lib/sysusers.d/muster.conf",
    "share/bash-completion/completions/musterctl", "share/doc/muster/muster.yaml.example",
    "share/man/man1/musterctl.1", "share/man/man5/muster.yaml.5", "share/man/man8/musterd.8",
}


class Install(unittest.TestCase):
    """An installation below a folder that stands for the root."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="muster-install-")
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name)

    def install(self, prefix: str) -> Path:
        """Install what was built; returns where the prefix is."""
        build = Path(find_program("musterd")).parents[1]
        subprocess.run(["cmake", "--install", str(build), "--prefix", prefix], check=True,
                       capture_output=True,
                       env={"DESTDIR": str(self.root), "PATH": "/usr/bin:/bin"})
        return self.root / prefix.lstrip("/")

    def test_files(self) -> None:
        """These files and no others; what the man pages and the unit name is among them."""
        top = self.install("/usr")
        found = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
        self.assertEqual(FILES, found)
        unit = (top / "lib/systemd/system/musterd.service").read_text()
        pages = "".join(path.read_text().replace("\\&", "")
                        for path in (top / "share/man").rglob("*.?"))
        named = set(re.findall(r"/usr/((?:bin|share|lib)/[\w./-]+\w)", unit + pages))
        self.assertLessEqual({"bin/musterd", "bin/musterctl"}, named)
        self.assertLessEqual(named, FILES)
        for program in ("musterd", "musterctl", "muster-inspect"):
            self.assertIn("usage", subprocess.run([str(top / "bin" / program), "--help"], text=True,
                                                  capture_output=True, check=True).stdout)

    def test_other_prefix(self) -> None:
        """The unit runs the programs that were installed with it."""
        top = self.install("/opt/muster")
        unit = (top / "lib/systemd/system/musterd.service").read_text()
        self.assertIn("ExecStart=/opt/muster/bin/musterd\n", unit)
        self.assertNotIn("/usr/bin", unit)

    def test_example(self) -> None:
        """musterd -t names the certificate that the example lacks; with the edits that the
        example asks for it is accepted."""
        top = self.install("/usr")
        text = (top / "share/doc/muster/muster.yaml.example").read_text()
        said = self._check(text)
        self.assertEqual(1, said.returncode)
        self.assertIn("/etc/muster/tls/cluster-ca.pem: No such file", said.stderr)
        made = musterctl("cluster", "init", "a.example.net:7101", "--domain", "chat.example.net",
                         "--dir", str(self.root / "made"), "--data", str(self.root / "data"))
        self.assertEqual(0, made.code, made)
        tls = self.root / "made" / "tls"
        edits = {"node-1.example.org": "a.example.net", "example.org": "chat.example.net",
                 "/etc/muster/tls": str(tls), "/var/lib/muster": str(self.root / "data"),
                 "/run/muster": str(self.root)}
        head = text[:text.index("\nnode:")]
        for old, new in edits.items():
            self.assertIn(f" {old} ", head.replace(",", " "), "an edit that the example asks for")
            text = text.replace(old, new)
        said = self._check(text)
        self.assertEqual((0, "configuration ok\n"), (said.returncode, said.stdout), said.stderr)

    def _check(self, text: str) -> subprocess.CompletedProcess[str]:
        conf = self.root / "muster.yaml"
        conf.write_text(text)
        return subprocess.run([str(self.root / "usr/bin/musterd"), "-t", "-c", str(conf)],
                              capture_output=True, text=True, check=False)


if __name__ == "__main__":
    unittest.main()
