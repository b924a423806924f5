#include "node/admin/member_item.h"

const char *member_role_name(enum rlog_role role)
{
    switch (role) {
    case RLOG_VOTER:
        return "voter";
    case RLOG_STANDBY:
        return "standby";
    case RLOG_SPARE:
        return "spare";
    }
    return "unknown";
}

const char *member_role_text(const struct members *members, const struct member_view *member)
{
    return member->peer->node_id == members->log.leader_node ? "leader"
                                                             : member_role_name(member->peer->role);
}

static json_t *names(uint32_t set, const char *(*name_at)(unsigned bit))
{
    json_t *list = json_array();

    for (unsigned bit = 0; bit < 32; bit++) {
        const char *name = (set & 1u << bit) == 0 ? NULL : name_at(bit);

        if (name != NULL) { /* one that a newer program made up has none */
            (void)json_array_append_new(list, json_string(name));
        }
    }
    return list;
}

json_t *member_alarm_names(uint32_t alarms)
{
    return names(alarms, health_alarm_name);
}

json_t *member_state_text(const struct members *members, const struct member_view *member)
{
    const char *reason;

    if (!member->peer->connected) {
        return json_string(member->is_up ? "not connected" : "down");
    }
    if (member->report == NULL) {
        return json_string("no report");
    }
    if (!members_understands(members, member)) {
        return json_string("waiting: its program is too old for the log");
    }
    if (member->report->serves) {
        return json_string("serving");
    }
    reason = gate_reason_text(member->report->gate);
    return json_sprintf("waiting: %s", reason == NULL ? "unknown" : reason);
}

static void set_number(json_t *item, const char *name, uint64_t value)
{
    (void)json_object_set_new(item, name, json_integer((json_int_t)value));
}

/* commit_index 0: nobody leads, so nobody knows. */
static void add_report(json_t *item, const struct rlog_report *report, uint64_t commit_index)
{
    set_number(item, "term", report->term);
    set_number(item, "last_index", report->last_index);
    set_number(item, "applied_index", report->applied_index);
    set_number(item, "durable_index", report->durable_index);
    if (commit_index != 0) {
        set_number(item, "lag",
                   commit_index > report->applied_index ? commit_index - report->applied_index : 0);
    }
    set_number(item, "sessions", report->sessions);
    set_number(item, "log_version", report->log_version);
    set_number(item, "schema_version", report->schema_version);
    (void)json_object_set_new(item, "version", json_string(report->program));
    (void)json_object_set_new(item, "serving", json_boolean(report->serves));
    (void)json_object_set_new(item, "alarms", member_alarm_names(report->alarms));
    (void)json_object_set_new(item, "services_down",
                              names(report->services_down, health_service_name));
}

json_t *member_item(const struct members *members, const struct member_view *member)
{
    const struct rlog_peer_status *peer = member->peer;
    json_t *item = json_pack("{s:I,s:s,s:s,s:b,s:o}", "node", (json_int_t)peer->node_id, "name",
                             member->row == NULL ? "" : member->row->name, "role",
                             member_role_text(members, member), "connected", (int)peer->connected,
                             "state", member_state_text(members, member));

    if (peer->rtt_us != 0) {
        set_number(item, "rtt_us", peer->rtt_us);
    }
    set_number(item, "queue_bytes", peer->queue_bytes);
    if (member->report != NULL) {
        add_report(item, member->report, members->log.leader_node == 0 ? 0 : members->commit_index);
    }
    return item;
}
