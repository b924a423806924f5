#include "ha/marks/marks.h"

static const struct mark *find_mark(const struct marks_ring *ring, uint64_t index)
{
    for (size_t i = 0; i < MARKS_KEPT; i++) {
        if (index != 0 && ring->kept[i].index == index) {
            return &ring->kept[i];
        }
    }
    return NULL;
}

static void add_mark(struct marks_ring *ring, uint64_t index, uint64_t hash)
{
    struct mark *mark = (struct mark *)find_mark(ring, index);

    if (mark == NULL) {
        mark = &ring->kept[ring->next];
        ring->next = (ring->next + 1) % MARKS_KEPT;
    }
    *mark = (struct mark){.index = index, .hash = hash};
}

static const struct marks_member *find_member(const struct marks_members *members, uint32_t node)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->list[i].node == node) {
            return &members->list[i];
        }
    }
    return NULL;
}

/* The ring of a member; that of a node which is none any more may become it. */
static struct marks_ring *find_or_add_ring(struct marks *marks, const struct marks_members *members,
                                           uint32_t node)
{
    struct marks_ring *unused = NULL;

    for (size_t i = 0; i < marks->other_count; i++) {
        if (marks->others[i].node == node) {
            return &marks->others[i];
        }
        if (find_member(members, marks->others[i].node) == NULL) {
            unused = &marks->others[i];
        }
    }
    if (marks->other_count < MARKS_NODES_MAX) {
        unused = &marks->others[marks->other_count++];
    }
    if (unused != NULL) {
        *unused = (struct marks_ring){.node = node};
    }
    return unused;
}

void marks_add_own(struct marks *marks, uint64_t index, uint64_t hash)
{
    marks->newest_own_index = index;
    marks->newest_own_hash = hash;
    add_mark(&marks->own, index, hash);
}

void marks_add_other(struct marks *marks, const struct marks_members *members, uint32_t node,
                     uint64_t index, uint64_t hash)
{
    struct marks_ring *ring;

    if (find_member(members, node) == NULL) {
        return;
    }
    ring = find_or_add_ring(marks, members, node);
    if (ring != NULL) {
        add_mark(ring, index, hash);
    }
}

/* How many of the voters have this hash at a mark. */
static size_t votes_for(const struct marks *marks, const struct marks_members *members,
                        uint64_t index, uint64_t hash)
{
    size_t votes = 0;

    for (size_t i = 0; i < marks->other_count; i++) {
        const struct marks_member *member = find_member(members, marks->others[i].node);
        const struct mark *mark = find_mark(&marks->others[i], index);

        votes += member != NULL && member->votes && mark != NULL && mark->hash == hash;
    }
    return votes;
}

static bool is_outvoted(const struct marks *marks, const struct marks_members *members,
                        uint64_t index)
{
    const struct mark *own = find_mark(&marks->own, index);
    size_t voters = 0;

    for (size_t i = 0; i < members->count; i++) {
        voters += members->list[i].votes;
    }
    for (size_t i = 0; own != NULL && i < marks->other_count; i++) {
        const struct mark *mark = find_mark(&marks->others[i], index);

        if (mark != NULL && mark->hash != own->hash &&
            votes_for(marks, members, index, mark->hash) > voters / 2) {
            return true;
        }
    }
    return false;
}

/* Does a node differ at the newest mark that both know? */
static bool ring_differs(const struct marks *marks, const struct marks_ring *ring)
{
    uint64_t newest_index = 0;
    bool differs = false;

    for (size_t i = 0; i < MARKS_KEPT; i++) {
        const struct mark *mark = &ring->kept[i];
        const struct mark *own = find_mark(&marks->own, mark->index);

        if (own != NULL && mark->index > newest_index) {
            newest_index = mark->index;
            differs = mark->hash != own->hash;
        }
    }
    return differs;
}

enum marks_verdict marks_judge(const struct marks *marks, const struct marks_members *members,
                               uint64_t index)
{
    if (is_outvoted(marks, members, index)) {
        return MARKS_OUTVOTED;
    }
    for (size_t i = 0; i < marks->other_count; i++) {
        if (find_member(members, marks->others[i].node) != NULL &&
            ring_differs(marks, &marks->others[i])) {
            return MARKS_DIFFERENT;
        }
    }
    return MARKS_EQUAL;
}

bool marks_find_own(const struct marks *marks, uint64_t index, uint64_t *hash_out)
{
    const struct mark *mark = find_mark(&marks->own, index);

    if (mark == NULL) {
        return false;
    }
    *hash_out = mark->hash;
    return true;
}
