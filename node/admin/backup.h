/* backup - streams a copy of the store to who asks on the control socket, part by part as they are
 * asked for: one backup at a time, since a copy holds a snapshot that makes the store grow. A
 * thread of its own reads the copy; it ends with the connection that began it. */
#ifndef NODE_ADMIN_BACKUP_H
#define NODE_ADMIN_BACKUP_H

#include "node/admin/request.h"

#define BACKUP_PART_BYTES_MAX (256 * 1024)

struct backup;

/** Is one under way? Of another connection than the request's: then request has failed. */
bool backup_is_busy(struct request *request);
/** Begin one for the connection of request, which is open: of a state that has at least index
 * applied. ERR_BUSY: there is no thread for it. */
NODISCARD int backup_begin(struct request *request, uint64_t index);
/** Answer request with the next part: {"bytes": base64}; at the end {"mark": {index, term, hash}}
 * and the backup is over. */
void backup_read(struct request *request);

void backup_on_control_closed(struct admin *admin, const struct control *control);
/** End what is under way; a request for a part fails. */
void backup_end(struct admin *admin);

#endif
