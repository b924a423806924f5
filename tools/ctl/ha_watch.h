/* ha_watch - how sessions move, line by line, until all have. */
#ifndef TOOLS_CTL_HA_WATCH_H
#define TOOLS_CTL_HA_WATCH_H

#include "tools/ctl/ctl.h"

/** One row a node, with its group in it, of all groups (NULL) or one; the caller owns the rows.
 * time_ms_out: the cluster's time. 0 or an exit code (said on stderr). */
int ha_ask_rows(const struct options *options, const char *group, json_t **rows_out,
                json_int_t *time_ms_out);

/** Print a line whenever something changes of the move of a node, or of all (0) in a group, or in
 * all (NULL), and end when it is over; with --json a JSON value a line. */
int ha_watch(const struct options *options, const char *group, json_int_t node);

#endif
