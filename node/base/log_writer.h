/* log_writer - takes lines to stderr. Once its thread runs, nobody else waits for whoever reads
 * stderr: lines queue up to a bound, and those that find no room are left out and counted. Any
 * thread. */
#ifndef NODE_BASE_LOG_WRITER_H
#define NODE_BASE_LOG_WRITER_H

#include "node/base/buf.h"

/** Start the thread; it ends with the process. Until then each line is written by who brings it.
 * append_lost() makes the line that says how many are missing. */
void log_writer_start(void (*append_lost)(struct buf *line, uint64_t count));
/** One line with its end; borrowed. */
void log_writer_put(struct slice line);
/** Wait until all lines are written, but not long: stderr may be stuck. */
void log_writer_flush(void);

#endif
