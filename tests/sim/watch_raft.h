/* watch_raft - what libraft's own assertions, compiled out in the package, and Raft's proof say,
 * seen in its public structs at every turn of every node (Ongaro's thesis, figure 3.2): numbers
 * that only grow, terms that ascend, one vote a term, the same entries committed everywhere and in
 * the log of every later leader, and no leader that counts on an entry which is not on the other's
 * disk. */
#ifndef TESTS_SIM_WATCH_RAFT_H
#define TESTS_SIM_WATCH_RAFT_H

struct rlog;

void watch_raft_init(void);
/** It has been elected. */
void watch_raft_elected(const struct rlog *rlog);

#endif
