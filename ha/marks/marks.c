#include "ha/marks/marks.h"

static struct mark *find(struct marks *marks, uint64_t index)
{
    struct mark *oldest = &marks->kept[0];

    for (size_t i = 0; i < marks->count; i++) {
        if (marks->kept[i].index == index) {
            return &marks->kept[i];
        }
        if (marks->kept[i].index < oldest->index) {
            oldest = &marks->kept[i];
        }
    }
    if (marks->count < MARKS_KEPT) {
        oldest = &marks->kept[marks->count++];
    } else if (index < oldest->index) {
        return NULL; /* too old to matter */
    }
    *oldest = (struct mark){.index = index};
    return oldest;
}

static size_t votes_for(const struct mark *mark, uint64_t hash)
{
    size_t votes = 0;

    for (size_t i = 0; i < mark->report_count; i++) {
        votes += mark->reports[i].hash == hash;
    }
    return votes;
}

static enum marks_verdict judge(const struct mark *mark, size_t voter_count)
{
    enum marks_verdict verdict = MARKS_EQUAL;

    if (!mark->own_known) {
        return MARKS_EQUAL;
    }
    for (size_t i = 0; i < mark->report_count; i++) {
        uint64_t hash = mark->reports[i].hash;

        if (hash == mark->own_hash) {
            continue;
        }
        if (votes_for(mark, hash) > voter_count / 2) {
            return MARKS_OUTVOTED;
        }
        verdict = MARKS_DIFFERENT;
    }
    return verdict;
}

enum marks_verdict marks_add_own(struct marks *marks, uint64_t index, uint64_t hash,
                                 size_t voter_count)
{
    struct mark *mark = find(marks, index);

    marks->newest_own_index = index;
    marks->newest_own_hash = hash;
    if (mark == NULL) {
        return MARKS_EQUAL;
    }
    mark->own_known = true;
    mark->own_hash = hash;
    return judge(mark, voter_count);
}

enum marks_verdict marks_add_other(struct marks *marks, uint64_t index, uint32_t node,
                                   uint64_t hash, size_t voter_count)
{
    struct mark *mark = find(marks, index);

    if (mark == NULL) {
        return MARKS_EQUAL;
    }
    for (size_t i = 0; i < mark->report_count; i++) {
        if (mark->reports[i].node == node) {
            mark->reports[i].hash = hash;
            return judge(mark, voter_count);
        }
    }
    if (mark->report_count < MARKS_NODES_MAX) {
        mark->reports[mark->report_count++] = (struct mark_report){.node = node, .hash = hash};
    }
    return judge(mark, voter_count);
}

bool marks_find_own(const struct marks *marks, uint64_t index, uint64_t *hash_out)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (marks->kept[i].index == index && marks->kept[i].own_known) {
            *hash_out = marks->kept[i].own_hash;
            return true;
        }
    }
    return false;
}
