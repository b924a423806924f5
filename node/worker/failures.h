/* failures - logins that failed, by where they came from, all workers together. An address that
 * had too many of them may go on, but each try of it has to wait before it is looked at, right or
 * wrong: guessing is slow (RFC 6120 §6.4.5 limits it only for one stream), and who shares the
 * address gets in all the same. Memory is fixed: addresses of one hash share a budget. Any thread.
 */
#ifndef NODE_WORKER_FAILURES_H
#define NODE_WORKER_FAILURES_H

#include "node/net/addresses.h"

#include <stdbool.h>

#define FAILURES_MAX        100 /* at once; then so many a second are forgiven: */
#define FAILURES_PER_SECOND 1

struct failures;

struct failures *failures_new(uint64_t now_ms);
void failures_free(struct failures **failures);

void failures_add(struct failures *failures, const struct address_key *key, uint64_t now_ms);
bool failures_are_many(struct failures *failures, const struct address_key *key, uint64_t now_ms);

#endif
