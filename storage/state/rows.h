/* rows - load and store the rows of the tables: protobuf values, decoded into an arena. A row that
 * does not decode is damage of the store, not input: an assertion. State thread only. */
#ifndef STORAGE_STATE_ROWS_H
#define STORAGE_STATE_ROWS_H

#include "storage/state/state.h"
#include "storage/state/tables.h"

struct state {
    struct kv *kv; /* borrowed */
    uint64_t applied_index;
    Pb__MetaRow meta;     /* the row of TABLE_META, written back by each entry */
    struct buf value;     /* scratch of row_put() */
    struct arena scratch; /* of one command */
};

/** The message that the values of a table are. */
const ProtobufCMessageDescriptor *row_descriptor(enum table table);

/** The row at key, typed by its table, or NULL. */
void *row_get(struct state *state, struct arena *arena, enum table table, struct key key);
bool row_exists(struct state *state, enum table table, struct key key);
/** row: the message that belongs to the table. */
void row_put(struct state *state, enum table table, struct key key, const void *row);
void row_delete(struct state *state, enum table table, struct key key);

struct row_entry {
    struct slice key;
    void *row;
};

struct row_list {
    struct row_entry *items;
    size_t count;
};

/** Rows whose keys start with prefix and are not before from, at most max, in key order. A copy:
 * the table may change while it is walked. from may be empty. */
struct row_list rows_collect(struct state *state, struct arena *arena, enum table table,
                             struct key prefix, struct slice from, size_t max);
/** Rows with prefix up to the key last, included. What stands behind it is not even decoded. */
struct row_list rows_up_to(struct state *state, struct arena *arena, enum table table,
                           struct key prefix, struct key last);
/** All rows with prefix. */
struct row_list rows_all(struct state *state, struct arena *arena, enum table table,
                         struct key prefix);
/** Does any row have this prefix? */
bool rows_any(struct state *state, enum table table, struct key prefix);

typedef bool (*row_visit)(void *ctx, struct slice key, void *row);
/** Walk without copying the list; visit must not change the state. */
void rows_each(struct state *state, struct arena *arena, enum table table, struct key prefix,
               struct slice from, row_visit visit, void *ctx);

#endif
