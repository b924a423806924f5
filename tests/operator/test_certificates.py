"""Certificates of domains and of the links, replaced on the disk of a node that runs."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.operator.test_setup import DOMAIN, MachinesTest
from tools.local.main import find_program

OTHER = "other.test"
TIMEOUT_S = 10.0
REFUSED = 1


def make_pair(certificate: Path, key: Path, domain: str) -> None:
    """A fresh certificate, signed by itself, in place of what is there."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={domain}",
                    "-addext", f"subjectAltName=DNS:{domain}", "-keyout", str(key), "-out",
                    str(certificate)], check=True, capture_output=True)


class Certificates(MachinesTest):
    """One node that serves two domains, each with a certificate of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.node = self.machines[0]
        self.found()
        self.files = {domain: (self.node.conf / "tls" / f"{domain}.pem",
                               self.node.conf / "tls" / f"{domain}.key")
                      for domain in (DOMAIN, OTHER)}
        make_pair(*self.files[OTHER], OTHER)
        conf = self.node.conf / "muster.yaml"
        certificate, key = self.files[OTHER]
        conf.write_text(conf.read_text().replace(
            "  certificates:\n", "  certificates:\n"
            f"    - {{domain: {OTHER}, certificate: {certificate}, key: {key}}}\n"))
        self.ok(self.node.ctl("reload"))
        self.ok(self.node.ctl("domain", "add", OTHER))

    def served(self, domain: str) -> str:
        """What a new connection for this domain is shown."""
        return self._shown("c2s_tls", "-servername", domain)

    def linked(self) -> str:
        """What a new link of another node is shown."""
        return self._shown("link")

    def _shown(self, port: str, *options: str) -> str:
        raw = subprocess.run(
            ["openssl", "s_client", "-connect", f"{self.node.host}:{self.node.ports[port]}",
             *options], input="", capture_output=True, text=True, check=False,
            timeout=TIMEOUT_S).stdout
        begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----\n"
        return raw[raw.index(begin):raw.index(end) + len(end)]

    def on_disk(self, domain: str) -> str:
        """The certificate file of a domain."""
        return self.files[domain][0].read_text()

    def assert_serves_disk(self) -> None:
        """New connections of each domain see what is on the disk."""
        for domain in self.files:
            self.assertEqual(self.on_disk(domain), self.served(domain))

    async def log_line(self, condition: Callable[[str], bool]) -> str:
        """Wait for a line in the node's log."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            lines = self.node.log().splitlines()
            for line in filter(condition, lines):
                return line
            self.assertLess(time.monotonic(), deadline, lines[-5:])
            await asyncio.sleep(0.05)

    def _check(self) -> str:
        """What musterd -t says against the configuration; "" when it is good."""
        done = subprocess.run([find_program("musterd"), "-t", "-c",
                               str(self.node.conf / "muster.yaml")],
                              capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode != 0, done.stderr != "")
        return done.stderr

    async def test_check_before_start(self) -> None:
        """musterd -t finds what would keep the node from its start, or from the other nodes: a
        certificate of the links that is missing, or another node's; an address that is none, a
        control socket with too long a name."""
        conf = self.node.conf / "muster.yaml"
        good = conf.read_text()
        other = self.machines[1]
        self.assertEqual("", self._check())
        self.ok(other.setup("node", "join", str(self.token(other, 2))))
        for old, new, fault in (
                (f"{self.node.conf}/tls/node", f"{other.conf}/tls/node", "not the certificate"),
                (f"{self.node.conf}/tls/node.key", f"{other.conf}/tls/node.key", "node"),
                ("tls/cluster-ca.pem", "tls/none.pem", "none.pem"),
                (f'bind: "{self.node.host}"', 'bind: "999.1.1.1"', "c2s.bind"),
                (self.node.control, "/" + "x" * 120, "control.socket")):
            self.assertIn(old, good)
            conf.write_text(good.replace(old, new))
            self.assertIn(fault, self._check())
        conf.write_text(good)

    async def test_hanging_file(self) -> None:
        """A file that hangs holds up its reload, and nothing else: the control socket answers, a
        second reload is refused, and once the file can be read its certificate is served."""
        file, key = self.files[OTHER]
        make_pair(file, key, OTHER)
        fresh = file.read_text()
        file.unlink()
        os.mkfifo(file)
        with ThreadPoolExecutor() as pool:
            reload = pool.submit(self.node.ctl, "reload")
            end = await self.writing_end(file)
            self.assertTrue(self.node.serves())
            self.refused(self.node.ctl("reload"), "another reload")
            self.node.signal(signal.SIGHUP)
            await self.log_line(lambda line: " node.reload_refused " in line)
            os.write(end, fresh.encode())
            os.close(end)
            self.ok(reload.result())
        self.assertEqual(fresh, self.served(OTHER))
        self.node.signal(signal.SIGHUP)
        os.close(await self.writing_end(file))  # no certificate at all
        await self.log_line(lambda line: " node.reload_refused " in line and str(file) in line)
        self.node.signal(signal.SIGHUP)
        end = await self.writing_end(file)
        self.assertEqual(0, self.node.stop(), "a reload that hangs holds up the stop")
        os.close(end)

    async def writing_end(self, fifo: Path) -> int:
        """Open a FIFO once somebody reads it, that is hangs."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            with contextlib.suppress(OSError):
                return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            self.assertLess(time.monotonic(), deadline, "nobody reads the file")
            await asyncio.sleep(0.01)

    async def test_replaced(self) -> None:
        """After a reload, by command or signal, new connections see the new certificate; one that
        was there before goes on, and until then nothing has changed."""
        self.assert_serves_disk()
        client = self.client("stays", 1)
        await client.start()
        before = {domain: self.on_disk(domain) for domain in self.files}
        for domain, files in self.files.items():
            make_pair(*files, domain)
            self.assertEqual(before[domain], self.served(domain), "nobody has asked for it")
        self.ok(self.node.ctl("reload"))
        self.assert_serves_disk()
        self.assertNotEqual(before[DOMAIN], self.on_disk(DOMAIN))
        make_pair(*self.files[DOMAIN], DOMAIN)
        self.node.signal(signal.SIGHUP)
        deadline = time.monotonic() + TIMEOUT_S
        while self.served(DOMAIN) != self.on_disk(DOMAIN):
            self.assertLess(time.monotonic(), deadline, "SIGHUP was not heard")
            await asyncio.sleep(0.05)
        self.assertEqual(0, client.event_count("dropped"))
        await client.request("<ping xmlns='urn:xmpp:ping'/>")
        await client.close()

    async def test_broken(self) -> None:
        """One broken file: nothing is taken, not even what is good; the answer and, after SIGHUP,
        the log name the file; the node goes on."""
        before = {domain: self.served(domain) for domain in self.files}
        certificate, key = self.files[OTHER]
        good = {file: file.read_text() for file in (certificate, key)}
        make_pair(*self.files[DOMAIN], DOMAIN)
        alien = self.node.folder / "alien.key"
        make_pair(self.node.folder / "alien.pem", alien, OTHER)
        for file, text, cause in ((certificate, good[certificate][:200], ""),
                                  (certificate, "", ""),
                                  (certificate, None, "No such file"),
                                  (key, alien.read_text(), "key values mismatch"),
                                  (key, "rubbish", "")):
            if text is None:
                file.unlink()
            else:
                file.write_text(text)
            said = self.node.ctl("reload")
            self.assertEqual(REFUSED, said.code, said)
            self.assertIn(f"{file}: {cause}", said.err)
            self.node.signal(signal.SIGHUP)
            await self.log_line(lambda line, file=file, cause=cause:
                                " node.reload_refused " in line and f"{file}: {cause}" in line)
            self.assertEqual(before, {domain: self.served(domain) for domain in self.files})
            file.write_text(good[file])
        self.ok(self.node.ctl("reload"))
        self.assert_serves_disk()

    def _certify_node(self, name: str) -> None:
        """A fresh certificate of the cluster's authority in place of the node's."""
        tls = self.node.conf / "tls"
        request = self.node.folder / "request.pem"
        subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
                        str(tls / "node.key"), "-out", str(request)],
                       check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", str(request), "-days", "2", "-CA",
                        str(tls / "cluster-ca.pem"), "-CAkey", str(tls / "cluster-ca.key"),
                        "-CAserial", str(self.node.folder / "serial"), "-CAcreateserial", "-out",
                        str(tls / "node.pem")], check=True, capture_output=True)

    async def test_link(self) -> None:
        """After a reload new links use the node's new certificate; one that other nodes would
        refuse is not taken, and nothing else with it."""
        before = self.linked()
        self._certify_node("node-1")
        self.assertEqual(before, self.linked(), "nobody has asked for it")
        self.ok(self.node.ctl("reload"))
        after = self.linked()
        self.assertEqual((self.node.conf / "tls" / "node.pem").read_text(), after)
        self.assertNotEqual(before, after)
        self._certify_node("node-2")
        served = self.served(DOMAIN)
        make_pair(*self.files[DOMAIN], DOMAIN)
        said = self.node.ctl("reload")
        self.assertEqual(REFUSED, said.code, said)
        self.assertIn("node.pem: is not the certificate of this node", said.err)
        self.assertEqual(after, self.linked())
        self.assertEqual(served, self.served(DOMAIN))
        self._certify_node("node-1")
        certificate = self.files[OTHER][0]
        certificate.write_text("rubbish")
        self.assertEqual(REFUSED, self.node.ctl("reload").code)
        self.assertEqual(after, self.linked(), "taken though another one is bad")
