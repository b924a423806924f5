#include "ha/alarm/alarm.h"

#include "ha/alarm/truth.h"
#include "node/base/assert.h"

#include <string.h>

#define CLUSTER 0

static const struct {
    const char *name;
    enum alarm_severity severity;
    uint64_t hold_ms;
} kinds[] = {
#define KIND(name, text, severity, hold_ms, bit) {(text), ALARM_##severity, (hold_ms)},
    ALARM_KINDS(KIND)
#undef KIND
};

const char *alarm_name(enum alarm_kind kind)
{
    ASSERT(kind < ALARM_KIND_COUNT);
    return kinds[kind].name;
}

enum alarm_severity alarm_severity(enum alarm_kind kind)
{
    ASSERT(kind < ALARM_KIND_COUNT);
    return kinds[kind].severity;
}

const char *alarm_severity_text(unsigned severity)
{
    static const char *const texts[] = {"critical", "major", "minor", "warning"};

    return severity < ARRAY_COUNT(texts) ? texts[severity] : "unknown";
}

bool alarm_find(const char *name, enum alarm_kind *kind_out)
{
    for (size_t i = 0; i < ALARM_KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *kind_out = (enum alarm_kind)i;
            return true;
        }
    }
    return false;
}

/* One look: what alarm_decide() was given, and what comes out. */
struct look {
    struct alarm_watch *watch;
    const struct alarm_facts *facts;
    const struct alarm_row *rows;
    size_t row_count;
    struct alarm_change *out;
    size_t count;
};

static const struct alarm_row *find_row(const struct look *look, uint32_t node,
                                        enum alarm_kind kind)
{
    for (size_t i = 0; i < look->row_count; i++) {
        if (look->rows[i].node == node && look->rows[i].kind == kind) {
            return &look->rows[i];
        }
    }
    return NULL;
}

/* NULL: there are too many. */
static struct alarm_subject *find_subject(struct alarm_watch *watch, uint32_t node)
{
    struct alarm_subject *subject;

    for (size_t i = 0; i < watch->count; i++) {
        if (watch->subjects[i].node == node) {
            watch->subjects[i].is_seen = true;
            return &watch->subjects[i];
        }
    }
    if (watch->count == ARRAY_COUNT(watch->subjects)) {
        return NULL;
    }
    subject = &watch->subjects[watch->count++];
    *subject = (struct alarm_subject){.node = node, .is_seen = true};
    return subject;
}

static void forget_unseen(struct alarm_watch *watch)
{
    size_t kept = 0;

    for (size_t i = 0; i < watch->count; i++) {
        if (watch->subjects[i].is_seen) {
            watch->subjects[kept] = watch->subjects[i];
            watch->subjects[kept++].is_seen = false;
        }
    }
    watch->count = kept;
}

/* Is it long enough since the alarm changed last? A leader's time may lag behind that of an entry
 * that it got in a copy. */
static bool may_change(const struct alarm_facts *facts, const struct alarm_row *row)
{
    return row == NULL || row->changed_ms == 0 ||
           (facts->time_ms > row->changed_ms && facts->time_ms - row->changed_ms >= ALARM_GAP_MS);
}

static void change(struct look *look, uint32_t node, enum alarm_kind kind, bool wish,
                   const char *reason)
{
    const struct alarm_row *row = find_row(look, node, kind);
    struct alarm_change *out = &look->out[look->count++];

    *out = (struct alarm_change){
        .node = node, .kind = kind, .is_active = wish, .times = row == NULL ? 0 : row->times};
    if (wish) {
        memcpy(out->reason, reason, ALARM_REASON_BYTES);
    }
}

static void consider(struct look *look, uint32_t node, enum alarm_kind kind, enum truth truth,
                     const char *reason)
{
    struct alarm_subject *subject = find_subject(look->watch, node);
    const struct alarm_row *row = find_row(look, node, kind);
    const struct alarm_facts *facts = look->facts;
    bool wish = truth == TRUTH_YES;
    uint64_t *since_ms;

    if (subject == NULL) {
        return;
    }
    since_ms = &subject->since_ms[kind];
    if (truth == TRUTH_UNKNOWN || wish == (row != NULL && row->is_active)) {
        *since_ms = 0;
        return;
    }
    *since_ms = *since_ms == 0 ? facts->now_ms : *since_ms;
    if (facts->now_ms - *since_ms < (wish ? kinds[kind].hold_ms : ALARM_CLEAR_MS) ||
        !may_change(facts, row) || look->count == ALARM_CHANGES_MAX) {
        return;
    }
    change(look, node, kind, wish, reason);
    *since_ms = facts->now_ms; /* under way; decided again when it was lost */
}

static bool is_member(const struct alarm_facts *facts, uint32_t node)
{
    for (size_t i = 0; i < facts->count; i++) {
        if (facts->nodes[i].node == node) {
            return true;
        }
    }
    return node == CLUSTER;
}

/* Of a node that is no member any more nothing holds. */
static void consider_strangers(struct look *look)
{
    for (size_t i = 0; i < look->row_count; i++) {
        const struct alarm_row *row = &look->rows[i];

        if (row->is_active && !is_member(look->facts, row->node)) {
            consider(look, row->node, row->kind, TRUTH_NO, NULL);
        }
    }
}

size_t alarm_decide(struct alarm_watch *watch, const struct alarm_facts *facts,
                    const struct alarm_row *rows, size_t row_count,
                    struct alarm_change out[ALARM_CHANGES_MAX])
{
    struct look look = {
        .watch = watch, .facts = facts, .rows = rows, .row_count = row_count, .out = out};
    char reason[ALARM_REASON_BYTES] = "";

    ASSERT(facts->now_ms != 0);
    for (size_t kind = 0; kind < ALARM_KIND_COUNT; kind++) {
        enum truth truth = truth_of_cluster(facts, (enum alarm_kind)kind, reason);

        consider(&look, CLUSTER, (enum alarm_kind)kind, truth, reason);
        for (size_t i = 0; i < facts->count; i++) {
            const struct alarm_node *node = &facts->nodes[i];

            truth = truth_of_node(facts, node, (enum alarm_kind)kind, reason);
            consider(&look, node->node, (enum alarm_kind)kind, truth, reason);
        }
    }
    consider_strangers(&look);
    forget_unseen(watch);
    return look.count;
}
