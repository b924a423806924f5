/* marks - state hashes at marks, own and others', and whether they agree (P7). Pure. Each node has
 * a ring of its own, so that what one reports, even of marks that do not exist, displaces nothing
 * that another did. */
#ifndef HA_MARKS_MARKS_H
#define HA_MARKS_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARKS_KEPT      64 /* at two a second: longer than a node lags while it serves */
#define MARKS_NODES_MAX 16

struct mark {
    uint64_t index; /* 0: none */
    uint64_t hash;
};

struct marks_ring {
    uint32_t node;
    struct mark kept[MARKS_KEPT]; /* the oldest is replaced */
    size_t next;
};

struct marks {
    struct marks_ring own;
    struct marks_ring others[MARKS_NODES_MAX];
    size_t other_count;
    uint64_t newest_own_index; /* 0: none */
    uint64_t newest_own_hash;
};

struct marks_member {
    uint32_t node;
    bool votes;
};

/* The present membership: this node included, unless it is no member. */
struct marks_members {
    struct marks_member list[MARKS_NODES_MAX];
    size_t count;
};

enum marks_verdict {
    MARKS_EQUAL,     /* nobody differs, as far as is known */
    MARKS_DIFFERENT, /* a member does, and no majority says that this node is wrong */
    MARKS_OUTVOTED   /* more than half of the voters agree on another hash than ours */
};

/** This node's hash at a mark. */
void marks_add_own(struct marks *marks, uint64_t index, uint64_t hash);
/** Another node's hash at a mark; of no interest unless it is a member. */
void marks_add_other(struct marks *marks, const struct marks_members *members, uint32_t node,
                     uint64_t index, uint64_t hash);
/** What the voters say about our state at a mark; and whether any member differs at the newest mark
 * that it has in common with us. */
enum marks_verdict marks_judge(const struct marks *marks, const struct marks_members *members,
                               uint64_t index);
/** Our hash at a mark, if it is still known. */
bool marks_find_own(const struct marks *marks, uint64_t index, uint64_t *hash_out);

#endif
