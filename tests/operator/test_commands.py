"""The command line of musterctl: what help, man page and completion say is what there is."""

import asyncio
import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from tests.lib.cluster import ROOT, TestCluster
from tests.operator.ctl import TIMEOUT_S, Said, musterctl
from tools.local.main import find_program

MAN_PAGE = ROOT / "docs" / "man" / "musterctl.1.scd"
REFUSED, USAGE, UNREACHED, UNWRITTEN = 1, 2, 3, 5
HELP_COMMAND = re.compile(r"^  ([a-z]+)(?: ([a-z-]+))?((?: \[?[A-Z][A-Za-z.:-]*\]?)*)  +\S")
MAN_COMMAND = re.compile(r"(?:^|, )\*([a-z]+(?: [a-z-]+)?)\*((?: \[?_[^_]+_\]?)*)")


def commands_of_help() -> dict[str, str]:
    """"user add" -> "ADDRESS", of every command."""
    lines = musterctl("--help").out.splitlines()
    found = [match for line in lines if (match := HELP_COMMAND.match(line))]
    return {" ".join(filter(None, match.group(1, 2))): match.group(3).strip() for match in found}


def options_of_help(*words: str) -> set[str]:
    """Every option, or those of a command, without dashes."""
    return set(re.findall(r"^  --([a-z-]+)", musterctl("--help", *words).out, re.MULTILINE))


def section(name: str) -> str:
    """A section of the man page."""
    return MAN_PAGE.read_text().split(f"# {name}\n")[1].split("\n# ")[0]


def commands_of_man() -> dict[str, str]:
    """The same from the heads of the entries in the man page."""
    heads = [line for line in section("COMMANDS").splitlines() if line.startswith("*")]
    return {match.group(1): match.group(2).replace("_", "").strip()
            for head in heads for match in MAN_COMMAND.finditer(head)}


