#include "ha/health/watch.h"

static bool is_well(const struct health_seen *seen)
{
    return seen->serves && seen->services_down == 0;
}

static bool is_same(const struct health_seen *a, const struct health_seen *b)
{
    return a->serves == b->serves && a->services_down == b->services_down;
}

bool health_decide(struct health_watch *watch, const struct health_stored *stored,
                   const struct health_seen *reported, uint64_t now_ms, uint64_t delay_ms,
                   struct health_seen *out)
{
    if (watch->incarnation != stored->incarnation) {
        *watch = (struct health_watch){.incarnation = stored->incarnation};
    }
    *out = reported == NULL ? (struct health_seen){.services_down = stored->seen.services_down}
                            : *reported;
    if (is_well(out)) {
        watch->ill_ms = 0;
        return stored->starts || !is_same(out, &stored->seen);
    }
    if (watch->ill_ms == 0) {
        watch->ill_ms = now_ms;
    }
    delay_ms *= stored->starts ? HEALTH_START_DELAYS : 1;
    return (stored->starts || !is_same(out, &stored->seen)) && now_ms - watch->ill_ms >= delay_ms;
}
