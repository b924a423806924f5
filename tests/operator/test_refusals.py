"""A refusal says which thing is in the way and why, and what to do first.

Method: three nodes, two of them a group that is enabled; every command that the state refuses, by
each of its reasons.
"""

import unittest
from typing import ClassVar

from tests.lib.cluster import TestCluster
from tests.operator.ctl import REFUSED, ClusterCtl, make_group


class Refusals(ClusterCtl):
    """Nothing of it changes anything, so that the order of the tests does not matter."""

    cluster: ClassVar[TestCluster]
    jid: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = TestCluster("--nodes", "3")
        cls.addClassCleanup(cls.cluster.close)
        make_group(cls.cluster, "pair", (1, 2))
        cls.jid = cls.cluster.add_user("romeo")

    def test_domains(self) -> None:
        """One with accounts, and one that is not served."""
        self.refused(f"domain example.test has accounts, as {self.jid}; first: user remove each",
                     "domain", "remove", "Example.Test")
        self.refused("domain nix.test is not served", "domain", "remove", "nix.test")

    def test_accounts(self) -> None:
        """Of a domain that is not served; that is not there; that is there already."""
        for words in (("user", "add", "x@nix.test"), ("user", "passwd", "x@nix.test")):
            said = self.ctl(*words, "--password-file", "-", stdin="word\n")
            self.assertEqual(REFUSED, said.code, said)
            self.assertIn("domain nix.test is not served; first: domain add nix.test", said.err)
        said = self.ctl("user", "add", self.jid, "--password-file", "-", stdin="word\n")
        self.assertIn(f"account {self.jid} exists already", said.err)
        said = self.ctl("user", "passwd", "x@example.test", "--password-file", "-", stdin="word\n")
        self.assertIn("there is no account x@example.test", said.err)
        for verb in ("show", "remove"):
            self.refused("there is no account x@example.test", "user", verb, "x@example.test")
        said = self.ctl("user", "add", "ü" * 300 + "@example.test", "--password-file", "-",
                        stdin="word\n")
        self.assertIn("an address has 440 bytes at most", said.err)

    def test_homes(self) -> None:
        """A node that is in no group, one that there is not, a user who is not there."""
        self.refused("node 3 is in no group; first: group add-node GROUP 3",
                     "user", "assign", self.jid, "3")
        self.refused("there is no node 9", "user", "assign", self.jid, "9")
        self.refused("there is no account x@example.test", "user", "assign", "x@example.test", "1")

    def test_groups(self) -> None:
        """The group or the node that is not there, what is full, what is enabled."""
        self.ok("group", "create", "one")
        self.addCleanup(self.ok, "group", "delete", "one")
        for why, words in (
                ("the name of a group is 1 to 64 letters", "create;a b"),
                ("the name of a group is 1 to 64 letters", f"create;{'x' * 65}"),
                ("group pair exists already", "create;pair"),
                ("no group is named nix", "enable;nix"),
                ("no group is named nix", "disable;nix"),
                ("no group is named nix", "delete;nix"),
                ("no group is named nix", "add-node;nix;1"),
                ("no group is named ü", f"add-node;{'ü' * 600};1"),
                ("no group is named nix", "remove-node;nix;1"),
                ("there is no node 99", "add-node;pair;99"),
                ("group pair has 2 nodes, and no more can be; first: group remove-node pair "
                 "NODE",
                 "add-node;pair;3"),
                ("node 1 is in group pair already\n", "add-node;pair;1"),
                ("node 1 is in group pair already; first: group remove-node pair 1\n",
                 "add-node;one;1"),
                ("node 3 is not in group pair", "remove-node;pair;3"),
                ("group pair is enabled; first: group disable pair", "remove-node;pair;1"),
                ("group pair has nodes; first: group disable pair, group remove-node pair 1, group "
                 "remove-node pair 2", "delete;pair"),
                ("group one has 0 of the 2 nodes that it needs; first: group add-node one NODE",
                 "enable;one")):
            self.refused(why, "group", *words.split(";"))

    def test_too_many_groups(self) -> None:
        """As many as there can be nodes that serve."""
        for number in range(5):
            self.ok("group", "create", f"more{number}")
            self.addCleanup(self.ok, "group", "delete", f"more{number}")
        self.refused("there are 6 groups, and no more can be; first: group delete GROUP",
                     "group", "create", "more")

    def test_transfer(self) -> None:
        """To a node that is no member; and its role."""
        self.refused("node 99 is no member", "cluster", "transfer", "99")
        self.refused("no such member", "member", "assign", "99", "standby")


if __name__ == "__main__":
    unittest.main()
