/* room - musterd on a host of the machine: its own main(), with a configuration and a data
 * directory in a folder on the disk of memory. */
#ifndef TESTS_SIM_ROOM_H
#define TESTS_SIM_ROOM_H

#include "tests/sim/machine.h"

#define NODE_LINK_PORT 7101
#define NODE_C2S_PORT  5222
#define NODES_MAX      7
#define SIM_DOMAIN     "sim.test"
#define ADDRESS_BYTES  32

struct sim_cluster {
    char dir[128];
    uint32_t count;
    uint32_t witnesses;   /* the last so many of them */
    uint32_t log_entries; /* between snapshots, so that those who are behind get copies */
    bool has_names;       /* its nodes know each other by them, not by numbers */
};

/** Once for all runs. */
void room_make_certificates(void);
void room_remove_certificates(void);

/** Make folders and configurations of a cluster that is about to begin. */
void room_init(struct sim_cluster *cluster, uint32_t count, uint32_t witnesses,
               uint32_t log_entries, bool has_names);
void room_remove(struct sim_cluster *cluster);

/** What others know a node by: a number or a name (program.c), with its port. */
void room_address(const struct sim_cluster *cluster, uint32_t number, char out[ADDRESS_BYTES]);

/** The program of a host starts. */
void room_start(struct sim_cluster *cluster, uint32_t number);
/** kill -9: its kernel says so to the others. */
void room_kill(uint32_t number);
/** The power is gone, and what was not synced; room_start() brings it back. */
void room_lose_power(uint32_t number);
/** SIGTERM. */
void room_stop(uint32_t number);
/** All that a node that does not run had on its disks is lost. */
void room_wipe(struct sim_cluster *cluster, uint32_t number);
/** What musterctl node join writes; then it starts. */
void room_join(struct sim_cluster *cluster, uint32_t number, uint64_t raft_id);

#endif
