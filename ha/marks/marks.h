/* marks - state hashes at marks, own and others', and whether they agree (P7). Pure. */
#ifndef HA_MARKS_MARKS_H
#define HA_MARKS_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARKS_KEPT      64 /* at two a second: longer than a node lags while it serves */
#define MARKS_NODES_MAX 16

struct mark_report {
    uint32_t node;
    uint64_t hash;
};

struct mark {
    uint64_t index;
    bool own_known;
    uint64_t own_hash;
    struct mark_report reports[MARKS_NODES_MAX];
    size_t report_count;
};

struct marks {
    struct mark kept[MARKS_KEPT]; /* a ring: the oldest is replaced */
    size_t count;
    uint64_t newest_own_index; /* 0: none */
    uint64_t newest_own_hash;
};

enum marks_verdict {
    MARKS_EQUAL,     /* nobody differs, as far as is known */
    MARKS_DIFFERENT, /* somebody does, and no majority says who is wrong */
    MARKS_OUTVOTED   /* a majority of the voters agrees on another hash than ours */
};

/** This node's hash at a mark. */
enum marks_verdict marks_add_own(struct marks *marks, uint64_t index, uint64_t hash,
                                 size_t voter_count);
/** Another node's hash at a mark. */
enum marks_verdict marks_add_other(struct marks *marks, uint64_t index, uint32_t node,
                                   uint64_t hash, size_t voter_count);
/** Our hash at a mark, if it is still known. */
bool marks_find_own(const struct marks *marks, uint64_t index, uint64_t *hash_out);

#endif
