"""Six nodes in three groups: every row of the table of states (docs/ha.md)."""

from tests.ha.scene import HaTest


class SixNodes(HaTest):
    """Three groups of two; five of the six nodes vote."""

    groups = ((1, 2), (3, 4), (5, 6))
    up_options = ("--nodes", "6")

    async def test_nodes_go(self) -> None:
        """Killed, stopped, hung, one after the other in different groups."""
        await self.run_rows((1, self.row_killed), (4, self.row_stopped), (2, self.row_hung),
                            (3, self.row_killed))

    async def test_cuts(self) -> None:
        """A node is cut off wholly, then it is not heard, then it hears nothing."""
        await self.run_cuts(1, 3, 2)

    async def test_services_and_requests(self) -> None:
        """A critical service fails; failover by hand; the backup breaks; both nodes die."""
        await self.run_rows((1, self.row_service_down), (3, self.row_by_hand),
                            (4, self.row_backup_breaks), (1, self.row_both_die))
