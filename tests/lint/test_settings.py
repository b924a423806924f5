"""The settings of a node are those that its manual and its example have."""

import re
import tempfile
import unittest
from pathlib import Path

from tests.lint.tree import ROOT

MAN = "docs/man/muster.yaml.5.scd"
EXAMPLE = "deploy/muster.yaml.example"
NUMBER = re.compile(r"^ +X\((\w+), \d+, \d+, (\d+), (RELOAD|RESTART)\)", re.MULTILINE)
FIXED = re.compile(r"^ +{\"(\w+\.\w+)\", .*(?:==|same_)", re.MULTILINE)
FIELDS = re.compile(r"cyaml_schema_field_t (\w+)_fields\[\] = {(.*?)CYAML_FIELD_END", re.DOTALL)
FIELD = re.compile(r"(?:TEXT|TEXT_OPTIONAL|CYAML_FIELD_\w+)\(\"(\w+)\"")
PURPOSES = re.compile(r"#define CONF_PURPOSES_MAP\(X\)(.*?)\n\n", re.DOTALL)
LISTS = {"member": "cluster.members", "certificate": "c2s.certificates"}
MAN_HEAD = re.compile(r"\*([a-z0-9_]+)\*(?: \((\d+)\))?")
EXAMPLE_KEY = re.compile(r"(|  |    - |      )(\w+):(?: +(\d+))?")
FLOW_KEY = re.compile(r"(\w+): ")
NUMBERS = ("timers", "limits")

Settings = dict[str, str]  # "limits.map_gib" -> its default, or nothing when it is no number


def numbers_of_code(root: Path) -> dict[str, tuple[str, str]]:
    """From the maps of conf.h: the default of a number, and when a change of it counts."""
    found = {}
    header = (root / "node/conf/conf.h").read_text()
    for group in NUMBERS:
        text = header.split(f"#define CONF_{group.upper()}_MAP(X)")[1].split("\n\n")[0]
        found |= {f"{group}.{name}": (value, moment)
                  for name, value, moment in NUMBER.findall(text)}
    return found


def settings_of_code(root: Path) -> Settings:
    """Numbers from the maps of conf.h, all others from the schema."""
    found = {name: value for name, (value, _) in numbers_of_code(root).items()}
    header = (root / "node/conf/conf.h").read_text()
    found |= {f"about.{name}": "" for text in PURPOSES.findall(header)
              for name in re.findall(r"X\((\w+)\)", text)}
    for group, text in FIELDS.findall((root / "node/conf/schema.c").read_text()):
        if group != "top":
            found |= {f"{LISTS.get(group, group)}.{name}": "" for name in FIELD.findall(text)}
    return found


def settings_of_man(root: Path) -> Settings:
    """The heads of the entries; the keys of lists stand in the text of their entry, in braces."""
    found = {}
    for part in (root / MAN).read_text().split("\n# ")[1:]:
        group = part.split("\n")[0].lower()
        name = ""
        for line in part.replace("\\_", "_").splitlines():
            if line.startswith("*") and group not in ("name", "description", "see also"):
                found |= {f"{group}.{key}": value for key, value in MAN_HEAD.findall(line)}
                name = MAN_HEAD.findall(line)[-1][0]
            for keys in re.findall(r"List of {(.*?)}", line):
                found |= {f"{group}.{name}.{key}": "" for key in keys.split(", ")}
    return found


def settings_of_example(root: Path) -> Settings:
    """The keys of the example, by their indentation; the items of a list in either style."""
    found = {}
    group = name = ""
    for line in (root / EXAMPLE).read_text().splitlines():
        one = EXAMPLE_KEY.match(line)
        if one is None:
            keys = FLOW_KEY.findall(line) if line.startswith("    - {") else []
            found |= {f"{group}.{name}.{key}": "" for key in keys}
        elif one.group(1) == "":
            group = one.group(2)
        elif one.group(1) == "  ":
            name = one.group(2)
            found[f"{group}.{name}"] = (one.group(3) or "") if group in NUMBERS else ""
        else:
            found[f"{group}.{name}.{one.group(2)}"] = ""
    return found


def differences(root: Path) -> list[str]:
    """Every setting that one of the three lacks, or has with another default."""
    code = settings_of_code(root)
    found = []
    for place, settings in (("muster.yaml(5)", settings_of_man(root)),
                            ("muster.yaml.example", settings_of_example(root))):
        for name in sorted(code.keys() | settings.keys()):
            if code.get(name) != settings.get(name):
                found.append(f"{name}: {place} has {settings.get(name)!r}, "
                             f"the program {code.get(name)!r}")
    return found


def fixed_by_code(root: Path) -> set[str]:
    """The settings of which conf_needs_restart() refuses a change."""
    texts = FIXED.findall((root / "node/conf/conf.c").read_text())
    return set(texts) | {name for name, (_, moment) in numbers_of_code(root).items()
                         if moment == "RESTART"}


def fixed_by_man(root: Path) -> set[str]:
    """The entries that are not marked _reload_."""
    found = set()
    for part in (root / MAN).read_text().split("\n# ")[1:]:
        group = part.split("\n")[0].lower()
        for entry in part.replace("\\_", "_").split("\n\n")[1:]:
            head, _, text = entry.partition("\n\t")
            if text and not text.startswith("_reload_"):
                found |= {f"{group}.{key}" for key, _ in MAN_HEAD.findall(head)}
    return found


class SettingsAgree(unittest.TestCase):
    """Of the tree."""

    def test_tree(self) -> None:
        """Same settings, same defaults."""
        self.assertGreater(len(settings_of_code(ROOT)), 40)
        self.assertIn("about.abuse", settings_of_code(ROOT))
        self.assertEqual("", "\n".join(differences(ROOT)))

    def test_reload(self) -> None:
        """What the manual does not mark _reload_ is what a reload refuses to change."""
        fixed = fixed_by_man(ROOT)
        self.assertIn("cluster.members", fixed)
        self.assertIn("timers.lease_ms", fixed)
        self.assertEqual(fixed, fixed_by_code(ROOT))

    def test_can_fail(self) -> None:
        """A setting that the manual lacks and another default in the example are found."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in ("node/conf/conf.h", "node/conf/schema.c", MAN, EXAMPLE):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text((ROOT / name).read_text())
            (root / MAN).write_text((ROOT / MAN).read_text().replace("*scrub", "*rub"))
            (root / EXAMPLE).write_text((ROOT / EXAMPLE).read_text().replace(": 512 ", ": 513 "))
            (root / "node/conf/conf.c").write_text("")
            found = "\n".join(differences(root))
            self.assertRegex(found, r"timers.scrub_s: muster.yaml\(5\) has None")
            self.assertRegex(found, r"limits.reserve_mib: muster.yaml.example has '513'")
            self.assertIn("node.name", fixed_by_man(root) - fixed_by_code(root))


if __name__ == "__main__":
    unittest.main()
