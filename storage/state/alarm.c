/* Alarms: what is wrong in the cluster, and what was (DESIGN 7). The leader decides; here it is
 * kept, so that it outlives leader and operator's terminal. */
#include "storage/state/apply.h"

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if ((name[i] < 'a' || name[i] > 'z') && name[i] != '-') {
            return false;
        }
    }
    return len > 0 && len <= STATE_ALARM_NAME_BYTES_MAX;
}

static struct key alarm_key(uint32_t node, const char *name)
{
    struct key key = key_u32(node);

    key_add_bytes(&key, slice_str(name));
    return key;
}

/* One that ended longest ago makes room. ERR_LIMIT: all are active. */
static int make_room(struct apply *a)
{
    struct row_list alarms = rows_all(a->state, a->arena, TABLE_ALARM, (struct key){.len = 0});
    const Pb__AlarmRow *oldest = NULL;

    if (alarms.count < STATE_ALARMS_MAX) {
        return 0;
    }
    for (size_t i = 0; i < alarms.count; i++) {
        const Pb__AlarmRow *row = alarms.items[i].row;

        if (!row->active && (oldest == NULL || row->changed_ms < oldest->changed_ms)) {
            oldest = row;
        }
    }
    if (oldest == NULL) {
        return ERR_LIMIT;
    }
    row_delete(a->state, TABLE_ALARM, alarm_key(oldest->node, oldest->name));
    return 0;
}

static Pb__AlarmRow *new_row(struct apply *a, const Pb__AlarmSet *command)
{
    Pb__AlarmRow *row = arena_alloc(a->arena, sizeof(*row));

    pb__alarm_row__init(row);
    row->node = command->node;
    row->name = command->name;
    return row;
}

static int check(const Pb__AlarmSet *command, const Pb__AlarmRow *row)
{
    bool is_active = row != NULL && row->active;

    if (!is_name(command->name) || strlen(command->reason) > STATE_ALARM_REASON_BYTES_MAX ||
        command->severity > PB__ALARM_SEVERITY__WARNING) {
        return ERR_INVALID;
    }
    /* What it was decided on has changed. */
    return is_active == (command->active != 0) || command->times != (row == NULL ? 0 : row->times)
               ? ERR_CONFLICT
               : 0;
}

static void tell(struct apply *a, const Pb__AlarmRow *row)
{
    struct effect *effect = effects_push(a->out, EFFECT_ALARM);

    effect->node = row->node;
    effect->up = row->active;
    effect->severity = row->severity;
    effect->alarm = arena_strndup(a->out->arena, slice_str(row->name));
    effect->text = arena_strndup(a->out->arena, slice_str(row->reason));
}

int alarm_set(struct apply *a, const Pb__AlarmSet *command)
{
    const struct key key = alarm_key(command->node, command->name);
    Pb__AlarmRow *row = row_get(a->state, a->arena, TABLE_ALARM, key);
    int rc = check(command, row);

    if (rc == 0 && row == NULL) {
        rc = make_room(a);
        row = new_row(a, command);
    }
    if (rc != 0) {
        return rc;
    }
    row->active = command->active;
    row->changed_ms = a->now_ms;
    if (row->active) {
        row->severity = command->severity;
        row->reason = command->reason;
        row->raised_ms = a->stamp.wall_ms;
        row->cleared_ms = 0;
        row->times++;
    } else {
        row->cleared_ms = a->stamp.wall_ms;
    }
    row_put(a->state, TABLE_ALARM, key, row);
    tell(a, row);
    return 0;
}
