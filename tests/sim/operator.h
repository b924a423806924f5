/* operator - requests to the control sockets of the nodes, as musterctl makes them. */
#ifndef TESTS_SIM_OPERATOR_H
#define TESTS_SIM_OPERATOR_H

#include "tests/sim/machine.h"

#include <jansson.h>

/** The result, which the caller owns; NULL: no answer in time, or a refusal. Takes args. */
json_t *operator_ask(struct sim_host *from, uint32_t number, const char *verb, json_t *args,
                     uint64_t timeout_us);
/** Ask one node after the other until one grants it, or refuses it as done already: with the error
 * done (NULL: none means that). False: none did in time. */
bool operator_insist(struct sim_host *from, uint32_t count, const char *verb, json_t *args,
                     const char *done, uint64_t timeout_us);

#endif
