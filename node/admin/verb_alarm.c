/* Verbs about alarms. */
#include "ha/alarm/alarm.h"
#include "node/admin/verbs.h"

struct alarm_list {
    json_t *alarms;
    bool all; /* those that have ended, too */
};

static bool list_alarm(void *ctx, const Pb__AlarmRow *row)
{
    const struct alarm_list *list = ctx;

    if (row->active || list->all) {
        (void)json_array_append_new(
            list->alarms,
            json_pack("{s:s,s:s,s:I,s:b,s:I,s:I,s:s,s:I}", "severity",
                      alarm_severity_text((unsigned)row->severity), "alarm", row->name, "node",
                      (json_int_t)row->node, "active", (int)row->active, "raised_ms",
                      (json_int_t)row->raised_ms, "cleared_ms", (json_int_t)row->cleared_ms,
                      "reason", row->reason, "times", (json_int_t)row->times));
    }
    return true;
}

static void read_alarms(struct request *request, struct core *core)
{
    struct alarm_list list = {.alarms = json_array(),
                              .all = json_is_true(json_object_get(request->args, "all"))};

    state_each_alarm(core_state(core), core_arena(core), list_alarm, &list);
    request->result = json_pack("{s:o}", "alarms", list.alarms);
}

void verb_alarm_list(struct request *request)
{
    request_read_state(request, read_alarms);
}
