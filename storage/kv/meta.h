/* meta - the rows of the "kv_meta" table as bytes. Shared with the inspector, which opens stores of
 * which it does not know the tables. */
#ifndef STORAGE_KV_META_H
#define STORAGE_KV_META_H

#include "storage/kv/kv.h"

#define META_TABLE      "kv_meta"
#define META_FORMAT     1
#define META_MARK_KEY   "mark"
#define META_TABLES_KEY "tables" /* their names by number, each ended by NUL */
#define META_MARK_BYTES 32

/** {format, schema, index, term, hash}, big-endian. */
void meta_encode_mark(const struct kv_mark *mark, uint32_t schema, struct buf *out);
/** ERR_VERSION: another format. ERR_CORRUPT: not a mark. */
NODISCARD int meta_decode_mark(struct slice bytes, struct kv_mark *out, uint32_t *schema_out);

void meta_encode_tables(const char *const *names, size_t count, struct buf *out);
/** Take the next name off *bytes. false at the end, or when the rest is no name. */
bool meta_next_table(struct slice *bytes, const char **name_out);
/** May a program with these tables use a store with those? 0; ERR_VERSION when the store has more,
 * or another one in a place: a table's number is part of the state hash. */
NODISCARD int meta_check_tables(struct slice bytes, const char *const *names, size_t count);

#endif
