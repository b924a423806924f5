"""Two nodes that serve and a witness: the rows of the table of states that need one group."""

from tests.ha.scene import HaTest


class TwoAndWitness(HaTest):
    """One group, and a node that votes."""

    groups = ((1, 2),)
    up_options = ("--nodes", "2", "--witnesses", "1")

    def others(self) -> list[int]:
        """The witness."""
        return [3]

    async def test_nodes_go(self) -> None:
        """Killed, stopped, hung; either node."""
        await self.run_rows((1, self.row_killed), (2, self.row_stopped), (2, self.row_hung))

    async def test_cuts(self) -> None:
        """A node is cut off wholly, is not heard, or hears nothing."""
        await self.run_cuts(2, 1, 2)

    async def test_services_and_requests(self) -> None:
        """A critical service fails; failover by hand; the backup breaks."""
        await self.run_rows((2, self.row_service_down), (1, self.row_by_hand),
                            (2, self.row_backup_breaks))