def completions(line: str) -> set[str]:
    """What bash offers for the last word of a line."""
    script = musterctl("completion", "bash").out + """
        read -ra COMP_WORDS <<< "$1"
        [[ $1 == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _musterctl
        echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", line], capture_output=True, text=True,
                          check=True)
    return set(done.stdout.split())


class CommandLine(unittest.TestCase):
    """Without a node."""

    def test_man_page(self) -> None:
        """The man page has the commands with their arguments, and the options, that help has."""
        self.assertGreater(len(commands_of_help()), 20)
        self.assertEqual(commands_of_help(), commands_of_man())
        options = set(re.findall(r"^\*--([a-z-]+)\*", section("OPTIONS"), re.MULTILINE))
        options |= set(re.findall(r", \*--([a-z-]+)\*", section("OPTIONS")))
        self.assertEqual(options_of_help(), options)

    def test_completion(self) -> None:
        """Completion offers every noun, the verbs of each, and the options that it takes."""
        commands = [command.split() for command in commands_of_help()]
        self.assertEqual({words[0] for words in commands} | {"utils"}, completions("musterctl "))
        for noun in {words[0] for words in commands if len(words) == 2}:
            verbs = {words[1] for words in commands if words[0] == noun and len(words) == 2}
            self.assertEqual(verbs, completions(f"musterctl --cluster /tmp {noun} "))
        self.assertEqual({f"--{option}" for option in options_of_help()},
                         completions("musterctl -"))
        for words in commands:
            taken = options_of_help(*words)
            self.assertIn("json", taken)
            self.assertEqual({f"--{option}" for option in taken},
                             completions(f"musterctl {' '.join(words)} x -"))
        self.assertEqual({"show"}, completions("musterctl user sh"))
        self.assertEqual({"ha"}, completions("musterctl utils "))
        self.assertEqual(completions("musterctl ha "), completions("musterctl utils ha "))
        self.assertEqual(completions("musterctl ha drain 1 -"),
                         completions("musterctl utils ha drain 1 -"))

    def test_documents(self) -> None:
        """The commands that README and man pages tell readers to type are there."""
        known = commands_of_help()
        cluster_help = subprocess.run([str(ROOT / "tools" / "cluster"), "--help"], text=True,
                                      capture_output=True, check=True).stdout
        cluster_verbs = set(re.search(r"{([a-z,]+)}", cluster_help).group(1).split(","))
        pages = [ROOT / "README.md", *sorted((ROOT / "docs" / "man").glob("*.scd"))]
        for page in pages:
            lines = [line for line in page.read_text().splitlines()
                     if line.startswith(("    ", "\t")) and not line.startswith("\t*")]
            for line in lines:
                for verb in re.findall(r"^    tools/cluster ([a-z]+)", line):
                    self.assertIn(verb, cluster_verbs, line)
                for one in re.findall(r"(?:^\s+|[(/]|[;&] )musterctl ([^|;&>#)]+)", line):
                    words = re.sub(r"--(json|replace|help)|--\S+ \S+", "", one).split()
                    self.assertTrue({words[0], " ".join(words[:2])} & set(known), line)
                for file in re.findall(r"(?:^    |&& )(deploy/[a-z-]+|tests/run)", line):
                    self.assertTrue((ROOT / file).exists(), line)

    def test_help(self) -> None:
        """--help of a command is about that command; of one that there is not, an error."""
        for command in commands_of_help():
            said = musterctl("--help", *command.split())
            self.assertEqual(0, said.code, said)
            shown = [line for line in said.out.splitlines() if HELP_COMMAND.match(line)]
            self.assertEqual(1, len(shown), said.out)
            self.assertTrue(shown[0].strip().startswith(command), said.out)
        self.assertEqual(USAGE, musterctl("--help", "usr").code)

    def test_usage(self) -> None:
        """Whoever leaves out an argument is shown the options, too, and which one is needed."""
        for words, usage in (
                ("cluster init",
                 "HOST:PORT [--data DIR] [--dir DIR] --domain DOMAIN [--name NAME]"),
                ("node add", "ID HOST:PORT [--dir DIR] [--witness]"),
                ("user assign", "[ADDRESS] [NODE] [--csv FILE] [--node NODE]"),
                ("domain add", "DOMAIN")):
            shown = f"usage: musterctl {words} {usage}\n"
            self.assertIn(shown, musterctl(*words.split(), *"xyz").err)
            self.assertIn(shown, musterctl("--help", *words.split()).out)
        self.assertIn("--node NODE            of user assign: the home",
                      musterctl("--help", "user", "assign").out)
        self.assertNotIn("with --cluster: this node only",
                         musterctl("--help", "user", "assign").out)
        self.assertIn("with --cluster: this node only", musterctl("--help", "user", "show").out)
        self.assertRegex(musterctl("--help").out, r"exit: 0 done,[^.]* 5 done, but")

    def test_faults(self) -> None:
        """What is wrong is named once, as it was given."""
        for rate in ("50/m", "0", "0/s", "x", "100001", "99999999999999999999"):
            self.assertIn(f"--rate {rate}: a number from 1 to 100000 is needed",
                          musterctl("ha", "failover", "1", "--rate", rate).err)
        self.assertEqual("musterctl: unable to open /nix/cluster.json: No such file or directory\n",
                         musterctl("--cluster", "/nix", "user", "list").err)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "cluster.json"
            file.write_text("{\n]")
            self.assertIn(f"musterctl: {file}:2: ", musterctl("--cluster", folder, "reload").err)
            for nodes in ("0", "-1", "x"):
                done = subprocess.run([str(ROOT / "tools" / "cluster"), "up", "--dir", folder,
                                       "--nodes", nodes], capture_output=True, text=True,
                                      check=False)
                self.assertEqual(USAGE, done.returncode)
                self.assertRegex(done.stderr, f"{nodes} is not 1 or more|invalid.*{nodes}")

    def test_unknown(self) -> None:
        """An unknown noun or verb: exit 2, nothing on standard output, and what there is."""
        for words, hint in ((["usr"], "nouns: alarm "), (["usr", "list"], "nouns: alarm "),
                            (["user", "fly"], "verbs: add "), (["user"], "verbs: add "),
                            ([], "nouns: alarm ")):
            said = musterctl(*words)
            self.assertEqual((USAGE, ""), (said.code, said.out))
            self.assertIn(hint, said.err)

    def test_full_disk(self) -> None:
        """An answer that cannot be written is no success; wrong use is told as ever."""
        for words, code in ((["--help"], UNWRITTEN), (["--version"], UNWRITTEN),
                            (["completion", "bash"], UNWRITTEN), (["usr"], USAGE)):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([find_program("musterctl"), *words], stdout=full,
                                      stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(code, done.returncode, words)
            self.assertEqual(code == UNWRITTEN, "cannot be written: No space" in done.stderr, words)

    def test_no_node(self) -> None:
        """What needs a node says where it asked in vain, and prints nothing else."""
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "control")
            for words in (["node", "status"], ["user", "list"], ["state", "mark"], ["reload"],
                          ["user", "import", "/dev/null"]):
                said = musterctl("--control", path, *words)
                self.assertEqual((UNREACHED, ""), (said.code, said.out), said)
                self.assertIn(f"no node answers at {path}", said.err)
            self.assertEqual(USAGE, musterctl("--cluster", folder, "user", "list").code)


class Answers(unittest.TestCase):
    """Of a cluster of three."""

    cluster: ClassVar[TestCluster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3")
        cls.addClassCleanup(cls.cluster.close)

    def ctl(self, *arguments: str, stdin: str = "") -> Said:
        """musterctl for this cluster."""
        return musterctl("--cluster", str(self.cluster.folder), *arguments, stdin=stdin)

    def test_json(self) -> None:
        """--json makes every answer one JSON value, also of what says nothing otherwise."""
        leader = str(self.cluster.leader())
        user = "json@example.test"
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as rows:
            rows.write("imported@example.test,word\n")
            rows.flush()
            for line in (f"user add {user} --password-file -", "user list", f"user show {user}",
                         f"user passwd {user} --password-file -", f"user import {rows.name}",
                         "domain add json.test", "domain list", "domain remove json.test",
                         "session list", f"session show {user}", f"session kill {user}",
                         f"user remove {user}", "node status", f"node status --node {leader}",
                         "cluster status", "cluster transfer", "state hash", "state mark",
                         "state scrub", "log level info", "reload", "member assign 2 voter",
                         "node list", "node promote 2", "node remove 9"):
                said = self.ctl("--json", *line.split(), stdin="word\n")
                self.assertNotEqual("", said.out + said.err, line)
                if said.code == 0:
                    json.loads(said.out)
                else:
                    self.assertEqual(("", REFUSED), (said.out, said.code), line)

    def test_status_with_a_node_down(self) -> None:
        """All nodes are listed, the one that is down with the reason, and the exit code is 0: the
        cluster could be asked. The node itself cannot: 3. Hashes were not all compared: 3."""
        down = self.cluster.ids[-1]
        self.cluster.kill(down)
        try:
            said = self.ctl("node", "status")
            self.assertEqual(0, said.code, said)
            self.assertEqual([str(node) for node in self.cluster.ids],
                             [line.split()[0] for line in said.out.splitlines()[1:]])
            self.assertRegex(said.out.splitlines()[-1], "unreachable .*(refused|ended)")
            rows = self.ctl("--json", "node", "status").json()
            self.assertEqual("unreachable", rows[-1]["role"])
            one = self.ctl("node", "status", "--node", str(down))
            self.assertEqual((UNREACHED, ""), (one.code, one.out))
            self.assertIn("no node answers at", one.err)
            self.assertEqual(UNREACHED, self.ctl("state", "hash", "--timeout", "5").code)
        finally:
            asyncio.run(self.cluster.start(down))

    def test_without_majority(self) -> None:
        """The one node that is left answers, and says that this is what it knew last: that nobody
        leads, not even node 0, and so nobody knows how far behind a node is. With a majority again
        the warning is gone."""
        *down, left = self.cluster.ids
        for node in down:
            self.cluster.kill(node)
        try:
            asyncio.run(self.cluster.wait_serving(left, TIMEOUT_S, wanted=False))
            said = self.ctl("node", "list")
            self.assertEqual(0, said.code, said)
            self.assertIn("does not serve now: this is what it knew last", said.err)
            self.assertIn("leader: none, term ", self.ctl("cluster", "status").out)
            said = self.ctl("--json", "replication", "runtimestate")
            self.assertIn("does not serve now", said.err)
            self.assertFalse(any("lag" in row for row in said.json()["nodes"]), said.out)
        finally:
            for node in down:
                asyncio.run(self.cluster.start(node))
        self.assertEqual("", self.ctl("node", "list").err)

    def test_hostile_csv(self) -> None:
        """A fault names file and line and ends the import; what came before is counted."""
        for fault, what in (("x@example.test,\"open\n", "cannot be read as CSV"),
                            ("x@example.test,wo\0rd\n", "cannot be read as CSV"),
                            ("x@example.test," + "x" * 9000 + "\n", "cannot be read as CSV"),
                            ("x@example.test\n", "neither jid,password nor"),
                            ("x@example.test,\udcff\n", "is not UTF-8"),
                            ("x@example.test,SCRAM-SHA-1,many,AA==,AA==,AA==\n", "iterations"),
                            ("x@example.test,SCRAM-SHA-1,999,AA==,AA==,AA==\n", "iterations"),
                            ("x@example.test,SCRAM-SHA-1,1000001,AA==,AA==,AA==\n", "iterations")):
            with tempfile.NamedTemporaryFile("w", suffix=".csv", errors="surrogateescape") as file:
                file.write("before@example.test,word\n" + fault)
                file.flush()
                said = self.ctl("user", "import", file.name)
                self.assertEqual(USAGE, said.code, said)
                self.assertIn(f"{file.name}:2: ", said.err)
                self.assertIn(what, said.err)
        key = "k@example.test,SCRAM-SHA-1,4096,AA==,AA==,AA==\n"
        said = self.ctl("user", "import", "-", stdin=key + key)
        self.assertEqual(USAGE, said.code, said)
        self.assertIn("-:2: a second key of this mechanism", said.err)

    def test_import_names_the_row(self) -> None:
        """What the node refuses is named by its line and address, whether it finds the fault
        before the log or in the state; nothing of that batch is made, all of others is."""
        key = ",4096,AA==,{0},{0}\n"
        keys = "".join(f"two@example.test,{mechanism}{key.format(text)}" for mechanism, text in (
            ("SCRAM-SHA-1", "A" * 27 + "="), ("SCRAM-SHA-256", "A" * 43 + "=")))
        for number, (row, what) in enumerate((
                ("x@nowhere.test,word\n", "x@nowhere.test: domain nowhere.test is not served"),
                ("@,word\n", "@: jid is no local@domain"),
                ("x@example.test,\x01\n", "x@example.test: this password cannot be used"),
                ("x@example.test,SCRAM-SHA-1,4096,!,AA==,AA==\n", "x@example.test: neither a"))):
            full = "".join(f"full{one}@example.test,SCRAM-SHA-1{key.format('A' * 27 + '=')}"
                           for one in range(500))
            rows = f"jid,keys\n\n{full}{keys}good{number}@example.test,word\n{row}"
            said = self.ctl("user", "import", "-", stdin=rows)
            self.assertIn(said.code, (REFUSED, USAGE), said)
            self.assertIn(f"-:506: {what}", said.err)
            self.assertIn("500 accounts imported", said.out)
            self.assertEqual(REFUSED, self.ctl("user", "show", f"good{number}@example.test").code)


if __name__ == "__main__":
    unittest.main()
